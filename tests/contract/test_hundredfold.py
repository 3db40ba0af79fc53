"""Every message up to a hundred times, shuffled, among garbage: each order ends, and money and stock are exact (P8)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.core.state import Compensated, Completed
from amends.storage.wire import Wire
from tests.contract.brokers import BROKERS
from tests.contract.spread import SAGAS, SERVICES, SpreadShop, run

ORDERS = 5
COPIES = (1, 1, 2, 10, 100)
ALL_COPIES_MAX = 2_000  # of all messages together: each attempt that is late for them is one more message
GARBAGE = (b"", b"\x00", b"\xff" * 1_000, b"{", b"[" * 50_000, b'{"v": 1}', b"null", b"x" * 500_000)


class HundredfoldWire:
    """A wire that gives messages again and again, in any order, with garbage in between."""

    def __init__(self, inner: Wire, chance: random.Random, left: list[int]) -> None:
        self._inner, self._chance, self._left = inner, chance, left
        for name in ("take", "acknowledge", "park", "parked", "drop", "ping", "durability", "close"):
            setattr(self, name, getattr(inner, name))

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send each message from once to a hundred times, shuffled, and some garbage."""
        many = [*messages]
        if self._left[0] > 0:
            many = many * self._chance.choice(COPIES) + self._chance.choices(GARBAGE, k=self._chance.randrange(3))
            self._chance.shuffle(many)
            self._left[0] -= len(many)
        await self._inner.post(channel, many)


@pytest.mark.parametrize("kind", BROKERS)
def test_what_comes_a_hundred_times_is_done_once(kind: str, tmp_path: Path) -> None:
    """And garbage is parked."""
    chance, left = random.Random(7), [ALL_COPIES_MAX]

    async def test() -> None:
        urls = {name: f"memory:{tmp_path}/{name}" for name in (*SERVICES, "coordinator")}
        with BROKERS[kind]() as broker:
            make = lambda: HundredfoldWire(broker(), chance, left)  # noqa: E731 - it is a line
            async with SpreadShop(make, urls, seed=3) as shop:  # type: ignore[arg-type]
                orders = [await shop.order(f"O{number}", SAGAS[number % 5]) for number in range(ORDERS)]
                states = await shop.ends(orders)
                assert [type(state) for state in states] == [Compensated if n % 5 else Completed for n in range(ORDERS)]
                await shop.expect_exact(shipped=ORDERS // 5)
                looking = broker()
                assert await looking.parked()
                await looking.close()

    run(test())
