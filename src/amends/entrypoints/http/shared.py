"""Looks at the whole store, which take long: one at a time, for all who ask, and as good as new for a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Generic, TypeVar

from amends.client.client import Client
from amends.client.connection import ClientLook

FRESH_S: Final = 1.0  # for which a look is given to others: what a person does not see change
Seen = TypeVar("Seen")


class SharedLook(Generic[Seen]):
    """A look for all callers: however many ask, the store is looked at once a second."""

    def __init__(self, client: Client, look: ClientLook[Seen], fresh_s: float = FRESH_S) -> None:
        """Look at nothing yet.

        Args:
            client: that looks.
            look: what it reads.
            fresh_s: for how long one is given to others, in seconds, >= 0.
        """
        self._client = client
        self._look = look
        self._fresh_s = fresh_s
        self._lock = asyncio.Lock()
        self._last: tuple[float, Seen] | None = None

    async def seen(self) -> Seen:
        """What was seen last, or what is seen now.

        Raises:
            AmendsError: the store cannot be read now.
        """
        async with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > self._fresh_s:
                found = await self._client.connection.look_apart(self._look)
                self._last = time.monotonic(), found
            return self._last[1]
