"""A turn: what is decided, what is written, what goes out, and that one task's trouble is nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from amends import (
    Abandoned,
    Backoff,
    Cancel,
    Command,
    Compensated,
    Completed,
    Done,
    Kind,
    Later,
    NeedsOperator,
    Refused,
    Resolve,
    Retry,
    Saga,
    Unknown,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.core.effects import Decline
from amends.core.messages import Abandon, Answered
from amends.engine.tasks import Deliver, ExecuteCommand, Transact
from amends.errors import DefinitionError, KeyReused, RequestRefused, StoreConflict, StoreFailed, StoreFull
from amends.storage.codecs.values import opened_all
from amends.storage.ports import SagaFilter, unfinished
from amends.storage.rows import WAITS_FOR_OPERATOR, Changes, EntityRow, SagaRow, Unreadable
from tests.engine.world import START_MS, Buy, Life, hold, let_go, names, nothing, records, tickets


def entity(store: MemoryStore, name: str) -> str | None:
    """Return the body of an entity, ``SERVICE/id``."""
    row = store.entity(*name.split("/"))
    return row.body if row else None


def test_a_request_is_sent_once_its_saga_is_stored() -> None:
    """The store has the saga, the entity, the record, and the due time, before anybody outside is asked."""
    store = MemoryStore()
    life = Life(store, tickets())
    turn = life.begin(Buy("Hamlet", 2))
    assert names(turn) == ["CARD_CHARGED/do#1"]
    row = store.saga("a-1")
    assert row is not None
    assert (row.status, row.due_ms, row.version) == ("forward", life.now_ms + 10_000, 1)
    assert entity(store, "SEATS/Hamlet") == "8"
    assert len(records(store)) == 1
    assert life.due_ms == row.due_ms


def test_a_saga_goes_to_its_end_and_is_told() -> None:
    """An answer leads on; local steps behind it are in its commit; the end is told by the turn that stored it."""
    store = MemoryStore()
    life = Life(store, tickets())
    asking = life.begin(Buy("Hamlet", 2)).sends[0]
    turn = life.answer(asking, Done({"receipt": 7}))
    assert isinstance(turn.ended["a-1"].state, Completed)
    assert opened_all(turn.ended["a-1"].answers) == {"CARD_CHARGED": {"receipt": 7}}
    assert life.run("a-1") == turn.ended["a-1"]._replace(waiting=())
    assert store.counts() == {(life.coordinator.definitions.codec_of(life.saga).definition, "completed"): 1}
    assert (
        life.due_ms == asking[1].due_ms
    )  # what it was asked might have run out by then, and the store is not asked why
    life.turn(after_ms=asking[1].due_ms - life.now_ms)
    assert life.due_ms is None


def test_a_refusal_outside_is_undone_inside() -> None:
    """The way back over an external step and a local one."""
    store = MemoryStore()
    life = Life(store, tickets())
    turn = life.answer(life.begin(Buy("Hamlet", 2)).sends[0], Refused("no cover"))
    assert isinstance(turn.ended["a-1"].state, Compensated)
    assert entity(store, "SEATS/Hamlet") == "10"
    assert turn.ended["a-1"].reason == "no cover"


def test_orders_of_a_batch_see_what_the_ones_before_left() -> None:
    """A hot entity is read once and written once, and nobody overdraws it."""
    store = MemoryStore()
    life = Life(store, tickets())
    turn = life.begin(Buy("Hamlet", 6), Buy("Hamlet", 6), Buy("Hamlet", 4))
    assert [type(run.state).__name__ for run in turn.replies[0]] == ["Forward", "Compensated", "Forward"]
    row = store.entity("SEATS", "Hamlet")
    assert row == EntityRow("SEATS", "Hamlet", "0", 1)
    assert next(store.blocks()).started == 3


def test_a_decider_that_raises_harms_nobody_else() -> None:
    """What its saga wrote is taken back, it is asked again after a pause, and the others are stored."""
    broken = True

    def issue(before: Any, buy: Buy) -> Any:
        if broken and buy.seats == 3:
            raise ZeroDivisionError("a bug")
        return buy.seats

    saga = Saga(
        "tickets",
        Buy,
        [
            local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
            local("TICKET_ISSUED", issue, entity=lambda buy: f"t-{buy.seats}", pivot=True, backoff=Backoff(5, 5)),
        ],
    )
    store = MemoryStore()
    life = Life(store, saga)
    good, bad, also_good = life.begin(Buy("Hamlet", 2), Buy("Hamlet", 3), Buy("Hamlet", 4)).replies[0]
    assert isinstance(good.state, Completed)
    assert isinstance(also_good.state, Completed)
    assert entity(store, "SEATS/Hamlet") == "1"  # the seats of all three are held: its first step had taken place
    assert bad.waiting[0].error == "ZeroDivisionError: a bug"
    assert life.due_ms is not None
    assert life.turn(after_ms=1).ended == {}
    broken = False
    assert isinstance(life.turn(after_ms=life.due_ms - life.now_ms).ended[bad.saga_id].state, Completed)
    assert entity(store, "SEATS/Hamlet") == "1"


def test_a_decider_that_goes_on_raising_before_the_pivot_is_compensated() -> None:
    """Its time limit ends going forward (rule: until its limit, then unknown, then undone)."""

    def never(before: Any, buy: Buy) -> Any:
        raise ZeroDivisionError

    saga = Saga(
        "tickets",
        Buy,
        [
            local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
            local("SEEN", never, undo=lambda before, _: before or 0, undone="UNSEEN", entity=lambda buy: buy.show),
            local("TICKET_ISSUED", hold, entity=lambda buy: buy.show, pivot=True),
        ],
    )
    store = MemoryStore()
    life = Life(store, saga)
    life.begin(Buy("Hamlet", 2))
    ended: dict[str, Any] = {}
    for _ in range(100):
        if life.due_ms is None:
            break
        ended.update(life.turn(after_ms=max(1, life.due_ms - life.now_ms)).ended)
    assert isinstance(ended["a-1"].state, Compensated)
    assert entity(store, "SEATS/Hamlet") == "10"


@pytest.mark.parametrize("wrong", [object(), "\ud800"])
def test_what_cannot_be_stored_fails_alone(wrong: Any) -> None:
    """An entity that JSON cannot hold: its function counts as having raised, and its neighbours know nothing of it."""

    def mark(before: Any, buy: Buy) -> Any:
        return wrong if buy.seats == 13 else buy.seats

    saga = Saga("marks", Buy, [local("MARKED", mark, entity=lambda buy: f"{buy.seats}", pivot=True)])
    store = MemoryStore()
    life = Life(store, saga)
    second = life.begin(Buy("x", 1), Buy("x", 13), Buy("x", 3)).replies[0][1]
    assert "MARKED: the entity" in second.waiting[0].error
    assert "cannot be stored" in second.waiting[0].error
    assert [entity(store, f"MARKED/{seats}") for seats in (1, 13, 3)] == ["1", None, "3"]
    assert {row.status for row in store.listing(SagaFilter()) if row.saga_id != second.saga_id} == {"completed"}


def test_a_request_that_json_cannot_hold_is_refused() -> None:
    """Nothing of it is written."""
    store = MemoryStore()
    turn = Life(store, tickets()).begin(Buy("\ud800", 1))
    assert "cannot be stored" in str(turn.replies[0][0])
    assert store.head().number == 0


def test_a_refusal_of_prepare_starts_nothing() -> None:
    """The client gets the reason, and no saga."""
    step = external("SENT", nothing, pivot=True)
    saga: Saga = Saga("letters", str, [step], prepare=lambda *_: Refused("no stamp"))
    turn = Life(MemoryStore(), saga).begin("hello")
    assert isinstance(turn.replies[0][0], RequestRefused)
    assert str(turn.replies[0][0]) == "no stamp"


# Client keys ------------------------------------------------------------------------------------------------------


def test_one_key_starts_one_saga() -> None:
    """In one batch, in another, and in another life; another request under it is told apart."""
    store = MemoryStore()
    life = Life(store, tickets())
    first, again = life.begin(Buy("Hamlet", 1), Buy("Hamlet", 1), keys=["k", "k"]).replies[0]
    assert again == first.saga_id
    assert life.begin(Buy("Hamlet", 1), keys=["k"]).replies[0] == [first.saga_id]
    later = Life(store, tickets(), prefix="b")
    assert later.begin(Buy("Hamlet", 1), keys=["k"]).replies[0] == [first.saga_id]
    (other,) = later.begin(Buy("Hamlet", 2), keys=["k"]).replies[0]
    assert isinstance(other, KeyReused)
    assert entity(store, "SEATS/Hamlet") == "9"


def test_a_refusal_is_the_same_under_its_key() -> None:
    """Also when the reason is gone by then."""
    answers = iter([Refused("no stamp"), "with a stamp"])
    saga: Saga = Saga("letters", str, [external("SENT", nothing, pivot=True)], prepare=lambda *_: next(answers))
    life = Life(MemoryStore(), saga)
    first = life.begin("hello", keys=["k"]).replies[0][0]
    again = life.begin("hello", keys=["k"]).replies[0][0]
    assert str(first) == str(again) == "no stamp"


# After a restart --------------------------------------------------------------------------------------------------


def test_a_request_of_a_life_before_counts_as_timed_out() -> None:
    """It may have gone out: it is asked again under the same key, and a refusal then proves nothing (P5)."""
    store = MemoryStore()
    asking = Life(store, tickets()).begin(Buy("Hamlet", 2)).sends[0]
    life = Life(store, tickets(), prefix="b", now_ms=START_MS + 50)
    life.turn()
    assert life.due_ms is not None
    again = life.turn(after_ms=max(1, life.due_ms - life.now_ms))
    assert names(again) == ["CARD_CHARGED/do#2"]
    assert again.sends[0][1].request.call.key == asking[1].request.call.key
    turn = life.answer(again.sends[0], Refused("no"))
    assert names(turn) == ["CARD_CHARGED/undo#1"]


def test_a_request_that_its_participant_took_is_waited_for_after_a_restart() -> None:
    """The answer comes from outside; asking again would ask a person twice."""
    store = MemoryStore()
    life = Life(store, tickets())
    life.answer(life.begin(Buy("Hamlet", 2)).sends[0], Later(3600))
    second = Life(store, tickets(), prefix="b", now_ms=START_MS + 50)
    assert names(second.turn()) == []
    turn = second.turn(Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done())))
    assert isinstance(turn.ended["a-1"].state, Completed)


def test_a_held_back_request_goes_out_at_its_time_also_after_a_restart() -> None:
    """The row says when: no process has to remember it."""
    store = MemoryStore()
    life = Life(store, tickets(backoff=Backoff(5, 5)))
    turn = life.answer(life.begin(Buy("Hamlet", 2)).sends[0], Unknown("no line"))
    assert names(turn) == []
    at_ms = life.run("a-1").waiting[0].at_ms
    second = Life(store, tickets(backoff=Backoff(5, 5)), prefix="b", now_ms=life.now_ms)
    assert names(second.turn()) == []
    assert second.due_ms == at_ms
    assert names(second.turn(after_ms=at_ms - second.now_ms)) == ["CARD_CHARGED/do#2"]
    assert names(second.turn()) == []


def test_what_was_held_back_beyond_its_time_was_not_sent() -> None:
    """A process that stood still meanwhile asks again; it does not look for what never was, nor undo it.

    Several engines, seed 507 of ``amends.shop.outside:CHECKOUT_OUTSIDE``.
    """
    life = Life(MemoryStore(), tickets(backoff=Backoff(5, 5)))
    life.answer(life.begin(Buy("Hamlet", 2)).sends[0], Unknown("the lease was over", taken_back=True))
    assert names(life.turn(after_ms=25_000)) == []
    assert names(life.turn(after_ms=5_000)) == ["CARD_CHARGED/do#3"]
    late = Life(MemoryStore(), tickets(backoff=Backoff(5, 5)))
    late.answer(late.begin(Buy("Hamlet", 2)).sends[0], Unknown("the lease was over", taken_back=True))
    assert isinstance(late.turn(after_ms=60_000).ended["a-1"].state, Compensated)


def test_a_clock_that_was_set_back_sends_nothing_for_the_first_time_twice() -> None:
    """What was to be sent by the last commit may have been sent, whatever the clock says now."""
    store = MemoryStore()
    Life(store, tickets()).begin(Buy("Hamlet", 2))
    second = Life(store, tickets(), prefix="b", now_ms=START_MS - 3_600_000)
    assert "CARD_CHARGED/do#1" not in names(second.turn())


def test_many_sagas_are_resumed_page_by_page() -> None:
    """Each of them is looked at once, however many there are."""
    store = MemoryStore()
    life = Life(store, tickets())
    for _ in range(3):
        life.begin(*[Buy(f"S{number}", 1) for number in range(500)])
    second = Life(store, tickets(), prefix="b", now_ms=life.now_ms + 1)
    for _ in range(4):
        second.turn(after_ms=0)
    attempts = {second.run(f"a-{number}").waiting[0].attempt for number in range(1, 1501)}
    assert attempts == {2}


# What an engine does not know, or cannot read ----------------------------------------------------------------------


def test_a_saga_of_an_unknown_definition_is_left_alone() -> None:
    """It is reported, never touched; with its definition it goes on (P12)."""
    store = MemoryStore()
    Life(store, tickets()).begin(Buy("Hamlet", 2))
    other = Saga("other", str, [external("SENT", nothing, pivot=True)])
    stranger = Life(store, other, prefix="b", now_ms=START_MS + 1_000_000)
    assert names(stranger.turn()) == []
    assert list(unfinished(store.counts(), stranger.coordinator.definitions.by_name).values()) == [1]
    reply = stranger.turn(Deliver("a-1", Cancel())).replies[0]
    assert "was not given to open()" in str(reply)
    assert store.head().number == 1


def test_two_definitions_of_one_version_are_refused() -> None:
    """Nobody could tell whose a saga is."""
    with pytest.raises(DefinitionError, match="given twice"):
        Life(MemoryStore(), tickets(), tickets())


class Damaged(MemoryStore):
    """A store in which one row cannot be read."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.is_damaged = False

    def entity_rows(self, names: Any) -> Any:
        """Return the entities, but for the damaged one."""
        found = super().entity_rows(names)
        damaged = Unreadable("entity", self.name, "checksum")
        return {name: damaged if self.is_damaged and "/".join(name) == self.name else found[name] for name in found}

    def sagas(self, saga_ids: Any) -> Any:
        """Return the sagas, but for the damaged one."""
        found = super().sagas(saga_ids)
        if self.is_damaged and self.name in found:
            found[self.name] = Unreadable("saga", self.name, "checksum")
        return found


