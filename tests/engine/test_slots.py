"""Waiting for a place at a participant: it is not the participant's time, and what was not sent is known not to be."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from amends import (
    Backoff,
    Cancel,
    Compensated,
    Completed,
    DefinitionError,
    Done,
    Handle,
    Kind,
    Overloaded,
    Refused,
    Saga,
    Unknown,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.core.effects import Send
from amends.core.messages import Call, Request
from amends.engine.batch import BatchResult
from amends.engine.in_flight import AttemptId, Outgoing, attempt_id_of
from amends.engine.slots import LATE_MAX, Slots
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.waking import ReturnUnsent, SendHeldBack
from tests.engine.test_engine import PATIENCE_S, engine, run
from tests.engine.world import Life, names, nothing, records

HOUR_MS = 3_600_000


def charging(**options: Any) -> Saga:
    """Return a saga of two external steps; the second is the pivot."""
    given: dict[str, Any] = {"timeout_s": 10, "limit_s": 30, "backoff": Backoff(0.001, 0.002)} | options
    pivot = external("MAIL_SENT", nothing, pivot=True, at_least_once=True)
    return Saga(
        "charging", int, [external("CARD_CHARGED", nothing, undo=nothing, undone="CARD_REFUNDED", **given), pivot]
    )


class Slow(Life):
    """A process whose participants have no place at first."""

    def __init__(self, saga: Saga, store: MemoryStore | None = None, **options: Any) -> None:
        super().__init__(MemoryStore() if store is None else store, saga, **options)
        self.has_places = False

    def departs(self, send: Send) -> None:
        """There is a place: it is sent now."""
        self.coordinator.departed[attempt_id_of(send)] = self.now_ms

    def waits(self, turn: BatchResult, after_ms: int = 10_000) -> BatchResult:
        """Let the time of what is to be sent pass: it is withdrawn, and waits for a place."""
        ((_, send),) = turn.sends
        recalled = self.turn(after_ms=after_ms).recalled
        assert recalled == [attempt_id_of(send)]
        held = self.turn(ReturnUnsent(recalled[0]), after_ms=0)
        assert [attempt_id for _, attempt_id in held.held] == recalled
        return held

    def asked(self, saga_id: str = "a-1") -> dict[str, Any]:
        """Return what a saga's row says of the step that it asks."""
        (waiting,) = self.run(saga_id).waiting
        return waiting._asdict()


def test_waiting_for_a_place_is_not_the_participants_time() -> None:
    """However long it takes, the limit counts from the first real sending; and its row says what it waits for."""
    life = Slow(charging())
    held = life.waits(life.begin(1))
    assert life.asked()["unsent"]
    assert life.due_ms == life.store.saga("a-1").due_ms  # type: ignore[union-attr]  # it is there
    attempt_id = held.held[0][1]
    ((_, send),) = life.turn(SendHeldBack(attempt_id), after_ms=50 * 60_000).sends
    assert not life.asked()["unsent"]
    life.departs(send)
    life.answer(send, Unknown("no line"))
    asked = life.asked()
    assert (asked["attempt"], asked["since_ms"]) == (2, life.now_ms - 1)
    assert "CARD_CHARGED/do waits for a place" in records(life.store)[1]
    assert "CARD_CHARGED/do goes out" in records(life.store)[2]


def test_what_is_sent_late_has_its_whole_time() -> None:
    """Its row says when it was to be sent; it counts from when it was, and without a commit of its own."""
    life = Slow(charging())
    ((_, send),) = life.begin(1).sends
    life.now_ms += 9_000
    life.departs(send)
    life.turn(after_ms=1_500)
    assert life.run("a-1").trail == ()
    assert life.asked()["due_ms"] == life.now_ms - 1_500 + 10_000
    assert life.turn(after_ms=1).sends == []
    life.turn(after_ms=9_000)
    assert life.asked()["attempt"] == 2


def test_what_is_sent_in_time_costs_no_commit() -> None:
    """One for the start, and one for the answer."""
    life = Life(MemoryStore(), charging())
    ((_, send),) = life.begin(1).sends
    life.answer(send, Done())
    assert life.store.head().number == 2


