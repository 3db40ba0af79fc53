"""How long a caller waits for something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from amends.engine.arguments import take_timeout

STANDING_S: Final = 5.0  # to learn how something stands, at least: as long as a slow turn takes

Found = TypeVar("Found")


class Patience:
    """Until when a caller waits, from the moment in which this is made; inside a running event loop.

    Attributes:
        words: how long that is, for a message.
    """

    def __init__(self, timeout: object) -> None:
        """Begin to wait.

        Args:
            timeout: seconds, >= 0; ``None`` for as long as it takes.

        Raises:
            RequestRefused: it is no number of seconds.
        """
        seconds = take_timeout(timeout)
        self.words = f"{timeout} s"
        self._clock = asyncio.get_running_loop()
        self._until = None if timeout is None else self._clock.time() + seconds

    async def end_with(self, answer: Awaitable[Found]) -> Found:
        """Wait for an answer.

        Raises:
            TimeoutError: it did not come in time.
        """
        return await _by(self._until, answer)

    async def look(self, answer: Awaitable[Found]) -> Found:
        """Wait for what is told in any case, however short the patience.

        Raises:
            TimeoutError: it did not come in time, nor within `STANDING_S`.
        """
        return await _by(self._until and max(self._until, self._clock.time() + STANDING_S), answer)


async def _by(until: float | None, answer: Awaitable[Found]) -> Found:
    """Wait for an answer until a time of the loop's clock; ``None`` for as long as it takes, which needs no timer."""
    if until is None:
        return await answer
    async with asyncio.timeout_at(until):
        return await answer
