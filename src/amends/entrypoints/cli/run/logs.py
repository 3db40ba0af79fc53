"""What an engine logs while a command runs it: a line each on standard error, as everything that a command says."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from amends.engine.report import FAILED, NEEDS_OPERATOR


class OneLine(logging.Handler):
    """Writes log records as lines on standard error; an exception is told by the command that it ends."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record."""
        is_an_end = record.exc_info and record.msg != FAILED
        if not is_an_end and record.msg != NEEDS_OPERATOR:  # a run says that itself, with what to do
            sys.stderr.write(f"amends: {' '.join(record.getMessage().split())}\n")


@contextmanager
def logged_in_lines() -> Iterator[None]:
    """Write what is logged in here."""
    log, handler = logging.getLogger("amends"), OneLine(logging.WARNING)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = True
        log.removeHandler(handler)
