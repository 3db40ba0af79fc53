"""How far a search is, on one line of standard error, while a terminal looks on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Final

from amends.checking import Progress

FROM_S: Final = 0.3  # a search that is over by then needs no line
CLEAR: Final = "\r\x1b[K"


@contextmanager
def progress_line(name: str) -> Iterator[Callable[[Progress], None] | None]:
    """What to report to; ``None`` where nobody looks on. The line is gone at the end.

    Args:
        name: of what is searched.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield lambda progress: _show(name, progress)
    finally:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()


def _show(name: str, progress: Progress) -> None:
    if progress.seconds >= FROM_S:
        room = get_terminal_size().columns - 1  # a line that wraps cannot be cleared
        sys.stderr.write(f"{CLEAR}{line_of(name, progress)[:room]}")
        sys.stderr.flush()


def line_of(name: str, progress: Progress) -> str:
    """The line."""
    each_second = int(progress.states / progress.seconds) if progress.seconds else 0
    numbers = f"{progress.states:,} worlds, {each_second:,}/s, {progress.frontier:,} ahead".replace(",", " ")
    return f"{name}: {numbers}, {progress.seconds:.0f} s".replace("  ", ", ")
