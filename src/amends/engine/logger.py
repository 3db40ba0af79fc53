"""The log, as the engine writes it: a handler that raises fails alone, and ends no engine."""

from __future__ import annotations

import logging
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

from amends.exceptions import is_interrupt


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger ``amends``; what its handlers and filters raise goes to standard error."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave an entry as it is: the base class takes away what it is about."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        """Write an entry."""
        try:
            super().log(level, msg, *args, **{"stacklevel": 2} | more)
        except BaseException as error:  # a handler's, or of an exception that cannot be looked at
            if is_interrupt(error):
                raise
            traceback.print_exc()


log: Final = Log(logging.getLogger("amends"))


def about(event: str, **fields: str | int) -> dict[str, Any]:
    """What an entry is about, for a log that is read by programs, in place of its words.

    It is given with each entry whose words may hold what a program of the user's said: a reason, an error, an answer.

    Args:
        event: what happened, in words that are always the same.
        fields: ``saga``, ``definition``, ``step``, ``kind``, ``attempt``, ``error_type``, ``trace_id``, ``span_id``.
            Empty ones are left out.
    """
    return {FIELDS: {"event": event} | {name: value for name, value in fields.items() if value}}


FIELDS: Final = "amends"
"""The attribute of a log record that has these."""
