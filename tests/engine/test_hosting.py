"""An engine that hosts services: what it does with requests that come twice, late, backwards, or make no sense."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pytest

import amends
from amends import Call, Done, Saga, external, local
from amends.adapters.memory.wire import MemoryBroker, MemoryWire, memory_wire
from amends.core.messages import Kind
from amends.engine import wiring
from amends.engine.wiring import Wiring
from amends.errors import EngineStopped, WireAway, WireUnusable
from amends.storage.codecs.sagas import definition_of
from amends.storage.packed import PackedAnswer, PackedRequest, pack_requests, unpack_answers
from amends.storage.wire import Delivery
from tests.contract.spread import run
from tests.engine.test_elsewhere import HOSTS, SET, TICKETS, host, named, paid, parked

REPLY_TO: Final = ">tester"
DEFINITION: Final = definition_of(TICKETS)


def ask(step: str = "SEATS_HELD", kind: Kind = Kind.DO, saga_id: str = "s1", **more: Any) -> PackedRequest:
    """Return a request for two seats, which has a minute."""
    key = f"{saga_id}/{step}/{kind.value}"
    answers = {"SEATS_HELD": msgspec.Raw(b"[1,[0,1]]")} if step == "CARD_CHARGED" else {}
    values = {"attempt": 1, "deadline_ms": round(1000 * time.time()) + 60_000, "body": msgspec.Raw(b"2")} | more
    return PackedRequest(saga_id, step, kind, key=key, answers=answers, **values)  # type: ignore[arg-type]


class Asker:
    """A coordinator that says what it likes."""

    def __init__(self, url: str) -> None:
        self.wire = memory_wire(url)()

    async def post(self, *requests: PackedRequest, to: str = "SEATS", saga: str = DEFINITION) -> None:
        """Send a message."""
        await self.wire.post(to, pack_requests(REPLY_TO, saga, requests))

    async def hear(self, count: int = 1) -> list[PackedAnswer]:
        """Wait for so many answers."""
        answers: list[PackedAnswer] = []
        while len(answers) < count:
            deliveries = await self.wire.take(REPLY_TO, 100)
            answers += [each for one in deliveries for each in unpack_answers(one.body).message.answers]
        return answers

    async def ask(self, *requests: PackedRequest, to: str = "SEATS", saga: str = DEFINITION) -> list[tuple[str, Any]]:
        """Send a message, and wait for its answers: in each what it says, and the value."""
        await self.post(*requests, to=to, saga=saga)
        return [(each.says, msgspec.json.decode(each.value)) for each in await self.hear(len(requests))]


HELD: Final = ("done", [1, [0, 1]])


def test_what_comes_twice_is_done_once() -> None:
    """In one message, in another one, and after the undo: the first answer is given again."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            assert await asker.ask(ask(), ask()) == [HELD, HELD]
            assert await asker.ask(ask(attempt=2)) == [HELD]
            assert await there.entity("SEATS", "hall") == 3
            undo = ask(kind=Kind.UNDO)
            assert await asker.ask(undo, undo, ask()) == [("done", None), ("done", None), HELD]
            assert await there.entity("SEATS", "hall") == 5
            assert await asker.ask(ask(kind=Kind.UNDO_LATE)) == [("done", None)]
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_an_undo_that_overtakes_its_action_leaves_a_tombstone() -> None:
    """The action is refused when it comes, and stays so."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            assert await asker.ask(ask(kind=Kind.UNDO)) == [("done", None)]
            assert await asker.ask(ask()) == [("refused", "undone before it came")]
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_a_refusal_is_remembered() -> None:
    """Also where it could be done by now."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 1)
            assert await asker.ask(ask()) == [("refused", "1 left")]
            await there.carry_out(SET, "hall", 5)
            assert await asker.ask(ask(attempt=2)) == [("refused", "1 left")]
            assert await asker.ask(ask(kind=Kind.UNDO)) == [("done", None)]
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_a_host_remembers_what_it_answered_over_a_restart(tmp_path: Any) -> None:
    """In the commit that changed the entity."""

    async def test() -> None:
        wire, url = named(), f"sqlite:///{tmp_path}/seats.db"
        asker, clients = Asker(wire), {"CARD": paid}
        for attempt in (1, 2):
            async with amends.open(url, sagas=[TICKETS], wire=wire, hosts=HOSTS, clients=clients) as there:
                if attempt == 1:
                    await there.carry_out(SET, "hall", 5)
                assert await asker.ask(ask(attempt=attempt)) == [HELD]
                assert await there.entity("SEATS", "hall") == 3

    run(test())