@pytest.mark.parametrize("is_held", [False, True])
def test_who_turns_back_before_it_was_sent_has_nothing_to_undo(is_held: bool) -> None:
    """Ready to be sent, or waiting for a place: it certainly did not happen, and no refund is sent."""
    life = Slow(charging())
    turn = life.begin(1)
    attempt_id = attempt_id_of(turn.sends[0][1])
    if is_held:
        life.waits(turn)
    turn = life.turn(Deliver("a-1", Cancel("changed my mind")))
    if not is_held:
        assert turn.recalled == [attempt_id]
        turn = life.turn(ReturnUnsent(attempt_id))
    assert isinstance(turn.ended["a-1"].state, Compensated)
    assert turn.sends == []
    assert turn.dropped == [attempt_id]


def test_what_has_found_a_place_is_not_sent_where_its_saga_turned_back() -> None:
    """In the very turn in which it was to go out: it certainly did not happen, and no refund is sent."""
    life = Slow(charging())
    ((_, attempt_id),) = life.waits(life.begin(1)).held
    turn = life.turn(SendHeldBack(attempt_id), Deliver("a-1", Cancel("changed my mind")))
    assert (turn.sends, turn.recalled) == ([], [attempt_id])
    turn = life.turn(ReturnUnsent(attempt_id))
    assert isinstance(turn.ended["a-1"].state, Compensated)
    assert (turn.sends, turn.dropped) == ([], [attempt_id])


def test_what_is_sent_while_its_saga_turns_back_is_undone() -> None:
    """A slot came free in the middle of the turn: its time is later than the turn's, and it was sent all the same."""
    life = Slow(charging())
    ((_, send),) = life.begin(1).sends
    life.now_ms += 2_000
    life.coordinator.departed[attempt_id_of(send)] = life.now_ms + 20
    turn = life.turn(Deliver("a-1", Cancel("changed my mind")), after_ms=10)
    assert (turn.ended, turn.recalled) == ({}, [])
    life.now_ms += 20
    ((_, undo),) = life.answer(send, Done()).sends
    assert undo.request.kind is Kind.UNDO


def test_who_was_sent_before_is_undone() -> None:
    """Of an attempt before it nobody knows: that this one was not sent says nothing of that one."""
    life = Slow(charging())
    ((_, send),) = life.begin(1).sends
    life.departs(send)
    life.answer(send, Unknown("no line"))
    turn = life.turn(after_ms=100)
    assert names(turn) == ["CARD_CHARGED/do#2"]
    attempt_id = attempt_id_of(turn.sends[0][1])
    life.turn(Deliver("a-1", Cancel()))
    assert names(life.turn(ReturnUnsent(attempt_id))) == ["CARD_CHARGED/undo#1"]


def test_waiting_has_a_limit_of_its_own_and_ends_as_a_refusal() -> None:
    """It was never sent: there is nothing unknown about it, and nothing to undo."""
    life = Slow(charging(start_within_s=60))
    attempt_id = life.waits(life.begin(1)).held[0][1]
    assert life.due_ms == life.asked()["since_ms"] + 60_000
    turn = life.turn(after_ms=60_000)
    run = turn.ended["a-1"]
    assert isinstance(run.state, Compensated)
    assert run.reason == "it was not sent: CARD had no place for it within 60 s"
    assert turn.dropped == [attempt_id]
    assert life.turn(SendHeldBack(attempt_id)).sends == []


def test_what_cannot_be_refused_waits_on() -> None:
    """A compensation, a repeated attempt: both are owed, however long they wait."""
    life = Slow(charging(start_within_s=60))
    ((_, send),) = life.begin(1).sends
    life.departs(send)
    life.answer(send, Unknown("no line"))
    life.waits(life.turn(after_ms=100))
    for _ in range(3):
        life.turn(after_ms=HOUR_MS)
        assert life.asked()["unsent"]
    life.turn(Deliver("a-1", Cancel()))
    turn = life.turn(after_ms=1)
    life = Slow(charging())
    ((_, send),) = life.begin(1).sends
    life.departs(send)
    ((_, mail),) = life.answer(send, Done()).sends
    life.departs(mail)
    turn = life.answer(mail, Refused("no such address"))
    assert names(turn) == ["CARD_CHARGED/undo#1"]
    life.waits(turn)
    for _ in range(3):
        turn = life.turn(after_ms=HOUR_MS)
        assert life.asked()["unsent"]
    assert names(life.turn(SendHeldBack(turn.held[0][1]))) == ["CARD_CHARGED/undo#1"]