def test_a_damaged_entity_stops_the_sagas_that_need_it_and_no_others() -> None:
    """They wait for an operator, with its name; a retry goes on once it is mended."""
    store = Damaged("SEATS/Hamlet")
    Life(store, tickets()).begin(Buy("Hamlet", 2))
    store.is_damaged = True
    life = Life(store, tickets(), prefix="b", now_ms=START_MS + 50)
    bad, good = life.begin(Buy("Hamlet", 1), Buy("Lear", 1)).replies[0]
    assert isinstance(bad.state, NeedsOperator)
    assert bad.trouble == "SEATS/Hamlet cannot be read: checksum"
    assert store.set_aside() == [Unreadable("entity", "SEATS/Hamlet", "checksum")]
    row = store.saga(bad.saga_id)
    assert row is not None
    assert (row.status, row.due_ms) == ("needs operator", WAITS_FOR_OPERATOR)
    assert good.state != bad.state
    store.is_damaged = False
    assert names(life.turn(Deliver(bad.saga_id, Retry("SEATS_HELD")))) == ["CARD_CHARGED/do#1"]


def test_a_damaged_saga_is_set_aside_and_the_rest_runs() -> None:
    """It is listed, and nothing waits behind it."""
    store = Damaged("a-1")
    Life(store, tickets()).begin(Buy("Hamlet", 2), Buy("Lear", 2))
    store.is_damaged = True
    life = Life(store, tickets(), prefix="b", now_ms=START_MS + 50)
    life.turn()
    assert store.set_aside() == [Unreadable("saga", "a-1", "checksum")]
    assert life.run("a-2").waiting[0].attempt == 2
    head = store.head()
    life.turn(after_ms=20_000)
    assert "cannot be read" in str(life.turn(Deliver("a-1", Cancel())).replies[0])
    assert store.head().number > head.number  # of a-2 alone: nothing is written of a-1 any more
    assert sum("set aside" in line for line in records(store)) == 1


