"""A turn yields what its store is to do: what it reads, in which order, and what it commits, also beside others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import pytest

from amends import Command, Done, Saga, local
from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.ownership import MemoryOwnership
from amends.core.messages import Answered, Kind
from amends.core.step import SagaInstance
from amends.engine import batch
from amends.engine.batch import BatchResult
from amends.engine.batch_width import WIDENS_BY
from amends.engine.task import Task, Unfinished
from amends.engine.tasks import Deliver, ExecuteCommand, Read, StartSagas, Transact
from amends.engine.turn_io import CommitChanges, ReadDue, ReadEntities, ReadHead, ReadSagasAndKeys, Turn, TurnIO, drive
from amends.errors import LockTimeout, StoreConflict, StoreFailed
from amends.storage.rows import Changes, EntityRow
from amends.storage.shards import SHARDS, shard_of
from tests.engine.world import START_MS, Buy, Life, tickets

HAMLET, LEAR = ("SEATS", "Hamlet"), ("SEATS", "Lear")
TICKET = ("TICKET", "t-Hamlet")


class Driven(NamedTuple):
    """A turn that was taken, and what it had its store do."""

    result: BatchResult
    wanted: list[TurnIO]

    def kinds(self) -> list[str]:
        """Return the names of what it yielded."""
        return [type(wanted).__name__ for wanted in self.wanted]

    def read(self) -> list[Sequence[tuple[str, str]]]:
        """Return the entities that it read, a list for each time."""
        return [wanted.names for wanted in self.wanted if isinstance(wanted, ReadEntities)]


def driven(life: Life, *tasks: Task, before: Callable[[TurnIO], object] = lambda _: None) -> Driven:
    """Take a turn, and note what it yields."""
    wanted = list[TurnIO]()

    def noted() -> Turn[BatchResult]:
        turn = life.coordinator.turn(tasks, life.now_ms)
        given: Any = None
        try:
            while True:
                wanted.append(turn.send(given))
                before(wanted[-1])
                try:
                    given = yield wanted[-1]
                except Exception as error:  # noqa: BLE001 - the turn is to see it
                    wanted.append(turn.throw(error))
                    given = yield wanted[-1]
        except StopIteration as end:
            result: BatchResult = end.value
            return result

    life.now_ms += 1
    return Driven(drive(noted(), life.store), wanted)


def starting(life: Life, *requests: Any, keys: Sequence[str] = ()) -> StartSagas:
    """Return what starts sagas of a life's first definition."""
    return StartSagas(life.coordinator.definitions.codec_of(life.saga), requests, keys)


# One owner ------------------------------------------------------------------------------------------------------------


def test_a_start_reads_its_entities_and_commits() -> None:
    """What its request names is read at once, sorted, and before anything is decided; then nothing that is at hand."""
    life = Life(MemoryStore(), tickets())
    first = driven(life, starting(life, Buy("Hamlet", 2)))
    assert first.kinds() == ["ReadDue", "ReadDue", "ReadEntities", "CommitChanges", "ReadDue"]
    assert first.read() == [[HAMLET, TICKET]]
    again = driven(life, starting(life, Buy("Hamlet", 2)))
    assert again.kinds() == ["CommitChanges"]
    keyed = driven(life, starting(life, Buy("Hamlet", 2), keys=["K1"]))
    assert keyed.wanted[0] == ReadSagasAndKeys([], ["K1"])
    assert keyed.kinds() == ["ReadSagasAndKeys", "CommitChanges"]


def test_what_a_batch_names_is_at_hand_when_it_is_decided() -> None:
    """So it is decided once: by starts and commands their entities, by a saga those of its request."""
    store = MemoryStore()
    life = Life(store, tickets())
    driven(life, starting(life, Buy("Hamlet", 2)))
    calls = list[int]()
    tasks = (
        Transact(lambda _: calls.append(1)),
        starting(life, Buy("Lear", 2)),
        ExecuteCommand(Command("OPENED", "HALL", lambda _, size: size), "Globe", 7),
        Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done(), 1)),
    )
    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms)
    turn = driven(other, *tasks)
    assert turn.read() == [[("HALL", "Globe"), HAMLET, LEAR, TICKET, ("TICKET", "t-Lear")]]
    assert calls == [1]


