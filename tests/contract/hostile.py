"""A wire that does to messages everything that a wire may do."""

from __future__ import annotations

import random
from collections.abc import Sequence

from amends.errors import WireAway
from amends.storage.wire import Delivery, Parked, Wire


class HostileWire:
    """A wire that loses, doubles, delays and reorders messages, forgets acknowledgements, and is away now and then."""

    def __init__(self, inner: Wire, chance: random.Random, *, copies: int = 2) -> None:
        """Be before a wire.

        Args:
            inner: what carries what is left.
            chance: of what is done.
            copies: so often a message comes at most.
        """
        self._inner = inner
        self._chance = chance
        self._copies = copies
        self._held: list[tuple[str, bytes]] = []

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share

    def _number(self) -> int:
        return self._chance.randint(2, self._copies) if self._happens(0.3) else 1

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send some of the messages now, some once more, some later, and some never."""
        if self._happens(0.05):
            raise WireAway("the broker is away, says chance")
        due = [(channel, message) for message in messages for _ in range(self._number())]
        kept = [each for each in due if not self._happens(0.15)]
        late = [each for each in kept if self._happens(0.2)]
        gone = [each for each in self._held if not self._happens(0.5)]
        self._held = [each for each in self._held if each not in gone] + late
        now = [each for each in kept if each not in late] + gone
        self._chance.shuffle(now)
        for where in dict.fromkeys(where for where, _ in now):
            await self._inner.post(where, [message for at, message in now if at == where])
        if self._happens(0.05):
            raise WireAway("the broker went away after it had taken all, says chance")

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Take as many as chance says, in an order of its own."""
        if self._happens(0.02):
            raise WireAway("the broker is away, says chance")
        taken = [*await self._inner.take(channel, self._chance.randint(1, most))]
        self._chance.shuffle(taken)
        return taken

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge most of them: what is not comes again."""
        await self._inner.acknowledge(channel, [each for each in deliveries if not self._happens(0.1)])

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Park it."""
        await self._inner.park(channel, delivery, reason)

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """Give what was parked."""
        return await self._inner.parked(channel)

    async def drop(self, parked: Parked) -> None:
        """Drop it."""
        await self._inner.drop(parked)

    async def ping(self) -> None:
        """Say that it is there, but for now and then."""
        if self._happens(0.05):
            raise WireAway("the broker is away, says chance")
        await self._inner.ping()

    async def durability(self) -> str:
        """Say what it is."""
        return await self._inner.durability()

    async def close(self) -> None:
        """Close it."""
        await self._inner.close()
