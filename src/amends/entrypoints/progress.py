"""How far something long is, on one line of standard error, while a terminal looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from amends.checking import Progress

FROM_S: Final = 0.3  # what is over by then needs no line
EVERY_S: Final = 0.1  # nobody reads faster
CLEAR: Final = "\r\x1b[K"

Reached = TypeVar("Reached")


@contextmanager
def status_line(words: Callable[[Reached], str]) -> Iterator[Callable[[Reached], None] | None]:
    """What to report to; ``None`` where nobody looks on. The line is gone at the end.

    Args:
        words: of what was reached.
    """
    if not sys.stderr.isatty():
        yield None
        return
    due_s = time.monotonic() + FROM_S

    def show(reached: Reached) -> None:
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + EVERY_S
            room = get_terminal_size().columns - 1  # a line that wraps cannot be cleared
            sys.stderr.write(f"{CLEAR}{words(reached)[:room]}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()


@contextmanager
def progress_line(name: str) -> Iterator[Callable[[Progress], None] | None]:
    """What a search reports to; see `status_line`.

    Args:
        name: of what is searched.
    """
    with status_line(partial(line_of, name)) as report:
        yield report


def line_of(name: str, progress: Progress) -> str:
    """The line of a search."""
    each_second = int(progress.states / progress.seconds) if progress.seconds else 0
    numbers = f"{progress.states:,} worlds, {each_second:,}/s, {progress.frontier:,} ahead".replace(",", " ")
    return f"{name}: {numbers}, {progress.seconds:.0f} s".replace("  ", ", ")
