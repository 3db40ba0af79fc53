"""How far something long is, on one line of standard error, while a terminal looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final, TypeVar

from amends.lines import grouped

if TYPE_CHECKING:
    from amends.checking import ExplorationProgress

FROM_S: Final = 0.3  # what is over by then needs no line
EVERY_S: Final = 0.1  # a person reads no faster
CLEAR: Final = "\r\x1b[K"

Reached = TypeVar("Reached")


class Pace:
    """When a line of progress is due: `FROM_S` after the start, then every `EVERY_S`."""

    def __init__(self) -> None:
        self._due_s = time.monotonic() + FROM_S

    def __call__(self, _: object) -> bool:
        """Whether it is due now; then it is due again after a while."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return False
        self._due_s = now_s + EVERY_S
        return True


@contextmanager
def status_line(
    words: Callable[[Reached], str], is_due: Callable[[Reached], bool] | None = None
) -> Iterator[Callable[[Reached], None] | None]:
    """Give what to report progress to; ``None`` where standard error is no terminal. The line is gone at the end.

    Args:
        words: of what was reached.
        is_due: whether to show it; by default as a `Pace` says.
    """
    if not sys.stderr.isatty():
        yield None
        return
    shows = is_due or Pace()

    def show(reached: Reached) -> None:
        if shows(reached):
            room = get_terminal_size().columns - 1  # a line that wraps cannot be cleared
            sys.stderr.write(f"{CLEAR}{words(reached)[:room]}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()


def progress_line(name: str) -> AbstractContextManager[Callable[[ExplorationProgress], None] | None]:
    """Give what an exploration reports its progress to, as `status_line` does.

    Args:
        name: of what is explored.
    """
    return status_line(partial(line_of, name), lambda progress: progress.seconds >= FROM_S)


def line_of(name: str, progress: ExplorationProgress) -> str:
    """The line of progress of an exploration."""
    each_second = int(progress.states / progress.seconds) if progress.seconds else 0
    numbers = f"{grouped(progress.states)} worlds, {grouped(each_second)}/s, {grouped(progress.frontier)} ahead"
    return f"{name}: {numbers}, {progress.seconds:.0f} s"
