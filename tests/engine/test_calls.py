"""Calls of participants: each in its lane, with so many places."""

from __future__ import annotations

import asyncio
from typing import Any

from amends import Call, Done, Saga, external
from amends.core.messages import Answered, Kind, Request, Send
from amends.engine.calls import Calls
from amends.engine.flights import flight_of


class Standing:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Return the same all the time."""
        return 0


class Silent:
    """A participant that answers nobody but the last."""

    def __init__(self) -> None:
        self.asked: list[str] = []


async def charge(silent: Silent, _: Any, call: Call) -> Done:
    """Answer the call of saga c alone."""
    silent.asked.append(call.key)
    if not call.key.startswith("c/"):
        await asyncio.Event().wait()
    return Done()


SALE = Saga("sale", int, [external("CARD_CHARGED", charge, pivot=True)])


def asking(saga_id: str) -> Send:
    """Return the request of a saga."""
    return Send(Request(saga_id, "CARD_CHARGED", Kind.DO, 1, Call(f"{saga_id}/CARD_CHARGED/do")), 0, 10_000)


def test_what_waits_for_a_place_and_is_dropped_is_not_sent() -> None:
    """It would keep the place: nobody drops it again, and its participant may never answer."""

    async def heard() -> tuple[list[str], list[str]]:
        silent, answered = Silent(), asyncio.Queue[str]()

        def hear(saga_id: str, said: Answered) -> None:
            answered.put_nowait(saga_id)

        calls = Calls({"CARD": silent}, {"CARD": 1}, Standing(), hear)
        step = SALE.step("CARD_CHARGED")
        first, second, third = (asking(saga_id) for saga_id in "abc")
        calls.send([(step, first), (step, second), (step, third)])
        calls.drop([flight_of(second), flight_of(first)])
        saga_id = await asyncio.wait_for(answered.get(), 5)
        await calls.close()
        return silent.asked, [saga_id]

    asked, answered = asyncio.run(heard())
    assert "b/CARD_CHARGED/do" not in asked
    assert answered == ["c"]
