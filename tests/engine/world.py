"""What the tests of the engine share: small sagas, a store to look into, and turns without a loop around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

from amends import Done, Refused, Saga, external, local
from amends.core.audit import GENESIS
from amends.core.effects import Send
from amends.core.messages import Answered, Outcome
from amends.core.step import SagaInstance
from amends.engine.batch import BatchResult
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import Outgoing, attempt_id_of
from amends.engine.task import Task, Unfinished
from amends.engine.tasks import Deliver, StartSagas
from amends.engine.turn_io import drive
from amends.errors import StoreFull
from amends.storage.blocks import Contents, head_after
from amends.storage.ports import Store
from amends.storage.records import Record
from amends.storage.words import cause_in_words, changes_in_words

START_MS = 1_700_000_000_000


class Buy(NamedTuple):
    """A request."""

    show: str
    seats: int


def hold(free: int | None, buy: Buy) -> int | Refused:
    """SEATS_HELD: of 10 seats at first."""
    left = 10 if free is None else free
    return left - buy.seats if buy.seats <= left else Refused(f"{left} seats left")


def let_go(free: int, buy: Buy) -> int:
    """SEATS_FREED."""
    return free + buy.seats


async def nothing(client: Any, buy: Any, call: Any) -> Done:
    """Do nothing, and say that it is done."""
    return Done()


def tickets(**options: Any) -> Saga:
    """Return a saga of a local step, an external one with an undo, and a local pivot."""
    steps = [
        local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
        external("CARD_CHARGED", nothing, undo=nothing, undone="CARD_REFUNDED", timeout_s=10, limit_s=60, **options),
        local("TICKET_ISSUED", lambda _, buy: buy.seats, entity=lambda buy: f"t-{buy.show}", pivot=True),
    ]
    return Saga("tickets", Buy, steps)


class Life:
    """A process: a coordinator on a store, and its clock.

    Attributes:
        has_places: whether what is to be sent is sent at once.
    """

    def __init__(self, store: Store, *sagas: Saga, prefix: str = "a", now_ms: int = START_MS, **more: Any) -> None:
        self.store = store
        self.now_ms = now_ms
        self.coordinator = Coordinator(store, sagas, now_ms=now_ms, prefix=prefix, **{"salts": bytes, **more})
        self.saga = sagas[0]
        self.due_ms: int | None = None
        self.turns_more = 0
        self.has_places = True

    def turn(self, *tasks: Task, after_ms: int = 1) -> BatchResult:
        """Take a turn, some time later, and those that follow while something is left of it; give all as one."""
        self.now_ms += after_ms
        turn = drive(self.coordinator.turn(tasks, self.now_ms), self.store)
        while left := [reply.task for reply in turn.replies if isinstance(reply, Unfinished)]:
            self.turns_more += 1
            try:
                more = drive(self.coordinator.turn(left, self.now_ms), self.store)
            except StoreFull as full:
                more = BatchResult(turn.due_ms, [task.stopped(full) for task in left])
            turn = joined(turn, more)
        self.due_ms = turn.due_ms
        if self.has_places:
            self.coordinator.departed.update((attempt_id_of(send), self.now_ms) for _, send in turn.sends)
        return turn

    def begin(self, *asked: Any, keys: Sequence[str] = ()) -> BatchResult:
        """Start sagas of the first definition."""
        return self.turn(StartSagas(self.coordinator.definitions.codec_of(self.saga), asked, keys))

    def answer(self, asking: Outgoing | Send, outcome: Outcome) -> BatchResult:
        """Answer a request."""
        send = asking if isinstance(asking, Send) else asking[1]
        request = send.request
        return self.turn(Deliver(request.saga_id, Answered(request.step, request.kind, outcome, request.call.attempt)))

    def run(self, saga_id: str) -> SagaInstance:
        """Return a saga as its row says it."""
        row = self.store.saga(saga_id)
        assert row is not None
        return self.coordinator.definitions.codec_of(self.saga).run_of(row)  # type: ignore[arg-type]  # no row is damaged here


def joined(turn: BatchResult, more: BatchResult) -> BatchResult:
    """Return two turns as one, of which the second carried out what the first had left."""
    done = [reply for reply in turn.replies if not isinstance(reply, Unfinished)]
    mappings: dict[str, Any] = {name: {**getattr(turn, name), **getattr(more, name)} for name in ("ended", "immovable")}
    numbers = {name: getattr(turn, name) + getattr(more, name) for name in ("letters", "posts", "commits")}
    lists = set(BatchResult._fields) - {"due_ms", "replies", *numbers, *mappings}
    rest: dict[str, Any] = {name: [*getattr(turn, name), *getattr(more, name)] for name in lists}
    return more._replace(replies=[*done, *more.replies], **numbers, **mappings, **rest)


def names(turn: BatchResult) -> list[str]:
    """Return what a turn sends, as ``STEP/kind#attempt``."""
    requests = [send.request for _, send in turn.sends]
    return [f"{request.step}/{request.kind.value}#{request.call.attempt}" for request in requests]


def in_words(record: Record | None) -> str:
    """Return a record as a person reads it."""
    assert record is not None
    return f"{record.subject} {record.number} {cause_in_words(record)}: {', '.join(changes_in_words(record))}"


def records(store: Store) -> list[str]:
    """Return the audit in words, a line for each record but those of rows, and check its chain."""
    head, lines, numbers = GENESIS, list[str](), count(1)
    for block in store.blocks():
        assert (block.number, block.before) == (next(numbers), head)
        head = head_after(head, block.records)
        assert head == block.head
        lines += [in_words(record) for record in Contents(block).records() if record is None or record.subject]
    return lines