def test_a_key_that_may_be_forgotten_is_not_sent_after_its_wait() -> None:
    """R7: a repeated attempt that got its place too late could take effect twice."""
    life = Slow(charging(key_lives_h=1, limit_s=10))
    ((_, send),) = life.begin(1).sends
    life.departs(send)
    life.answer(send, Unknown("no line"))
    attempt_id = life.waits(life.turn(after_ms=100)).held[0][1]
    turn = life.turn(SendHeldBack(attempt_id), after_ms=HOUR_MS + 1)
    assert names(turn) == ["CARD_CHARGED/undo#1"]


def test_a_restart_knows_what_waits_for_a_place() -> None:
    """It was not sent: nothing is unknown, and its limit has not begun. What may have been sent is unknown as ever."""
    store, saga = MemoryStore(), charging(start_within_s=3 * 3600)
    life = Slow(saga, store)
    first = life.begin(1)
    life.waits(first)
    life.begin(2)
    again = Slow(saga, store, prefix="b", now_ms=life.now_ms + HOUR_MS)
    turn = again.turn()
    assert [attempt_id[0] for _, attempt_id in turn.held] == ["a-1"]
    assert again.run("a-1").trail == ()
    assert again.asked("a-2")["kind"] is Kind.UNDO
    ((_, send),) = again.turn(SendHeldBack(turn.held[0][1])).sends
    assert again.asked("a-1")["since_ms"] == again.now_ms
    again.departs(send)
    assert names(again.answer(send, Done())) == ["MAIL_SENT/do#1"]


def test_what_is_withdrawn_or_placed_too_late_changes_nothing() -> None:
    """Nobody waits for it any more, or it stands as it is said to."""
    life = Slow(charging())
    turn = life.begin(1)
    attempt_id = attempt_id_of(turn.sends[0][1])
    blocks = life.store.head().number
    for late in (SendHeldBack(attempt_id), SendHeldBack(("a-7", *attempt_id[1:])), ReturnUnsent((*attempt_id[:3], 7))):
        assert life.turn(late).sends == []
    assert life.store.head().number == blocks


def test_a_millisecond_is_used() -> None:
    """Its time begins when it is sent, also when a commit takes longer than that."""

    async def charge(client: Any, asked: int, call: Call) -> Done:
        return Done(call.attempt)

    async def test() -> None:
        saga = Saga("quick", int, [external("CARD_CHARGED", charge, pivot=True, timeout_s=0.001, limit_s=0.001)])
        async with engine(MemoryStore(), saga) as running:
            assert (await (await running.submit(saga, 1)).result(PATIENCE_S)).answers["CARD_CHARGED"] >= 1

    run(test())


def test_a_backlog_at_a_healthy_participant_turns_nobody_back() -> None:
    """More than it can do within `limit_s`: everybody's turn comes, and nobody is sent a refund."""
    asked, undone = Counter[str](), list[str]()

    async def charge(client: Any, n: int, call: Call) -> Done:
        asked[call.key] += 1
        await asyncio.sleep(0.01)
        return Done(n)

    async def refund(client: Any, n: int, call: Call) -> Done:
        undone.append(call.key)
        return Done()

    asks = external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", timeout_s=0.2, limit_s=0.3)

    async def test() -> None:
        saga = Saga("s", int, [asks])
        async with engine(MemoryStore(), saga, concurrency={"CARD": 2}) as running:
            for handle in await running.submit_many(saga, range(300)):
                assert isinstance(handle, Handle)
                result = await handle.result(PATIENCE_S)
                assert isinstance(result.state, Completed) or f"{handle.saga_id}/CARD_CHARGED/do" in asked
        assert {key.rpartition("/")[0] for key in undone} <= {key.rpartition("/")[0] for key in asked}

    run(test())


