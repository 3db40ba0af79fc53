"""An event loop that does not wait: when nothing is to be done, its clock jumps to the next timer.

So what sleeps, times out and comes late runs on the code that production has, in no time and always the same.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
ROUNDING = 1e-6  # of a millisecond: what adding up seconds leaves


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a time, says that it passed."""

    now_ms = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready now."""
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self.now_ms += max(0, math.ceil(timeout * 1000 - ROUNDING))
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is whole milliseconds from 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Return the time, in seconds."""
        return self._jump.now_ms / 1000


def now_ms() -> int:
    """Return the time of the loop that runs."""
    return round(asyncio.get_running_loop().time() * 1000)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
