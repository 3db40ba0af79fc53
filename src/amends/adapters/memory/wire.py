"""A wire within a process: channels by name, for engines that have an event loop each, in a test or a small program."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from threading import Lock
from time import time
from typing import Final

from amends.core.waiting import SECOND_MS
from amends.errors import WireUnusable
from amends.storage.location import MEMORY
from amends.storage.wire import Delivery, Parked, expect_channel, expect_size

DURABILITY: Final = "none: within a process"
KEPT_MAX: Final = 10_000
"""Messages that a channel holds, and that are parked at all: with more, the oldest are lost, which costs time only."""


class _Channel:
    """The messages of one channel that wait, and whom to wake when there are more."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque(maxlen=KEPT_MAX)
        self.woken: dict[object, Callable[[], object]] = {}

    def put(self, messages: Iterable[bytes]) -> None:
        self.waiting.extend(messages)
        for wake in [*self.woken.values()]:
            with suppress(RuntimeError):  # its event loop has ended
                wake()


class MemoryBroker:
    """Channels by name; any thread may use them."""

    def __init__(self) -> None:
        self.lock: Final = Lock()
        self.parked: deque[Parked] = deque(maxlen=KEPT_MAX)
        self.numbers = count(1)  # of those that are parked
        self._channels: dict[str, _Channel] = {}

    def channel(self, name: str) -> _Channel:
        """The channel of a name: it is made when it is first named. To be called with the lock held."""
        return self._channels.setdefault(name, _Channel())


class MemoryWire:
    """See `amends.storage.wire.Wire`. What was taken and not acknowledged comes again once this is closed."""

    def __init__(self, broker: MemoryBroker) -> None:
        """Take nothing yet.

        Args:
            broker: whose channels these are.
        """
        self._broker = broker
        self._taken: dict[tuple[str, int], bytes] = {}
        self._tokens = count()

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send messages; they are there at once."""
        expect_channel(channel)
        expect_size(messages)
        with self._broker.lock:
            self._broker.channel(channel).put(messages)

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Wait until there are messages, and take some."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        try:
            while True:
                with self._broker.lock:
                    there = self._broker.channel(channel)
                    if bodies := [there.waiting.popleft() for _ in range(min(most, len(there.waiting)))]:
                        return [self._delivery(channel, body) for body in bodies]
                    there.woken[arrived] = lambda: loop.call_soon_threadsafe(arrived.set)
                await arrived.wait()
                arrived.clear()
        finally:
            with self._broker.lock:
                self._broker.channel(channel).woken.pop(arrived, None)

    def _delivery(self, channel: str, body: bytes) -> Delivery:
        token = channel, next(self._tokens)
        self._taken[token] = body
        return Delivery(body, token)

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002 - as the port has it
        """Let these come no more."""
        for delivery in deliveries:
            self._taken.pop(delivery.token, None)

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart that no taker can act on, and let it come no more."""
        with self._broker.lock:
            number, now_ms = next(self._broker.numbers), round(time() * SECOND_MS)
            self._broker.parked.append(Parked(channel, number, delivery.body, reason, now_ms))
        await self.acknowledge(channel, [delivery])

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """The messages of a channel that were parked, or of all, the oldest first."""
        with self._broker.lock:
            return [each for each in self._broker.parked if channel in ("", each.channel)]

    async def drop(self, parked: Parked) -> None:
        """Keep a parked message no longer."""
        with self._broker.lock, suppress(ValueError):
            self._broker.parked.remove(parked)

    async def ping(self) -> None:
        """See that the broker is there: it is this process."""

    async def durability(self) -> str:
        """None: nothing outlives the process."""
        return DURABILITY

    async def close(self) -> None:
        """Let what was taken and not acknowledged come again. A second call does nothing."""
        taken, self._taken = self._taken, {}
        with self._broker.lock:
            for (channel, _), body in taken.items():
                self._broker.channel(channel).put([body])


_brokers: Final[dict[str, MemoryBroker]] = {}
_lock: Final = Lock()


def memory_wire(url: str) -> Callable[[], MemoryWire]:
    """What makes an end of the wire of a name, which all of this process share that name it.

    Raises:
        WireUnusable: the URL has no name.
    """
    name = url.removeprefix(MEMORY)
    if not (name and name.isprintable()):
        raise WireUnusable(f"{url!r:.200} names no wire: give it a name of printable text, as in memory:shop")
    with _lock:
        broker = _brokers.setdefault(name, MemoryBroker())
    return lambda: MemoryWire(broker)
