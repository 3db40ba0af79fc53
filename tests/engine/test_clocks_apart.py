"""A host whose clock is an hour off: what it is asked counts as late, or does not; entities stay exact."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

import amends
from amends import Backoff, Completed, Saga, local
from amends.engine import spread
from amends.engine.wiring import Wiring
from amends.storage.wire import Wire
from tests.contract.spread import run
from tests.engine.test_elsewhere import SET, named

HOUR_S = 3600
HELD = local("SEATS_HELD", lambda free, asked: free - asked, entity=lambda _: "hall", pivot=True)
SALE = Saga("sale", int, [replace(HELD, timeout_s=0.5, backoff=Backoff(0.01, 0.05), service="SEATS")])


class OtherClock:
    """A clock that is off, as that of a machine may be."""

    def __init__(self) -> None:
        self.by_s = 0
        self.looks = 0

    def time(self) -> float:
        """Return the time there."""
        self.looks += 1
        return time.time() + self.by_s


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
def test_a_saga_goes_on_once_the_clocks_agree(monkeypatch: pytest.MonkeyPatch, by_s: int) -> None:
    """Of a host that is ahead nothing is done until then; one that is behind does it, and once."""
    clock = OtherClock()
    clocks = iter([clock.time, time.time])  # the host is opened first

    def at_its_time(wire: Wire, engine: str, _: Callable[[], float]) -> Wiring:
        return Wiring(wire, engine, next(clocks))

    monkeypatch.setattr(spread, "Wiring", at_its_time)

    async def test() -> None:
        wire = named()
        seats = amends.open(named(), sagas=[SALE], commands=[SET], wire=wire, hosts=["SEATS"])
        office = amends.open(named(), sagas=[SALE], wire=wire, elsewhere=["SEATS"])
        async with seats as there, office as engine:
            await there.carry_out(SET, "hall", 5)
            clock.by_s = by_s
            handle = await engine.submit(SALE, 2)
            if by_s > 0:
                while clock.looks < 6:  # several attempts
                    await asyncio.sleep(0.01)
                assert await there.entity("SEATS", "hall") == 5
                (failing,) = [step for step in (await handle.describe()).steps if step.event == "SEATS_HELD"]
                assert "it came after its time: 3.6e+03 s" in str(failing)
                clock.by_s = 0
            assert isinstance((await handle.result()).state, Completed)
            assert await there.entity("SEATS", "hall") == 3

    run(test())