def test_a_request_that_is_late_is_not_acted_on() -> None:
    """That is no word of another copy of it: what was done before is still told."""

    async def test() -> None:
        wire, calls = named(), list[Call]()
        asker = Asker(wire)

        def card(_: int, call: Call) -> Done[str]:
            calls.append(call)
            return Done("paid")

        async with host(wire, card) as there:
            await there.carry_out(SET, "hall", 5)
            late = ask(deadline_ms=1000)
            ((says, why),) = await asker.ask(late)
            assert (says, why[:24]) == ("unknown", "it came after its time: ")
            assert await there.entity("SEATS", "hall") == 5
            assert await asker.ask(ask()) == [HELD]
            assert await asker.ask(late) == [HELD]
            ((says, why),) = await asker.ask(ask("CARD_CHARGED", deadline_ms=1000), to="CARD")
            assert (says, why[:24], calls) == ("unknown", "it came after its time: ", [])

    run(test())


def test_a_call_is_told_its_deadline_and_not_made_twice_at_once() -> None:
    """The second copy finds the first one under way."""

    async def test() -> None:
        wire, calls, gate = named(), list[Call](), asyncio.Event()

        async def charge(_: Any, __: int, call: Call) -> Done[str]:
            calls.append(call)
            await gate.wait()
            return Done("paid")

        step = external("CARD_CHARGED", charge, pivot=True)
        saga = Saga("charges", int, [step])
        until_s = round(time.time()) + 5  # sooner than the step's own time is over
        asker, request = Asker(wire), ask("CARD_CHARGED", deadline_ms=1000 * until_s)
        async with amends.open(named(), sagas=[saga], wire=wire, hosts=["CARD"]):
            for _ in range(2):
                await asker.post(request, to="CARD", saga=definition_of(saga))
            while not calls:
                await asyncio.sleep(0.005)
            gate.set()
            assert [msgspec.json.decode(each.value) for each in await asker.hear()] == ["paid"]
            assert len(calls) == 1
            assert (calls[0].key, calls[0].attempt) == ("s1/CARD_CHARGED/do", 1)
            assert calls[0].deadline == pytest.approx(until_s, abs=0.1)

    run(test())


POISON: Final = [
    (ask(), "no/1/0", "the definition no/1/0 is not known here"),
    (ask("SEATS_SOLD"), DEFINITION, "has no step 'SEATS_SOLD'"),
    (ask("CARD_CHARGED"), DEFINITION, "is CARD's, and this is a host of SEATS"),
    (ask(kind=Kind.PROBE), DEFINITION, "has no probe"),
    (ask(saga_id="a/b"), DEFINITION, "'a/b' is no id of a saga"),
    (ask(saga_id=""), DEFINITION, "'' is no id of a saga"),
    (ask(body=msgspec.Raw(b'"two"')), DEFINITION, "cannot be read: Expected `int`, got `str`"),
]


@pytest.mark.parametrize(("request_", "saga", "reason"), POISON, ids=range(len(POISON)))
def test_what_cannot_be_acted_on_is_parked_and_said(request_: PackedRequest, saga: str, reason: str) -> None:
    """To its saga, as unknown; what comes behind it is answered."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            ((says, why),) = await asker.ask(request_, saga=saga)
            assert says == "unknown"
            assert reason in why
            (kept,) = await parked(asker.wire, "SEATS")
            assert reason in kept
            assert await asker.ask(ask(saga_id="s2")) == [HELD]

    run(test())


def test_what_is_good_beside_poison_is_answered() -> None:
    """In one message; what is no message at all is parked alone."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            (message,) = pack_requests(REPLY_TO, DEFINITION, [ask(), ask("SEATS_SOLD"), ask(saga_id="s2")])
            await asker.wire.post("SEATS", [b"no JSON", message.replace(b'"attempt":1', b'"attempt":"1"', 1)])
            said = {(each.saga_id, each.step, each.says) for each in await asker.hear(2)}
            assert said == {("s1", "SEATS_SOLD", "unknown"), ("s2", "SEATS_HELD", "done")}
            while len(reasons := await parked(asker.wire, "SEATS")) < 2:
                await asyncio.sleep(0.005)
            assert "no message of version 1 with requests" in reasons[0]
            assert "requests[0]: Expected `int`, got `str` - at `$.attempt`" in reasons[1]

    run(test())


