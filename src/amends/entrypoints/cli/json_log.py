"""The log as one JSON object a line, for programs."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from amends.engine.logger import FIELDS

FRAMES_MAX: Final = 20  # of where an error was raised, the innermost: as a person reads


class JsonFormatter(logging.Formatter):
    """Writes an entry as a JSON object: time, level, logger, event, and what it is about.

    An entry that may hold what a program of the user's said is told by its constant words: those that are given as
    `amends.engine.logger.about`. Of an exception its type is told, and where it was raised; its message is not.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        about: dict[str, Any] = getattr(record, FIELDS, None) or {"event": record.getMessage()}
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, **about,
        }  # fmt: skip
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None:
            told |= {"error_type": type(error).__name__, "error_at": _frames(error)}
        return msgspec.json.encode(told).decode()


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
