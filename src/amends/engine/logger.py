"""The log, as the engine writes it: a handler that raises fails for itself, and ends nobody's engine."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Final


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger ``amends``; what its handlers and filters raise goes to standard error."""

    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        """Write an entry."""
        try:
            super().log(level, msg, *args, **{"stacklevel": 2} | more)
        except Exception:  # noqa: BLE001 - whatever a handler raises, what was to be told is not the worse for it
            traceback.print_exc()


log: Final = Log(logging.getLogger("amends"))