def test_an_answer_reads_its_saga_unless_it_is_at_hand() -> None:
    """A process knows the sagas that it has started; one after it reads them, then the entities of their requests."""
    store = MemoryStore()
    life = Life(store, tickets())
    driven(life, starting(life, Buy("Hamlet", 2)))
    assert driven(life, Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done(), 1))).kinds() == ["CommitChanges"]
    driven(life, starting(life, Buy("Hamlet", 3)))
    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms + 1)
    other.coordinator._due._left_off = None
    answered = driven(other, Deliver("a-2", Answered("CARD_CHARGED", Kind.DO, Done(), 1)))
    assert ReadSagasAndKeys(["a-2"], []) in answered.wanted
    assert answered.read() == [[HAMLET, TICKET]]
    assert answered.kinds()[-2:] == ["CommitChanges", "ReadDue"]
    assert list(answered.result.ended) == ["a-2"]


def test_a_wake_reads_what_is_due_then_its_sagas() -> None:
    """A restart looks at each of them once, all of a page together."""
    store = MemoryStore()
    life = Life(store, tickets())
    driven(life, starting(life, Buy("Lear", 2), Buy("Hamlet", 2)))
    other = Life(store, tickets(), prefix="b", now_ms=START_MS + 3_600_000)
    woken = driven(other)
    assert woken.kinds()[:3] == ["ReadDue", "ReadSagasAndKeys", "ReadEntities"]
    assert woken.wanted[1] == ReadSagasAndKeys(["a-1", "a-2"], [])
    assert woken.kinds().count("CommitChanges") == 1


def test_entities_that_no_request_named_are_read_together_and_once() -> None:
    """All that a batch meets; the decision begins anew, with the same ids, and a function sees what is stored alone."""
    seen = list[Any]()

    def prepare(entities: Any, saga_id: str, name: str) -> str:
        seen.append((saga_id, name, entities["STOCK"].get(name, 0)))
        return name

    kept = local("KEPT", lambda kept, _: (kept or 0) + 1, entity=str, undo=lambda *_: 0, undone="KEPT_NOT")
    sold = local("SOLD", lambda sold, _: (sold or 0) + 1, entity=str, pivot=True)
    saga = Saga("keep", str, [kept, sold], prepare=prepare)
    store = MemoryStore()
    life = Life(store, saga)
    life.turn(Transact(lambda work: work.entities["STOCK"].update(a=3, c=4)))
    other = Life(store, saga, prefix="b", now_ms=life.now_ms)
    turn = driven(other, starting(other, "a", "b", "c"))
    stock, *others = [[(service, name) for name in "abc"] for service in ("STOCK", "KEPT", "SOLD")]
    assert turn.read() == [stock, [*chain(*others)]]
    assert turn.kinds().count("CommitChanges") == 1
    assert [run.saga_id for run in turn.result.replies[0]] == ["b-1", "b-2", "b-3"]
    assert seen == [("b-1", "a", 3), ("b-2", "b", 0), ("b-3", "c", 4)] * 2


def test_a_function_that_swallows_what_it_meets_is_called_again() -> None:
    """It cannot take what was not read for what is not there."""
    store = MemoryStore()
    life = Life(store, tickets())
    driven(life, starting(life, Buy("Hamlet", 2)))
    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms)

    def careless(work: Any) -> Any:
        try:
            return work.entities["SEATS"]["Hamlet"]
        except Exception:  # noqa: BLE001 - it is careless
            work.entities["SEATS"]["Hamlet"] = 1
            return "none"

    assert driven(other, Transact(careless)).result.replies == [8]
    assert store.entity("SEATS", "Hamlet") == EntityRow("SEATS", "Hamlet", "8", 1)


def test_a_transaction_says_first_what_it_will_look_at() -> None:
    """So it is called twice, however much that is; without that once more for each."""
    store = MemoryStore()
    wanted = [("SEATS", str(number)) for number in range(30)]
    calls = list[int]()

    def look(work: Any) -> int:
        calls.append(len(calls))
        return sum(work.entities[service].get(name, 1) for service, name in wanted)

    def announced(work: Any) -> int:
        work.prefetch(wanted, ["a-1"])
        return look(work) + (work.saga("a-1") is None)

    turn = driven(Life(store, tickets()), Transact(announced))
    assert (turn.result.replies, len(turn.read()), len(calls)) == ([31], 1, 1)
    turn = driven(Life(store, tickets()), Transact(look))
    assert (turn.result.replies, len(turn.read()), len(calls)) == ([30], 30, 32)