def test_one_request_that_raises_takes_nothing_from_the_others() -> None:
    """Of a batch it alone has changed nothing."""

    def hold(free: int | None, asked: int) -> int:
        if asked == 13:
            raise RuntimeError("unlucky")
        return (free or 0) + (float("inf") if asked == 17 else asked)  # type: ignore[return-value]  # on purpose

    async def test() -> None:
        wire = named()
        step = local("SEATS_HELD", hold, entity=lambda _: "hall", undo=hold, undone="SEATS_FREED")
        saga = Saga("unlucky", int, [step])
        asker = Asker(wire)
        async with amends.open(named(), sagas=[saga], wire=wire, hosts=["SEATS"]) as there:
            asked = [ask(saga_id=f"s{number}", body=msgspec.Raw(str(number).encode())) for number in (1, 13, 17, 2)]
            one, unlucky, endless, two = await asker.ask(*asked, saga=definition_of(saga))
            assert (one, unlucky, two) == (("done", None), ("unknown", "RuntimeError: unlucky"), ("done", None))
            assert endless[0] == "unknown"
            assert "cannot be stored" in endless[1]
            assert await there.entity("SEATS", "hall") == 3

    run(test())


@pytest.mark.parametrize("reply_to", ["a/b", "SEATS", ""])
def test_answers_go_to_channels_for_answers_alone(reply_to: str) -> None:
    """A message that wants them elsewhere is parked, and nothing of it is done."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            await asker.wire.post("SEATS", pack_requests(reply_to, DEFINITION, [ask()]))
            (reason,) = await parked(asker.wire, "SEATS")
            assert "channel" in reason
            assert await there.entity("SEATS", "hall") == 5

    run(test())


def test_an_engine_that_stopped_takes_nothing_from_others() -> None:
    """Its storage failed, and it is not closed yet: what comes now is there for the next host."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        opening = host(wire)
        there = await opening.__aenter__()
        there._loop._refuse(EngineStopped("the storage failed, says the test"))
        await asyncio.sleep(0)
        await asker.post(ask())
        async with host(wire):
            assert [each.says for each in await asker.hear()] == ["unknown"]  # it has no hall
        await there.close(0)

    run(test())


class AwayWire(MemoryWire):
    """A wire whose broker is away for the first asks, of every kind."""

    left = 3

    def _is_away(self) -> None:
        if self.left:
            self.left -= 1
            raise WireAway("no broker")

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Be away, or send."""
        self._is_away()
        await super().post(channel, messages)

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Be away, or take."""
        if self.left == 3:
            self._is_away()
        return await super().take(channel, most)


def test_a_wire_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and once that it is there again; an answer that could not be posted is not acknowledged."""

    async def test() -> None:
        wire = named()
        asker, broker = Asker(wire), memory_wire(wire)()._broker
        make = lambda: AwayWire(broker)  # noqa: E731 - it is a line
        async with amends.open(named(), sagas=[TICKETS], wire=make, hosts=["SEATS"], clients={"CARD": paid}) as there:
            await there.carry_out(SET, "hall", 5)
            await asker.post(ask())
            while await there.entity("SEATS", "hall") == 5:
                await asyncio.sleep(0.005)
        async with host(wire):  # what was not acknowledged comes to it
            assert [each.says for each in await asker.hear()] == ["unknown"]  # it has no hall

    run(test())
    said = [record.message for record in caplog.records if "the wire is" in record.message]
    assert said[0] == "the wire is away, and what goes over it waits or is asked again: WireAway: no broker"
    assert said[1] == "the wire is there again"


def test_a_host_that_closes_answers_what_it_took() -> None:
    """The calls under way, too, as long as `drain_s`; what it did not take is there for the next one."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        opening = host(wire, drain_s=30)
        there = await opening.__aenter__()
        await there.carry_out(SET, "hall", 500)
        await asker.post(*[ask(saga_id=f"s{number}") for number in range(50)])
        while await there.entity("SEATS", "hall") == 500:
            await asyncio.sleep(0.001)
        await there.close()
        assert {each.says for each in await asker.hear(50)} == {"done"}
        await asker.post(ask(saga_id="next"))
        async with host(wire) as later:
            await later.carry_out(SET, "hall", 5)
            assert len(await asker.hear()) == 1

    run(test())


HUGE: Final = [b"1" + b"0" * 400, b"-1" + b"0" * 400, b"1" + b"0" * 5_000, b"1e400", b"1.5", b"NaN"]
"""Numbers beyond what is computed with, or none."""


