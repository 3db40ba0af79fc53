"""Time, as a service outside passes it: it waits, and it does things although no caller waits for them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta


class Timers:
    """The time of the event loop that runs: real time, or whatever that loop takes for it. Milliseconds, 0 or more."""

    async def sleep(self, ms: int) -> None:
        """Wait."""
        await asyncio.sleep(timedelta(milliseconds=ms).total_seconds())

    def call_later(self, ms: int, act: Callable[[], object]) -> None:
        """Do something after a time, also when its caller has hung up by then; once the loop is closed, never."""
        asyncio.get_running_loop().call_later(timedelta(milliseconds=ms).total_seconds(), act)
