"""Time, as a service outside passes it: it waits, and it does things although no caller waits for them any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from amends.core.messages import Call


class Timers:
    """The time of the event loop that runs: real time, or whatever that loop takes for it. Milliseconds, 0 or more.

    Attributes:
        faster: so many times as fast it passes.
    """

    faster = 1

    async def sleep(self, ms: int) -> None:
        """Wait."""
        await asyncio.sleep(self._real(ms).total_seconds())

    def call_later(self, ms: int, act: Callable[[], object]) -> None:
        """Do something after a time, also when its caller has hung up by then; once the loop is closed, never."""
        asyncio.get_running_loop().call_later(self._real(ms).total_seconds(), act)

    def is_past(self, call: Call, ms: int) -> bool:
        """Whether a time has passed since the deadline of a call."""
        return time.time() > call.deadline + self._real(ms).total_seconds()

    def _real(self, ms: int) -> timedelta:
        return timedelta(milliseconds=ms // self.faster)