def test_a_clean_end_leaves_nothing_unknown_that_was_not_sent() -> None:
    """What waits when the engine is closed is known not to have been sent: it goes on as if it had just been asked."""
    gate, asked = asyncio.Event(), Counter[int]()

    async def charge(client: Any, n: int, call: Call) -> Done:
        asked[n] += 1
        await gate.wait()
        return Done(call.attempt)

    async def test() -> None:
        store = MemoryStore()
        saga = Saga("s", int, [external("CARD_CHARGED", charge, undo=nothing, undone="CARD_REFUNDED", limit_s=10)])
        async with engine(store, saga, concurrency={"CARD": 1}) as first:
            handles = await first.submit_many(saga, range(4))
            while not asked:
                await asyncio.sleep(0.001)
        bodies = [row.body for row in store.database.sagas.values()]
        assert [b'"unsent":true' in body.encode() for body in bodies] == [False, True, True, True]
        gate.set()
        async with engine(store, saga, prefix="b") as second:
            ended = [await second.result(handle.saga_id) for handle in handles if isinstance(handle, Handle)]
        assert [result.answers["CARD_CHARGED"] for result in ended] == [2, 1, 1, 1]

    run(test())


def test_too_many_before_it_is_a_refusal_and_no_compensation() -> None:
    """New work is refused before accepted work is turned back (P16)."""
    gate = asyncio.Event()

    async def charge(client: Any, n: int, call: Call) -> Done:
        await gate.wait()
        return Done()

    async def test() -> None:
        saga = Saga("s", int, [external("CARD_CHARGED", charge, pivot=True)])
        other = Saga("o", int, [local("SEAT_HELD", lambda old, n: n, entity=str, pivot=True)])
        async with engine(MemoryStore(), saga, other, concurrency={"CARD": 1}, queue_max=5) as running:
            handles = await running.submit_many(saga, range(5))
            handles += await running.submit_many(saga, range(1))
            with pytest.raises(Overloaded, match="5 requests wait for a place at CARD"):
                await running.submit(saga, 6)
            with pytest.raises(Overloaded, match="CARD"):
                await running.submit_many(saga, [6])
            await running.submit(other, 1)
            gate.set()
            for handle in handles:
                assert isinstance(handle, Handle)
                await handle.result()
            await (await running.submit(saga, 6)).result()

    run(test())


def test_the_wait_is_checked_with_the_definition() -> None:
    """It is a length of time, and leaves one attempt its own."""
    for wrong in (0, -1, None, "1", 5):
        with pytest.raises(DefinitionError, match="start_within_s"):
            charging(start_within_s=wrong)


# The places themselves ----------------------------------------------------------------------------------------


class Desk:
    """A participant's places, with what was started and told."""

    def __init__(self, limit: int) -> None:
        self.started: list[str] = []
        self.told: list[Task] = []
        self.departed: dict[AttemptId, int] = {}
        self.ms = 7
        self.places = Slots(limit, self, self.departed, self._start, self.told.append)

    def now_ms(self) -> int:
        """Return a time that stands, unless a test moves it."""
        return self.ms

    def _start(self, _attempt_id: AttemptId, asking: Outgoing) -> None:
        self.started.append(asking[1].request.saga_id)

    def send(self, *sagas: str, kind: Kind = Kind.DO) -> None:
        """Send their requests."""
        for saga_id in sagas:
            self.places.send((STEP, request(saga_id, kind)))


STEP = charging().step("CARD_CHARGED")


def request(saga_id: str, kind: Kind = Kind.DO) -> Send:
    """Return a request of a saga."""
    return Send(Request(saga_id, STEP.event, kind, 1, Call(f"{saga_id}/{STEP.event}/do")), 0, 10_000)


def attempt_id(saga_id: str, kind: Kind = Kind.DO) -> AttemptId:
    """Return its first attempt."""
    return attempt_id_of(request(saga_id, kind))