# Verbs, commands, transactions -------------------------------------------------------------------------------------


def test_an_operator_resolves_a_refused_undo() -> None:
    """It waits without end, an operator is called, and the operator's word ends it."""
    store = MemoryStore()
    life = Life(store, tickets())
    asking = life.begin(Buy("Hamlet", 2)).sends[0]
    assert names(life.turn(Deliver("a-1", Cancel("changed my mind")))) == []
    turn = life.answer(asking, Done())
    assert names(turn) == ["CARD_CHARGED/undo#1"]
    answered = life.answer(turn.sends[0], Refused("window closed"))
    assert answered.needs_operator[0].outstanding == ("SEATS_HELD/undo", "CARD_CHARGED/undo")
    ended = life.turn(Deliver("a-1", Resolve("CARD_CHARGED", Done(), why="by hand"))).ended
    assert isinstance(ended["a-1"].state, Compensated)
    assert entity(store, "SEATS/Hamlet") == "10"


def test_a_verb_that_comes_too_late_is_declined() -> None:
    """Nothing changes, and the reason says why."""
    store = MemoryStore()
    life = Life(store, tickets())
    life.answer(life.begin(Buy("Hamlet", 2)).sends[0], Done())
    head = store.head()
    reply = life.turn(Deliver("a-1", Cancel())).replies[0]
    assert isinstance(reply, Decline)
    assert store.head() == head


