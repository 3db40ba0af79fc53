"""Functions of the world outside, hosted behind a wire that keeps no promise: groups, probes, cancels."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest

import amends
from amends import Backoff, Call, Cancel, Command, Done, Refused, RequestRefused, Saga, external, local, parallel
from amends.adapters.memory.wire import MemoryBroker, MemoryWire
from amends.core.state import Compensated, Completed
from amends.storage.wire import ANSWERS_TO, Wire
from tests.contract.brokers import BROKERS, Broker
from tests.contract.hostile import HostileWire
from tests.contract.spread import run

SEATS: Final = 1000


class Bank:
    """A card company that honours keys, and fails before and after it has done something.

    Attributes:
        charged: the keys that it took money under, and did not give it back.
    """

    def __init__(self, chance: random.Random) -> None:
        self.charged: set[str] = set()
        self._chance = chance

    def _fails(self) -> None:
        if self._chance.random() < 0.2:
            raise ConnectionError("the line is bad, says chance")

    def charge(self, key: str) -> str:
        """Take money, once for each key."""
        self._fails()
        self.charged.add(key)
        self._fails()
        return key

    def refund(self, receipt: str) -> None:
        """Give it back."""
        self._fails()
        self.charged.discard(receipt)
        self._fails()


def hold(free: int, _: int) -> int:
    """SEATS_HELD."""
    return free - 1


def let_go(free: int, _: int) -> int:
    """SEATS_FREED."""
    return free + 1


async def charge(bank: Bank, _: int, call: Call) -> Done[str]:
    """CARD_CHARGED."""
    return Done(bank.charge(call.key))


def refund(bank: Bank, _: int, call: Call) -> None:
    """CARD_REFUNDED."""
    bank.refund(call.answer)


def find_charge(bank: Bank, _: int, call: Call) -> Done[str] | Refused:
    """Look whether the card was charged."""
    return Done(call.key) if call.key in bank.charged else Refused("no such charge")


def issue(_: object, asked: int, call: Call) -> Done[None] | Refused:
    """TICKET_ISSUED: every third is refused, whoever is asked, however often."""
    assert call.answers["CARD_CHARGED"] == f"{call.key.partition('/')[0]}/CARD_CHARGED/do"
    return Done() if asked % 3 else Refused("no paper")


QUICK: Final[dict[str, Any]] = {"timeout_s": 0.2, "backoff": Backoff(0.01, 0.1)}
TICKETS: Final = Saga(
    "tickets",
    int,
    [
        parallel(
            replace(local("SEATS_HELD", hold, entity=lambda _: "hall", undo=let_go, undone="SEATS_FREED"), **QUICK),
            external(
                "CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED",
                probe=find_charge, settles_within_s=0.2, **QUICK,
            ),
        ),
        external("TICKET_ISSUED", issue, pivot=True, remembers_refusals=True, **QUICK),
    ],
)  # fmt: skip
BUILT: Final = Command("SEATS_BUILT", "SEATS", lambda _, seats: seats)


@pytest.fixture(params=BROKERS)
def make(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Return what makes ends of one wire, of each kind."""
    with BROKERS[request.param]() as make:
        yield make


def test_money_and_seats_are_exact(make: Broker) -> None:
    """Also where some sagas are cancelled: each has a seat and its money, or neither."""

    async def test() -> None:
        chance = random.Random(1)
        bank = Bank(chance)

        def wire() -> Wire:
            return HostileWire(make(), chance)

        parts: dict[str, Any] = {"sagas": [TICKETS], "wire": wire, "drain_s": 0}
        others: dict[str, Any] = {
            "elsewhere": ["SEATS"],
            "hosts": ["CARD", "TICKET"],
            "clients": {"CARD": bank, "TICKET": None},
        }
        async with (
            amends.open("memory:", **parts, hosts=["SEATS"], elsewhere=["CARD", "TICKET"]) as seats,
            amends.open("memory:", **parts, **others),
            amends.open("memory:", **parts, elsewhere=["SEATS", "CARD", "TICKET"]) as engine,
        ):
            await seats.carry_out(BUILT, "hall", SEATS)
            handles = [await engine.submit(TICKETS, number) for number in range(30)]
            for handle in handles[::5]:
                with suppress(RequestRefused):  # it is too late, or the saga goes back already
                    await engine.tell(handle.saga_id, Cancel("no more"))
            ends = {handle.saga_id: (await handle.result()).state for handle in handles}
            assert {*map(type, ends.values())} <= {Completed, Compensated}
            sold = {saga_id for saga_id, state in ends.items() if isinstance(state, Completed)}
            assert bank.charged == {f"{saga_id}/CARD_CHARGED/do" for saga_id in sold}
            assert await seats.entity("SEATS", "hall") == SEATS - len(sold)
            assert not [handle.saga_id for handle in handles[::3] if handle.saga_id in sold]
            assert len(sold) > 10

    run(test())


class ForgetfulBank(Bank):
    """A card company that declines a charge, and takes the same one when it is asked again.

    Attributes:
        asked: how often it was asked to charge.
    """

    def __init__(self) -> None:
        super().__init__(random.Random(0))
        self.asked = 0

    def _fails(self) -> None:
        pass

    def charge(self, key: str) -> Any:
        """Decline the first time."""
        self.asked += 1
        return super().charge(key) if self.asked > 1 else None


class RepeatingWire(MemoryWire):
    """A wire on which each request comes once more, when it is answered."""

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Keep requests, and send them again before their answers."""
        if channel.startswith(ANSWERS_TO):
            for service, kept in KEPT:
                await super().post(service, kept)
            KEPT.clear()
        else:
            KEPT.append((channel, messages))
        await super().post(channel, messages)


KEPT: Final[list[tuple[str, Sequence[bytes]]]] = []


def decline_first(bank: ForgetfulBank, _: int, call: Call) -> Done[str] | Refused:
    """CARD_CHARGED, by a company that does not remember what it declined."""
    receipt = bank.charge(call.key)
    return Done(receipt) if receipt else Refused("declined")


def test_a_refusal_that_nobody_remembers_proves_nothing() -> None:
    """The request came twice; the first was refused, and the second done: it is found, and given back."""
    charge = external(
        "CARD_CHARGED", decline_first, undo=refund, undone="CARD_REFUNDED",
        probe=find_charge, settles_within_s=0.5, timeout_s=0.2, backoff=Backoff(0.01, 0.1),
    )  # fmt: skip
    sold = local("SOLD", lambda sold, _: (sold or 0) + 1, entity=lambda _: "all", pivot=True)
    forgotten = Saga("forgotten", int, [charge, sold])
    KEPT.clear()

    async def test() -> None:
        bank, broker = ForgetfulBank(), MemoryBroker()
        parts: dict[str, Any] = {"sagas": [forgotten], "wire": lambda: RepeatingWire(broker), "drain_s": 0}
        async with (
            amends.open("memory:", **parts, hosts=["CARD"], elsewhere=["SOLD"], clients={"CARD": bank}),
            amends.open("memory:", **parts, elsewhere=["CARD"]) as engine,
        ):
            result = await (await engine.submit(forgotten, 1)).result()
            while bank.asked < 2:
                await asyncio.sleep(0.01)
            assert isinstance(result.state, Compensated)
            assert result.reason == "declined"
            assert not bank.charged

    run(test())