def test_what_is_recalled_gives_its_place_to_the_next() -> None:
    """Also where its saga has only just been told that it goes out."""
    desk = Desk(1)
    desk.send("a")
    for saga_id in ("b", "c"):
        desk.places.hold(attempt_id(saga_id))
    desk.places.give_back(attempt_id("a"))
    assert desk.told == [SendHeldBack(attempt_id("b"))]
    desk.places.recall(attempt_id("b"))
    assert desk.told[1:] == [ReturnUnsent(attempt_id("b"))]
    desk.places.drop(attempt_id("b"))
    desk.places.fill()
    assert desk.told[2:] == [SendHeldBack(attempt_id("c"))]
    assert desk.started == ["a"]


def test_who_comes_first_is_first() -> None:
    """Also who waits as its row says: nobody who comes later is before it."""
    desk = Desk(1)
    desk.send("a", "b", "c")
    assert (desk.started, len(desk.places)) == (["a"], 2)
    desk.places.recall(attempt_id("b"))
    desk.places.recall(attempt_id("a"))  # it was sent
    assert desk.told == [ReturnUnsent(attempt_id("b"))]
    desk.places.drop(attempt_id("c"))
    desk.places.hold(attempt_id("b"))
    assert desk.told[1:] == []  # there is no place
    desk.places.drop(attempt_id("a"))
    desk.places.fill()
    assert desk.told[1:] == [SendHeldBack(attempt_id("b"))]
    desk.places.hold(attempt_id("b"))
    desk.places.fill()
    assert desk.told[2:] == []
    desk.send("b")
    assert desk.started == ["a", "b"]


def test_who_comes_while_others_are_held_is_withdrawn() -> None:
    """And comes after them."""
    desk = Desk(1)
    desk.send("a", "b", "c", "d")
    for saga_id in "bcd":
        desk.places.recall(attempt_id(saga_id))
        desk.places.hold(attempt_id(saga_id))
    desk.send("e")
    assert desk.told[-1] == ReturnUnsent(attempt_id("e"))
    desk.places.hold(attempt_id("e"))
    for saga_id in "bcde":
        desk.places.drop(attempt_id(desk.started[-1]))
        desk.places.fill()
        desk.send(saga_id)
    placed = [task.attempt_id[0] for task in desk.told if isinstance(task, SendHeldBack)]
    assert placed == ["b", "c", "d", "e"]
    assert desk.started == ["a", "b", "c", "d", "e"]


def test_a_compensation_is_before_every_action_and_gets_through() -> None:
    """Also where calls that are over their time, and do not end, have taken every place."""
    desk = Desk(1)
    desk.send("a", "b")
    desk.send("z", kind=Kind.UNDO)
    desk.places.drop(attempt_id("a"))
    desk.places.late = LATE_MAX
    desk.places.fill()
    assert desk.started == ["a", "z"]
    desk.places.late = LATE_MAX + 1
    desk.places.drop(attempt_id("z", Kind.UNDO))
    desk.places.fill()
    assert desk.started == ["a", "z"]
    assert desk.places.is_blocked
    desk.send("y", kind=Kind.UNDO)
    assert desk.started == ["a", "z", "y"]


def test_who_has_no_place_for_now_is_not_asked_again_and_again() -> None:
    """One that waits for a place costs no commit while there is none, however long the calls before it take."""
    desk = Desk(1)
    desk.send("a", "b", "c")
    for saga_id in "bc":
        desk.places.recall(attempt_id(saga_id))
        desk.places.hold(attempt_id(saga_id))
    for _ in range(3):
        desk.places.fill()
    assert desk.told == [ReturnUnsent(attempt_id("b")), ReturnUnsent(attempt_id("c"))]


def test_places_that_are_closed_send_nothing_more() -> None:
    """What was to be sent is withdrawn, and what comes later too."""
    desk = Desk(1)
    desk.send("a", "b")
    desk.places.stop()
    desk.send("c")
    desk.places.hold(attempt_id("b"))
    desk.places.drop(attempt_id("a"))
    desk.places.fill()
    assert desk.started == ["a"]
    assert desk.told == [ReturnUnsent(attempt_id("b")), ReturnUnsent(attempt_id("c"))]