def test_an_abandoned_saga_keeps_what_is_owed() -> None:
    """Also after it was read back."""
    store = MemoryStore()
    life = Life(store, tickets())
    life.begin(Buy("Hamlet", 2))
    ended = life.turn(Deliver("a-1", Abandon("the shop is closed"))).ended
    assert life.run("a-1").state == ended["a-1"].state == Abandoned(("SEATS_HELD/undo", "CARD_CHARGED/undo"))


def test_a_late_answer_is_recorded_and_changes_nothing() -> None:
    """Neither dropped nor applied twice (P5)."""
    store = MemoryStore()
    life = Life(store, tickets())
    asking = life.begin(Buy("Hamlet", 2)).sends[0]
    life.answer(asking, Done())
    before = life.run("a-1")
    life.answer(asking, Refused("too late"))
    after = life.run("a-1")
    assert after._replace(number=before.number) == before
    assert after.number == before.number + 1
    assert "refused" in records(store)[-1]


SEATS_ADDED = Command("SEATS_ADDED", "SEATS", lambda free, more: Refused("none") if more == 0 else (free or 0) + more)


def test_a_command_is_recorded_and_refused_like_a_step() -> None:
    """One record for a change, none for a refusal; under a key it happens once."""
    store = MemoryStore()
    life = Life(store, tickets())
    assert life.turn(ExecuteCommand(SEATS_ADDED, "Lear", 5, ["k"])).replies == [None]
    assert life.turn(ExecuteCommand(SEATS_ADDED, "Lear", 5, ["k"])).replies == [None]
    assert life.turn(ExecuteCommand(SEATS_ADDED, "Lear", 0)).replies == [Refused("none")]
    assert entity(store, "SEATS/Lear") == "5"
    assert len(records(store)) == 1
    assert isinstance(life.turn(ExecuteCommand(SEATS_ADDED, "Lear", 6, ["k"])).replies[0], KeyReused)


