"""Services that are elsewhere: what an engine asks over a wire, and what it makes of what it hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec
import pytest

import amends
from amends import Cancel, Changed, Command, Done, Later, Refused, Saga, UnusableInput, external, local
from amends.adapters.memory.wire import memory_wire
from amends.core.state import Compensated, Completed
from amends.errors import Overloaded, ParticipantError, WireUnusable
from amends.storage.packed import PackedRequests, pack_answers, packed_answer, unpack_requests
from amends.storage.wire import Wire
from tests.contract.spread import run

NUMBERS: Final = count(1)


class Seats(NamedTuple):
    """What somebody has."""

    row: int
    numbers: list[int]


def hold(free: int, asked: int) -> Changed[int, Seats] | Refused:
    """SEATS_HELD."""
    return Changed(free - asked, Seats(1, [*range(asked)])) if asked <= free else Refused(f"{free} left")


def let_go(free: int, asked: int, call: amends.Call) -> int:
    """SEATS_FREED: by what was held."""
    return free + len(call.answer.numbers)


def charge(card: Any, asked: int, call: amends.Call) -> Done[str] | Refused | Later:
    """CARD_CHARGED."""
    answer: Done[str] | Refused | Later = card(asked, call)
    return answer


TICKETS: Final = Saga(
    "tickets",
    int,
    [
        replace(local("SEATS_HELD", hold, entity=lambda _: "hall", undo=let_go, undone="SEATS_FREED"), timeout_s=0.3),
        external("CARD_CHARGED", charge, pivot=True, timeout_s=0.3, limit_s=0.3, remembers_refusals=True),
    ],
)
SET: Final = Command("SEATS_SET", "SEATS", lambda _, seats: seats)
HOSTS: Final = ("SEATS", "CARD")


def named() -> str:
    """Return the URL of a store, or of a wire, that no other test has."""
    return f"memory:elsewhere-{next(NUMBERS)}"


def paid(asked: int, call: amends.Call) -> Done[str]:
    """Charge."""
    return Done(f"receipt of {call.key}, {call.answers['SEATS_HELD'].row}")


def host(wire: str, card: Any = paid, saga: Saga = TICKETS, **more: Any) -> Any:
    """Return the engine that has the seats, and reaches the card company."""
    return amends.open(named(), sagas=[saga], wire=wire, hosts=HOSTS, clients={"CARD": card}, **more)


def coordinator(wire: str, saga: Saga = TICKETS, **more: Any) -> Any:
    """Return the engine that runs the sagas, and has nothing else."""
    return amends.open(named(), sagas=[saga], wire=wire, elsewhere=HOSTS, **more)


def test_entities_and_clients_may_be_elsewhere() -> None:
    """The answers of both come back as what their functions declare; the saga ends as in one process."""

    async def test() -> None:
        wire = named()
        async with host(wire) as there, coordinator(wire) as engine:
            await there.carry_out(SET, "hall", 5)
            result = await (await engine.submit(TICKETS, 2)).result()
            assert result.answers["SEATS_HELD"] == Seats(1, [0, 1])
            assert result.answers["CARD_CHARGED"] == f"receipt of {result.saga_id}/CARD_CHARGED/do, 1"
            assert await there.entity("SEATS", "hall") == 3
            result = await (await engine.submit(TICKETS, 4)).result()
            assert (result.state, result.reason) == (Compensated(), "3 left")

    run(test())


def test_what_is_refused_elsewhere_is_undone_elsewhere() -> None:
    """The undo gets the answer of its action, as its type."""

    async def test() -> None:
        wire = named()
        async with host(wire, lambda *_: Refused("no money")) as there, coordinator(wire) as engine:
            await there.carry_out(SET, "hall", 5)
            result = await (await engine.submit(TICKETS, 2)).result()
            assert (result.state, result.reason) == (Compensated(), "no money")
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_an_answer_may_come_later() -> None:
    """The participant says so, and a person answers at the coordinator, by the key."""

    async def test() -> None:
        wire, asked = named(), asyncio.Queue[str]()
        loop = asyncio.get_running_loop()

        def later(_: int, call: amends.Call) -> Later:
            loop.call_soon_threadsafe(asked.put_nowait, call.key)
            return Later(60)

        async with host(wire, later) as there, coordinator(wire) as engine:
            await there.carry_out(SET, "hall", 5)
            handle = await engine.submit(TICKETS, 2)
            await engine.answer(await asked.get(), Done("by hand"))
            assert (await handle.result()).answers["CARD_CHARGED"] == "by hand"

    run(test())


def test_a_function_that_raises_elsewhere_is_unknown() -> None:
    """Its limit is over at once: before the pivot nothing was done that an undo could miss."""

    def breaks(free: int, asked: int) -> int:
        raise RuntimeError("no hall")

    async def test() -> None:
        wire = named()
        first = replace(TICKETS.step("SEATS_HELD"), action=breaks, limit_s=0.3)
        saga = Saga("broken", int, [first, TICKETS.step("CARD_CHARGED")])
        async with host(wire, saga=saga) as there, coordinator(wire, saga) as engine:
            await there.carry_out(SET, "hall", 5)
            result = await (await engine.submit(saga, 2)).result()
            assert (result.state, result.reason) == (Compensated(), "RuntimeError: no hall")
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_a_saga_whose_service_is_away_can_be_cancelled() -> None:
    """It is made good once the service is there: an undo leaves a tombstone, and what comes after it is refused."""

    async def test() -> None:
        wire = named()
        async with coordinator(wire) as engine:
            handle = await engine.submit(TICKETS, 2)
            await engine.tell(handle.saga_id, Cancel("no more"))
            async with host(wire) as there:
                await there.carry_out(SET, "hall", 5)
                assert (await handle.result()).state == Compensated()
                assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_too_many_requests_without_an_answer_refuse_the_next_saga() -> None:
    """Better than once it has begun."""

    async def test() -> None:
        async with coordinator(named(), queue_max=3) as engine:
            for _ in range(3):
                await engine.submit(TICKETS, 1)
            with pytest.raises(Overloaded, match="3 requests wait for an answer of SEATS, which is elsewhere"):
                await engine.submit(TICKETS, 1)
            await engine.close(0)

    run(test())


def test_entities_elsewhere_are_not_read_here() -> None:
    """Neither by a command, nor by a transaction, nor by what prepares a request."""

    async def test() -> None:
        prepared = replace(TICKETS, prepare=lambda entities, _, asked: entities["SEATS"]["hall"])
        async with coordinator(named(), prepared) as engine:
            for asked in (
                engine.carry_out(SET, "hall", 5),
                engine.entity("SEATS", "hall"),
                engine.transact(lambda work: work.entities["SEATS"].get("hall")),
                engine.submit(prepared, 2),
            ):
                with pytest.raises(ParticipantError, match="the entities of SEATS are elsewhere"):
                    await asked

    run(test())


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"elsewhere": ["SEATS"]}, "there is none: give wire="),
        ({"wire": "memory:w"}, "no service that is asked or answers over it"),
        ({"wire": "memory:w", "elsewhere": ["SEAT"]}, "elsewhere has 'SEAT', which is no service that a saga asks"),
        ({"wire": "memory:w", "hosts": ["BANK"]}, "hosts has 'BANK', which is no service that a saga asks"),
        ({"wire": "memory:w", "hosts": "SEATS"}, "hosts is 'SEATS'; give a list of services"),
        ({"wire": "memory:w", "hosts": [7]}, "hosts has 7, which is no service"),
        ({"wire": "memory:w", "hosts": ["CARD"], "elsewhere": ["CARD"]}, "'CARD' cannot be elsewhere and be hosted"),
        ({"wire": "memory:w", "elsewhere": ["SEATS"], "commands": [SET]}, "command 'SEATS_SET' is for SEATS, which is"),
        ({"wire": "memory:w", "elsewhere": ["CARD"], "clients": {"CARD": None}}, "'CARD' is no service of an external"),
    ],
)
def test_what_is_wrong_with_where_services_are_is_said(given: Mapping[str, Any], error: str) -> None:
    """In one line, before anything is opened."""
    with pytest.raises(UnusableInput, match=error):
        amends.open("memory:", sagas=[TICKETS], **given)


@pytest.mark.parametrize("wire", ["redis://here", "memory:", 7, "postgresql:/x"])
def test_what_is_no_wire_is_refused(wire: Any) -> None:
    """By its URL."""
    with pytest.raises(WireUnusable, match="names no wire"):
        amends.open("memory:", sagas=[TICKETS], wire=wire, elsewhere=["SEATS"])


# What comes over the wire ------------------------------------------------------------------------------------------


async def heard(wire: Wire, service: str) -> PackedRequests:
    """Take the next message to a service, as a host of another make would."""
    (delivery,) = await wire.take(service, 1)
    await wire.acknowledge(service, [delivery])
    return unpack_requests(delivery.body).message


async def parked(wire: Wire, channel: str) -> list[str]:
    """Wait until a message is parked; give the reasons."""
    while not (found := await wire.parked(channel)):
        await asyncio.sleep(0.005)
    return [each.reason for each in found]


def test_answers_that_make_no_sense_are_parked() -> None:
    """What is good in the same message counts; the saga goes on."""

    async def test() -> None:
        url = named()
        wire = memory_wire(url)()
        async with coordinator(url) as engine:
            handle = await engine.submit(TICKETS, 2)
            message = await heard(wire, "SEATS")
            (request,) = message.requests
            good = packed_answer(request, Done([1, [0, 1]]))
            bad = [
                msgspec.structs.replace(good, step="CARD_CHARGED"),
                msgspec.structs.replace(good, says="later", value=msgspec.Raw(b"-1")),
                msgspec.structs.replace(good, says="refused", value=msgspec.Raw(b"7")),
            ]
            await wire.post(message.reply_to, [b"no JSON", *pack_answers("SEATS", [*bad, good])])
            request = (await heard(wire, "CARD")).requests[0]
            assert json.loads(bytes(request.answers["SEATS_HELD"])) == [1, [0, 1]]
            await wire.post(message.reply_to, pack_answers("CARD", [packed_answer(request, Done("paid"))]))
            assert (await handle.result()).state == Completed()
            first, second = await parked(wire, message.reply_to)
            assert first.startswith("no message of version 1 with answers")
            assert "no step 'CARD_CHARGED' of 'SEATS' is asked over this wire" in second
            assert "later says when, in seconds above 0, and not -1.0" in second
            assert "Expected `str`, got `int`" in second

    run(test())


def test_a_request_that_is_lost_is_asked_again() -> None:
    """As another attempt, under the same key, with a deadline of its own."""

    async def test() -> None:
        url = named()
        wire = memory_wire(url)()
        async with coordinator(url) as engine:
            await engine.submit(TICKETS, 2)
            first, second = (await heard(wire, "SEATS")).requests[0], (await heard(wire, "SEATS")).requests[0]
            assert (first.key, first.attempt, second.attempt) == (second.key, 1, 2)
            assert second.deadline_ms > first.deadline_ms
            await engine.close(0)

    run(test())


def test_a_request_larger_than_a_message_is_said_to_its_saga() -> None:
    """It is never sent, so that nothing is to be undone when its saga turns back."""

    async def test() -> None:
        def seats(_: int, asked: str) -> int:
            return len(asked)

        step = local("SEATS_HELD", seats, entity=lambda _: "hall", undo=seats, undone="SEATS_FREED", limit_s=0.01)
        saga = Saga("large", str, [step, TICKETS.step("CARD_CHARGED")])
        more = {"elsewhere": ["SEATS"], "clients": {"CARD": paid}}
        async with amends.open(named(), sagas=[saga], wire=named(), **more) as engine:  # type: ignore[arg-type]
            result = await (await engine.submit(saga, "x" * 600_000)).result()
            assert result.state == Compensated()
            assert "SEATS_HELD/do makes a message of 600" in result.reason

    run(test())