@pytest.mark.parametrize("number", HUGE)
def test_a_number_that_is_none_takes_no_other_message_with_it(number: bytes) -> None:
    """It is parked, and what came beside it is answered."""

    async def test() -> None:
        wire = named()
        asker, request = Asker(wire), ask()
        (good,) = pack_requests(REPLY_TO, DEFINITION, [request])
        poison = good.replace(str(request.deadline_ms).encode(), number)
        assert poison != good
        await asker.wire.post("SEATS", [poison, good])
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            answers = [each.says for each in await asker.hear()]
            assert "done" in answers or [each.says for each in await asker.hear()] == ["done"]
            assert len(await parked(asker.wire, "SEATS")) == 1

    run(test())


def test_a_message_by_which_reading_itself_fails_is_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that fails: it would come again for ever."""

    async def test() -> None:
        wire = named()
        asker = Asker(wire)
        async with host(wire) as there:
            await there.carry_out(SET, "hall", 5)
            with monkeypatch.context() as broken:
                broken.setattr("amends.engine.hosting.unpack_requests", lambda _: 1 / 0)
                await asker.post(ask())
                assert await parked(asker.wire, "SEATS") == ["it cannot be read: ZeroDivisionError: division by zero"]
            assert await asker.ask(ask()) == [HELD]

    run(test())


class NoParkingWire(MemoryWire):
    """A wire on which nothing can be parked.

    Attributes:
        tried: how often it was to be.
    """

    tried = 0

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Say that it cannot."""
        type(self).tried += 1
        raise WireAway("the broker hangs, says the test")


def test_a_broker_that_hangs_is_not_waited_for_once_for_each_message() -> None:
    """Each wait has its time, and a host that is to end would wait for all of them."""

    async def test() -> None:
        broker = MemoryBroker()
        asker = Asker(named())
        asker.wire = MemoryWire(broker)
        await asker.wire.post("SEATS", [b"no JSON"] * 20)
        async with amends.open(
            named(), sagas=[TICKETS], wire=lambda: NoParkingWire(broker), hosts=HOSTS, clients={"CARD": paid}
        ) as there:
            await there.carry_out(SET, "hall", 5)
            assert await asker.ask(ask()) == [HELD]
        assert NoParkingWire.tried == 1

    run(test())


class HeldWire(MemoryWire):
    """A wire whose broker takes its time with each post."""

    begun = False

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send, after many other things have happened."""
        self.begun = True
        await asyncio.sleep(0.2)
        await super().post(channel, messages)


def test_a_host_that_closes_posts_what_calls_came_to() -> None:
    """Their message is acknowledged when they begin: it would not come again before the step's time is over."""

    async def test() -> None:
        wire = named()
        asker, held = Asker(wire), HeldWire(memory_wire(wire)()._broker)
        make = lambda: held  # noqa: E731 - it is a line
        async with amends.open(named(), sagas=[TICKETS], wire=make, hosts=["CARD"], clients={"CARD": paid}):
            await asker.post(ask("CARD_CHARGED"), to="CARD")
            while not held.begun:
                await asyncio.sleep(0.005)
        assert [each.says for each in await asker.hear()] == ["done"]

    run(test())


def test_what_hears_begins_anew_after_an_error_that_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a host would be deaf until somebody starts it again, and look well."""
    monkeypatch.setattr(wiring, "BEGINS_ANEW_S", 0)

    async def test() -> None:
        tries, heard = list[int](), asyncio.Event()

        async def hear() -> None:
            tries.append(1)
            if len(tries) < 3:
                raise RuntimeError("nobody foresaw this")
            heard.set()
            await asyncio.Event().wait()

        end = Wiring(memory_wire(named())(), "one")
        end.keep_on(hear)
        await heard.wait()
        await end.close()
        assert len(tries) == 3

    run(test())


def test_a_wire_that_cannot_be_used_any_more_is_not_said_to_be_away(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody brings it back but a person."""

    async def test() -> None:
        end = Wiring(memory_wire(named())(), "one")
        end._say(WireAway("no broker"))
        assert end.trouble == "the wire is away: WireAway: no broker"
        for _ in range(2):
            end._say(WireUnusable("this role may not post: grant it"))
        assert end.trouble == "the wire cannot be used: WireUnusable: this role may not post: grant it"
        end._say(None)
        assert end.trouble == ""
        await end.close()

    run(test())
    assert [record.message[:48] for record in caplog.records] == [
        "the wire is away, and what goes over it waits or",
        "the wire cannot be used until somebody mends it;",
        "the wire is there again",
    ]
