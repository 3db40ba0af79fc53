"""What belongs to a saga that goes back never waits behind new work: not for a turn, and not for a slot."""

from __future__ import annotations

import asyncio

from amends import Call, Done, Kind, Refused, Saga, external
from amends.adapters.memory import MemoryStore
from amends.core.messages import Answered, Cancel, Outcome, TimedOut
from amends.engine.queue import BATCH_MAX, QueuedTask, TaskQueue
from amends.engine.task import Task
from amends.engine.tasks import Deliver, Read
from amends.engine.waking import ReturnUnsent, SendHeldBack
from tests.engine.test_engine import engine, run
from tests.engine.test_slots import Desk, attempt_id

FLOOD = 200
CONCURRENCY = 8


def answer(kind: Kind, outcome: Outcome) -> Deliver:
    """Return a task that hands an answer to a saga."""
    return Deliver("a-1", Answered("CARD_CHARGED", kind, outcome))


def queue_of(*tasks: Task) -> TaskQueue:
    """Return a queue in which these wait."""
    queue = TaskQueue(10_000)
    for task in tasks:
        queue.put(QueuedTask(task, None))
    return queue


def test_a_turn_takes_first_what_belongs_to_sagas_that_go_back() -> None:
    """Each of these in the order in which they came, and then all else in its own order."""
    new = [Read(str), Read(repr)]
    done, undone = answer(Kind.DO, Done()), answer(Kind.UNDO, Done())
    refused, found = answer(Kind.DO, Refused("no")), answer(Kind.PROBE, Done())
    late, verb = Deliver("a-1", TimedOut("CARD_CHARGED", Kind.DO)), Deliver("a-1", Cancel("why"))
    unsent, slot = ReturnUnsent(attempt_id("a-1")), SendHeldBack(attempt_id("a-1", Kind.UNDO))
    action_slot = SendHeldBack(attempt_id("a-1"))
    queue = queue_of(new[0], done, undone, action_slot, refused, new[1], found, late, verb, unsent, slot)
    taken = [queued.task for queued in queue.take_batch()]
    assert taken == [undone, refused, found, late, verb, unsent, slot, new[0], done, action_slot, new[1]]
    assert len(queue) == 0


def test_new_work_waits_where_a_turn_is_full() -> None:
    """And what a turn could not carry out is first in its own lane again."""
    new, undone = [Read(lambda _: None) for _ in range(BATCH_MAX)], answer(Kind.UNDO, Done())
    queue = queue_of(*new, undone)
    batch = queue.take_batch()
    assert (batch[0].task, len(batch), len(queue)) == (undone, BATCH_MAX, 1)
    queue.put_back(batch)
    assert [queued.task for queued in queue.take_all()] == [undone, *new]


def test_actions_leave_some_slots_to_compensations() -> None:
    """One in eight, and one at least where there are two; a participant that takes one call takes it."""
    for limit, share in ((16, 14), (8, 7), (2, 1), (1, 1)):
        desk = Desk(limit)
        desk.send(*(f"s{number}" for number in range(limit + 2)))
        assert len(desk.started) == share
        desk.send(*(f"z{number}" for number in range(limit)), kind=Kind.UNDO)
        assert desk.started[share:] == [f"z{number}" for number in range(limit - share)]


def test_compensations_may_have_every_slot() -> None:
    """Actions come after them, also those that were held."""
    desk = Desk(2)
    desk.send("y", "z", kind=Kind.UNDO)
    desk.send("a", "b")
    desk.places.recall(attempt_id("a"))
    desk.places.hold(attempt_id("a"))
    assert desk.started == ["y", "z"]
    desk.places.give_back(attempt_id("y", Kind.UNDO))
    assert desk.started == ["y", "z", "b"]
    desk.places.give_back(attempt_id("b"))
    assert desk.told[-1] == SendHeldBack(attempt_id("a"))


async def actions_before_the_undo(flood: int) -> int:
    """Return how many calls of a flood of new sagas came to an end before a refused saga's undo was sent."""
    gate, ended, undone = asyncio.Event(), 0, asyncio.Event()

    async def charge(_client: None, number: int, _call: Call) -> Outcome:
        nonlocal ended
        if number:
            await gate.wait()
            ended += 1
        return Done()

    async def refund(_client: None, _number: int, _call: Call) -> Outcome:
        undone.set()
        return Done()

    async def ship(_client: None, _number: int, _call: Call) -> Outcome:
        await floods.wait()
        return Refused("sold out")

    floods = asyncio.Event()
    saga = Saga(
        "charging",
        int,
        [
            external(
                "CARD_CHARGED",
                charge,
                undo=refund,
                undone="CARD_REFUNDED",
                service="CARD",
                timeout_s=3600,
                limit_s=7200,
            ),
            external("SENT", ship, pivot=True, service="CARRIER"),
        ],
    )
    async with engine(MemoryStore(), saga, concurrency={"CARD": CONCURRENCY}) as running:
        refused = await running.submit(saga, 0)
        await running.submit_many(saga, range(1, 1 + flood))
        floods.set()
        await undone.wait()
        before = ended
        gate.set()
        await refused.result()
    return before


def test_an_undo_is_sent_as_early_in_a_flood_of_new_sagas_as_without() -> None:
    """Their calls have every slot that is theirs, and none of them ends before the undo is sent."""

    async def test() -> None:
        assert await actions_before_the_undo(0) == await actions_before_the_undo(FLOOD) == 0

    run(test())
