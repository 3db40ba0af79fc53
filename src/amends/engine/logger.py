"""The log, as the engine writes it: a handler that raises fails alone, and ends no engine."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Final

from amends.exceptions import is_interrupt


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger ``amends``; what its handlers and filters raise goes to standard error."""

    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        """Write an entry."""
        try:
            super().log(level, msg, *args, **{"stacklevel": 2} | more)
        except BaseException as error:  # a handler's, or of an exception that cannot be looked at
            if is_interrupt(error):
                raise
            traceback.print_exc()


log: Final = Log(logging.getLogger("amends"))