def test_a_batch_that_meets_more_and_more_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task that follows a chain of entities has no bound but its length; a batch is divided before that."""
    monkeypatch.setattr(batch, "RESTARTS_MAX", 3)
    store = MemoryStore()
    life = Life(store, tickets())
    life.turn(Transact(lambda work: work.entities["NEXT"].update({str(n): n + 1 for n in range(20)})))

    def follow(work: Any) -> int:
        place = 0
        while (after := work.entities["NEXT"].get(str(place))) is not None:
            place = after
        return place

    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms)
    turn = driven(other, *[Transact(follow)] * 4)
    assert [type(reply) for reply in turn.result.replies] == [int, Unfinished, Unfinished, Unfinished]
    assert driven(other, *[Transact(follow)] * 4).result.replies == [20] * 4


def test_a_look_reads_what_it_meets_and_commits_nothing() -> None:
    """While nothing can be written, what is stored can be read."""
    store = MemoryStore()
    life = Life(store, tickets())
    driven(life, starting(life, Buy("Hamlet", 2)))
    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms)
    look = other.coordinator.look([Read(lambda work: work.entities["SEATS"]["Hamlet"])], life.now_ms)
    assert next(look) == ReadEntities([HAMLET])
    with pytest.raises(StopIteration) as end:
        look.send({HAMLET: store.entity(*HAMLET)})
    assert end.value.value == [8]


class Guarded(MemoryStore):
    """A store that may be called for what a turn has yielded, and not while it decides.

    Attributes:
        is_deciding: whether a turn is at it.
    """

    is_deciding = False

    def __getattribute__(self, name: str) -> Any:
        """Refuse, while a turn decides."""
        is_free = name.startswith("_") or name == "is_deciding" or not object.__getattribute__(self, "is_deciding")
        assert is_free, f"{name} is called in the middle of deciding"
        return super().__getattribute__(name)


def test_a_turn_calls_no_store_by_itself() -> None:
    """Nor where a command tells for the first time of which type entities are that are stored."""
    store = Guarded()
    life = Life(store, tickets())
    life.turn(Transact(lambda work: work.entities["HALL"].update(Globe=7)))

    def open_hall(hall: int | None, size: int) -> int:
        return (hall or 0) + size

    other = Life(store, tickets(), prefix="b", now_ms=life.now_ms)
    opened = ExecuteCommand(Command("OPENED", "HALL", open_hall), "Globe", 7)
    turn = other.coordinator.turn([opened, starting(other, Buy("Hamlet", 2), keys=["K1"])], other.now_ms + 1)
    yielded, given = list[str](), None
    try:
        while True:
            store.is_deciding = True
            wanted = turn.send(given)
            store.is_deciding = False
            yielded.append(type(wanted).__name__)
            given = wanted.on(store)
    except StopIteration:
        store.is_deciding = False
    assert "ReadAnyEntity" in yielded
    assert store.entity("HALL", "Globe") == EntityRow("HALL", "Globe", "14", 2)


@pytest.mark.parametrize("last", [ReadDue, ReadSagasAndKeys, ReadEntities, CommitChanges])
def test_killed_at_any_yield_a_turn_leaves_nothing(last: type[TurnIO]) -> None:
    """Until its commit is carried out; a process after it decides the same."""
    store = MemoryStore()
    life = Life(store, tickets())
    turn = life.coordinator.turn([starting(life, Buy("Hamlet", 2), keys=["K1"])], life.now_ms + 1)
    wanted = next(turn)
    while not isinstance(wanted, last):
        wanted = turn.send(wanted.on(store))
    turn.close()
    assert (store.head().number, list(store.all_entities()), store.counts()) == (0, [], {})
    other = Life(store, tickets(), prefix="b")
    (run,) = driven(other, starting(other, Buy("Hamlet", 2), keys=["K1"])).result.replies[0]
    assert (run.saga_id, store.head().number) == ("b-1", 1)


def test_another_writer_on_a_store_of_one_owner_stops_the_engine() -> None:
    """Its lock was broken: what is decided here is not to be trusted any more."""
    store = MemoryStore()
    life, other = Life(store, tickets()), Life(store, tickets(), prefix="b")

    def meddle(wanted: TurnIO) -> None:
        if isinstance(wanted, CommitChanges):
            other.begin(Buy("Lear", 1))

    with pytest.raises(StoreFailed, match="another process writes to this store"):
        driven(life, starting(life, Buy("Hamlet", 2)), before=meddle)


# Shared by several engines --------------------------------------------------------------------------------------------


class Meddled(MemoryStore):
    """A shared store without locks: somebody else writes between what a turn reads and its commit.

    Attributes:
        meddle: called before each commit; what it changes, the commit finds changed.
    """

    def __init__(self, database: MemoryDatabase, meddle: Callable[[Changes], object] = lambda _: None) -> None:
        super().__init__(database)
        self.meddle = meddle

    def commit(self, changes: Changes) -> None:
        """Let somebody else be first."""
        self.meddle(changes)
        super().commit(changes)

    def sell(self, entity_id: str, seats: int) -> None:
        """Write an entity as another engine does it."""
        row = self.database.entities.get(("SEATS", entity_id))
        body, version = (str(int(row.body or 0) - seats), row.version) if row else (str(10 - seats), 0)
        self.database.entities["SEATS", entity_id] = EntityRow("SEATS", entity_id, body, version + 1)


class SharedLife(Life):
    """An engine that has all shards of a shared store."""

    store: Meddled

    def __init__(self, store: Meddled, *sagas: Saga, prefix: str = "a", now_ms: int = START_MS) -> None:
        ownership = MemoryOwnership(store.database)
        ownership.enter(prefix, 1_000_000)
        super().__init__(store, *sagas, prefix=prefix, now_ms=now_ms)
        self.coordinator.gain(ownership.claim(prefix, range(SHARDS)), now_ms)


@pytest.fixture
def store() -> Meddled:
    """Return an empty shared store."""
    return Meddled(MemoryDatabase(lambda: START_MS, lock_timeout_s=0))


def test_on_a_shared_store_each_turn_reads_entities_anew(store: Meddled) -> None:
    """Other engines write them. Its own sagas are at hand: nobody else moves them."""
    life = SharedLife(store, tickets())
    driven(life, starting(life, Buy("Hamlet", 2)))
    store.sell("Hamlet", 5)
    second = driven(life, starting(life, Buy("Hamlet", 2)))
    assert second.read() == [[HAMLET, TICKET]]
    assert store.entity(*HAMLET) == EntityRow(*HAMLET, "1", 3)
    answered = driven(life, Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done(), 1)))
    assert answered.kinds() == ["ReadEntities", "CommitChanges"]
    assert answered.read() == [[HAMLET, TICKET]]


PRICES = Transact(lambda work: work.entities["PRICES"].update(ann=0, Hamlet=3))
READ = [("PRICES", "Hamlet"), ("PRICES", "ann")]


def priced(reads: Callable[[tuple[str, str]], Any] | None, calls: list[str]) -> Saga:
    """Return a saga whose `prepare` looks up who asks, and then for what."""

    def prepare(entities: Any, saga_id: str, asked: tuple[str, str]) -> Buy:
        calls.append(saga_id)
        return Buy("Hamlet", sum(entities["PRICES"].get(name, 1) for name in asked))

    return replace(tickets(), prepare=prepare, reads=reads)


def test_what_prepare_reads_is_at_hand_where_the_definition_says_it(store: Meddled) -> None:
    """So it is called once, and not once more for each look that depends on the one before."""
    calls = list[str]()
    life = SharedLife(store, priced(lambda asked: [("PRICES", name) for name in asked], calls))
    driven(life, PRICES)
    turn = driven(life, starting(life, ("ann", "Hamlet")))
    assert turn.read() == [READ, [HAMLET, TICKET]]
    assert len(calls) == 2  # once more for what its steps are about
    ((run,),) = turn.result.replies
    assert run.request == Buy("Hamlet", 3)


WRONG: list[Callable[[tuple[str, str]], Any] | None] = [
    None,
    lambda asked: 1 / 0,
    lambda asked: asked,
    lambda asked: [(asked, asked), ("PRICES", asked), ([], "ann"), ("a/b", "ann"), ("PRICES", "\ud800")],
]


@pytest.mark.parametrize("reads", WRONG)
def test_what_prepare_is_said_to_read_may_be_wrong(store: Meddled, reads: Callable[[Any], Any] | None) -> None:
    """It is read when it is met."""
    life = SharedLife(store, priced(reads, []))
    driven(life, PRICES)
    turn = driven(life, starting(life, ("ann", "Hamlet")))
    assert turn.read() == [READ[1:], READ[:1], [HAMLET, TICKET]]
    ((run,),) = turn.result.replies
    assert run.request == Buy("Hamlet", 3)


def test_what_is_known_of_sagas_is_gone_with_their_shards(store: Meddled) -> None:
    """Another engine moves them meanwhile; they are read when their shard is back."""
    life = SharedLife(store, tickets())
    (run,) = driven(life, starting(life, Buy("Hamlet", 2))).result.replies[0]
    life.coordinator.lose([shard_of(run.saga_id)])
    life.coordinator.gain([shard_of(run.saga_id)], START_MS + 1)
    answered = driven(life, Deliver(run.saga_id, Answered("CARD_CHARGED", Kind.DO, Done(), 1)))
    assert ReadSagasAndKeys([run.saga_id], []) in answered.wanted


def test_a_conflict_is_decided_again_on_what_is_read_anew(store: Meddled) -> None:
    """On what the other engine left: here too few seats are left, and the saga is refused them."""
    life = SharedLife(store, tickets())
    meddled = list[None]()

    def once(_: Changes) -> None:
        if not meddled:
            meddled.append(None)
            store.sell("Hamlet", 9)

    store.meddle = once
    turn = driven(life, starting(life, Buy("Hamlet", 2)))
    assert turn.read()[:1] == turn.read()[1:] == [[HAMLET, TICKET]]
    assert turn.kinds().count("CommitChanges") == 2
    assert [ReadHead("a")] == [wanted for wanted in turn.wanted if isinstance(wanted, ReadHead)]
    (run,) = turn.result.replies[0]
    assert run.reason == "1 seats left"
    assert store.entity(*HAMLET) == EntityRow(*HAMLET, "1", 1)


def test_what_a_turn_met_is_read_again_in_one_order(store: Meddled) -> None:
    """The entities that no request named, too: so two engines do not wait for each other twice."""
    life = SharedLife(store, tickets())
    meddled = list[None]()

    def both(work: Any) -> None:
        work.entities["SEATS"]["Lear"] = work.entities["SEATS"].get("Lear", 0) + 1
        work.entities["SEATS"]["Hamlet"] = 1

    def once(_: Changes) -> None:
        if not meddled:
            meddled.append(None)
            store.sell("Lear", 3)

    store.meddle = once
    turn = driven(life, Transact(both))
    assert turn.read() == [[LEAR], [HAMLET], [HAMLET, LEAR]]
    assert store.entity(*LEAR) == EntityRow(*LEAR, "8", 2)


def test_conflicts_without_end_halve_the_batch_and_never_stop_the_engine(store: Meddled) -> None:
    """What is alone, and still not first, is left to the next turn; what others do not want is committed meanwhile."""
    life = SharedLife(store, tickets())

    def whenever_lear(changes: Changes) -> None:
        if any(row.entity_id == "Lear" for row in changes.entities):
            store.sell("Lear", 0)

    store.meddle = whenever_lear
    tasks = [starting(life, Buy(show, 1)) for show in ("Hamlet", "Macbeth", "Lear", "Othello")]
    done = set[int]()
    for _ in range(6):
        places = [place for place in range(4) if place not in done]
        replies = driven(life, *(tasks[place] for place in places)).result.replies
        done |= {place for place, reply in zip(places, replies, strict=True) if not isinstance(reply, Unfinished)}
    assert done == {0, 1}, "Lear is first among what is left, and is not first in the store"
    store.meddle = lambda _: None
    replies = driven(life, tasks[2], tasks[3]).result.replies
    assert all(isinstance(run, SagaInstance) for (run,) in replies)


def test_after_a_turn_of_nothing_all_entities_of_a_batch_are_read_at_once(store: Meddled) -> None:
    """They are locked where engines share a store: two that read some first and others later would wait in a circle."""
    life = SharedLife(store, priced(lambda asked: [("PRICES", name) for name in asked], []))
    driven(life)
    assert driven(life, starting(life, ("ann", "Hamlet"))).read() == [READ, [HAMLET, TICKET]]


def test_a_batch_that_waited_in_vain_is_left_to_the_next_turn_which_takes_half_of_it(store: Meddled) -> None:
    """Each wait takes a third of the lease, and it is renewed between turns alone. Later turns take more again."""
    life, sizes = SharedLife(store, tickets()), list[int]()

    def while_many(changes: Changes) -> None:
        sizes.append(len(changes.sagas))
        if len(changes.sagas) > 1:
            raise LockTimeout("another engine has locked a row")

    def left(*shows: str) -> list[bool]:
        replies = driven(life, *(starting(life, Buy(show, 1)) for show in shows)).result.replies
        return [isinstance(reply, Unfinished) for reply in replies]

    store.meddle = while_many
    assert left("Hamlet", "Macbeth", "Lear", "Othello") == [True, True, True, True]
    assert left("Hamlet", "Macbeth", "Lear", "Othello") == [True, True, True, True]
    assert left("Hamlet", "Macbeth", "Lear", "Othello") == [False, True, True, True]
    store.meddle = lambda changes: sizes.append(len(changes.sagas))
    assert not any(left(*["Hamlet"] * (1 + WIDENS_BY)))
    assert sizes == [4, 2, 1, 1 + WIDENS_BY]


def test_a_task_of_many_parts_is_carried_out_in_parts_after_a_wait_in_vain(store: Meddled) -> None:
    """And each part is answered once, in order."""
    life, sizes = SharedLife(store, tickets()), list[int]()

    def while_many(changes: Changes) -> None:
        sizes.append(len(changes.sagas))
        if len(changes.sagas) > 2:
            raise LockTimeout("another engine has locked a row")

    store.meddle = while_many
    shows = ["Hamlet", "Macbeth", "Lear", "Othello"]
    task: Task = starting(life, *(Buy(show, 1) for show in shows))
    for _ in range(2):
        (rest,) = driven(life, task).result.replies
        assert isinstance(rest, Unfinished)
        task = rest.task
    (runs,) = driven(life, task).result.replies
    assert [run.request.show for run in runs] == shows
    assert sizes == [4, 2, 2]


def test_what_raised_before_a_conflict_may_not_raise_after_it(store: Meddled) -> None:
    """It is carried out again with the others, on what the other engine left."""
    life = SharedLife(store, tickets())
    meddled = list[None]()

    def seats(work: Any) -> int:
        return work.entities["SEATS"]["Hamlet"]  # type: ignore[no-any-return]  # it is one

    def once(_: Changes) -> None:
        if not meddled:
            meddled.append(None)
            store.sell("Hamlet", 3)
            store.sell("Lear", 3)

    store.meddle = once
    turn = driven(life, Transact(seats), starting(life, Buy("Lear", 1)))
    assert turn.result.replies[0] == 7


def test_a_wake_that_is_not_first_is_woken_again(store: Meddled) -> None:
    """The sagas that a process before left waiting are not taken for looked at."""
    SharedLife(store, tickets()).begin(Buy("Hamlet", 2))
    MemoryOwnership(store.database).leave("a")
    life = SharedLife(store, tickets(), prefix="b", now_ms=START_MS + 5)
    conflicts = list[None]()

    def thrice(_: Changes) -> None:
        conflicts.append(None)
        if len(conflicts) <= batch.CONFLICTS_MAX:
            raise StoreConflict("another engine was faster")

    store.meddle = thrice
    first = driven(life)
    assert first.result.due_ms is not None
    assert first.result.due_ms <= life.now_ms
    assert store.head("b").number == 0
    assert driven(life).kinds().count("CommitChanges") == 1
    assert store.head("b").number == 1