def test_a_transaction_that_raises_leaves_nothing() -> None:
    """Whatever it had done by then; its neighbours in the batch are carried out."""
    store = MemoryStore()
    life = Life(store, tickets())

    def half(work: Any) -> None:
        work.execute(SEATS_ADDED, "Lear", 5)
        work.start(life.saga, "mine", Buy("Hamlet", 1))
        raise ValueError("changed my mind")

    replies = life.turn(
        ExecuteCommand(SEATS_ADDED, "Macbeth", 1), Transact(half), ExecuteCommand(SEATS_ADDED, "Macbeth", 1)
    ).replies
    assert [str(reply) for reply in replies] == ["None", "changed my mind", "None"]
    assert (entity(store, "SEATS/Lear"), entity(store, "SEATS/Macbeth")) == (None, "2")
    assert store.saga("mine") is None
    assert len(records(store)) == 2


# The store's troubles ----------------------------------------------------------------------------------------------


class Troubled(MemoryStore):
    """A store whose next commits raise."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[Exception] = []
        self.troubles_after: dict[int, Exception] = {}
        self.interruptions: list[Exception] = []

    def commit(self, changes: Changes) -> None:
        """Commit, unless there is trouble."""
        if self.troubles:
            raise self.troubles.pop(0)
        if changes.block.number in self.troubles_after:
            raise self.troubles_after[changes.block.number]
        super().commit(changes)
        if self.interruptions:
            raise self.interruptions.pop()


def test_a_full_store_refuses_the_whole_turn_and_goes_on_later() -> None:
    """Nothing is sent, nothing is remembered; the same turn succeeds when there is space."""
    store = Troubled()
    life = Life(store, tickets())
    store.troubles = [StoreFull("no space")]
    with pytest.raises(StoreFull):
        life.begin(Buy("Hamlet", 2))
    assert store.head().number == 0
    assert names(life.begin(Buy("Hamlet", 2))) == ["CARD_CHARGED/do#1"]
    assert entity(store, "SEATS/Hamlet") == "8"


def test_no_space_in_the_middle_of_a_batch_that_is_taken_apart_is_told_of_the_rest_alone() -> None:
    """What was stored before is answered as stored: nobody starts it a second time."""

    def mark(before: str | None, buy: Buy) -> str:
        return "\ud800" if buy.seats == 13 else str(buy.seats)

    step = local("MARKED", mark, entity=_seats, pivot=True)
    store = Troubled()
    life = Life(store, Saga("marks", Buy, [step]))
    store.troubles_after = {2: StoreFull("no space")}
    first, second, third = life.begin(Buy("x", 1), Buy("x", 2), Buy("x", 13)).replies[0]
    assert isinstance(first.state, Completed)
    assert (type(second), type(third)) == (StoreFull, StoreFull)
    assert [entity(store, f"MARKED/{seats}") for seats in (1, 2)] == ['"1"', None]


def test_what_is_interrupted_after_its_commit_is_not_carried_out_a_second_time() -> None:
    """A library may send its time limit into the thread at any moment: what is stored is stored, the engine stops."""
    store = Troubled()
    life = Life(store, tickets())
    store.interruptions = [TimeoutError("a limit of some library")]
    with pytest.raises(StoreFailed, match="a limit of some library"):
        life.begin(Buy("Hamlet", 2))
    assert entity(store, "SEATS/Hamlet") == "8"
    assert store.head().number == 1


def _seats(buy: Buy) -> str:
    return str(buy.seats)


def test_a_conflict_is_decided_again_on_what_is_there() -> None:
    """Not on what was at hand; and not for ever."""
    store = Troubled()
    life = Life(store, tickets())
    store.troubles = [StoreConflict("faster")]
    assert names(life.begin(Buy("Hamlet", 2))) == ["CARD_CHARGED/do#1"]
    store.troubles = [StoreConflict("faster")] * 10
    with pytest.raises(StoreFailed):
        life.begin(Buy("Hamlet", 2))


def test_an_id_that_is_somebodys_already_is_noticed() -> None:
    """A fresh id is taken for nobody's without a look; when that is wrong, the commit says so, and it is looked at."""
    saga = Saga(
        "marks", int, [local("MARKED", lambda before, mark: (before or 0) + mark, entity=lambda _: "a-1", pivot=True)]
    )
    store = MemoryStore()
    life = Life(store, saga)
    adding = Command("ADDED", "MARKED", lambda before, more: (before or 0) + more)
    life.turn(ExecuteCommand(adding, "a-1", 40))
    again = Life(store, saga, now_ms=START_MS + 10)
    again.begin(2)
    assert entity(store, "MARKED/a-1") == "42"


def test_a_row_is_replaced_by_its_next_version_alone() -> None:
    """The count of a saga's rows never jumps, whatever happens to it within one batch."""
    store = MemoryStore()
    life = Life(store, tickets())
    asking = life.begin(Buy("Hamlet", 2)).sends[0]
    said = Answered("CARD_CHARGED", Kind.DO, Done(), asking[1].request.call.attempt)
    life.turn(Deliver("a-1", said), Deliver("a-1", said), Deliver("a-1", said))
    row = store.saga("a-1")
    assert isinstance(row, SagaRow)
    assert (row.version, life.run("a-1").number) == (2, 4)
