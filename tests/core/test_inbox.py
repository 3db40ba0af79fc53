"""The inbox rule: what is asked twice, late or backwards happens once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.core.definition import Step, local
from amends.core.inbox import TOMBSTONE, Inbox, receive
from amends.core.messages import GONE, Call, Changed, Done, Kind, Refused, Request
from amends.errors import ParticipantError


def take(free: int | None, wanted: int) -> Changed | Refused:
    """Take some of what is free; the answer says how much."""
    return Changed((free or 0) - wanted, f"took {wanted}") if wanted <= (free or 0) else Refused("sold out")


def give(free: int, wanted: int, call: Call) -> int:
    """Give back what the action's answer says."""
    assert call.answer == f"took {wanted}"
    return free + wanted


TAKE = local("TAKEN", take, undo=give, undone="GIVEN", entity=str)
DO, UNDO = Kind.DO, Kind.UNDO


def ask(kind: Kind, wanted: int = 2, attempt: int = 1, answer: object = None) -> Request:
    """Return a request of the saga ``s``."""
    return Request("s", "TAKEN", kind, wanted, Call(f"s/TAKEN/{kind.value}", attempt, {}, answer))


def receive_all(free: int | None, *requests: Request, step: Step = TAKE) -> tuple[int | None, list[Done | Refused]]:
    """Receive one request after the other."""
    inbox: Inbox = {}
    entity: Any = free
    answers = []
    for request in requests:
        inbox, entity, answer = receive(inbox, entity, request, step)
        answers.append(answer)
    return entity, answers


def test_an_action_and_its_undo() -> None:
    """The undo gets the action's answer from the inbox, whatever the request says."""
    assert receive_all(5, ask(DO)) == (3, [Done("took 2")])
    assert receive_all(5, ask(DO), ask(UNDO, answer="lies")) == (5, [Done("took 2"), Done()])


def test_a_duplicate_gets_the_first_answer_again() -> None:
    """Done or refused, done or undone."""
    assert receive_all(5, ask(DO), ask(DO, attempt=2)) == (3, [Done("took 2"), Done("took 2")])
    assert receive_all(1, ask(DO), ask(DO, attempt=2)) == (1, [Refused("sold out")] * 2)
    assert receive_all(5, ask(DO), ask(UNDO), ask(UNDO, attempt=2)) == (5, [Done("took 2"), Done(), Done()])


def test_a_refusal_is_remembered() -> None:
    """It stays a no when there is enough by then: the saga may have heard it."""
    inbox, entity, answer = receive({}, 1, ask(DO), TAKE)
    assert (entity, answer) == (1, Refused("sold out"))
    assert receive(inbox, 100, ask(DO, attempt=2), TAKE) == (inbox, 100, Refused("sold out"))


def test_an_undo_whose_action_never_came_succeeds() -> None:
    """There is nothing to undo."""
    assert receive_all(5, ask(UNDO), ask(UNDO)) == (5, [Done(), Done()])


def test_a_late_action_meets_the_tombstone() -> None:
    """It is refused, and stays refused."""
    assert receive_all(5, ask(UNDO), ask(DO), ask(DO)) == (5, [Done(), TOMBSTONE, TOMBSTONE])


def test_a_late_duplicate_of_an_action_that_was_undone_does_nothing() -> None:
    """Its answer is the first one."""
    assert receive_all(5, ask(DO), ask(UNDO), ask(DO)) == (5, [Done("took 2"), Done(), Done("took 2")])


def test_an_undo_of_what_was_refused_has_nothing_to_undo() -> None:
    """It succeeds."""
    assert receive_all(1, ask(DO), ask(UNDO)) == (1, [Refused("sold out"), Done()])


def test_an_entity_comes_and_goes() -> None:
    """``None`` when it does not exist, `GONE` when it exists no more."""
    letter = local("SENT", lambda _, text: text, undo=lambda *_: GONE, undone="BACK", entity=str)
    do, undo = (Request("s", "SENT", kind, "hello", Call("k")) for kind in (DO, UNDO))
    assert receive({}, None, do, letter)[1:] == ("hello", Done())
    inbox, entity, _ = receive({}, None, do, letter)
    assert receive(inbox, entity, undo, letter)[1:] == (None, Done())


def test_a_refused_undo_leaves_the_entity() -> None:
    """It is for an operator then."""
    stubborn = local("TAKEN", take, undo=lambda *_: Refused("gone"), undone="GIVEN", entity=str)
    assert receive_all(5, ask(DO), ask(UNDO), step=stubborn) == (3, [Done("took 2"), Refused("gone")])


def test_what_breaks_the_contract_changes_nothing() -> None:
    """An exception leaves the inbox as it was, so that the request can come again."""
    forgets = local("TAKEN", lambda *_: None, undo=give, undone="GIVEN", entity=str)
    inbox: Inbox = {}
    with pytest.raises(ParticipantError, match="TAKEN: <lambda> gave back None; return the entity, Changed"):
        receive(inbox, 5, ask(DO), forgets)
    assert inbox == {}


def test_keys_of_other_sagas_and_steps_are_not_looked_at() -> None:
    """A slice of the inbox serves."""
    other: Inbox = {"t/TAKEN/do": Done("x"), "s/OTHER/undo": Done()}
    inbox, entity, answer = receive(other, 5, ask(DO), TAKE)
    assert (entity, answer) == (3, Done("took 2"))
    assert inbox == {**other, "s/TAKEN/do": Done("took 2")}


@given(st.integers(0, 4), st.lists(st.sampled_from([DO, UNDO]), max_size=12))
def test_in_any_order_everything_happens_at_most_once(free: int, kinds: list[Kind]) -> None:
    """The effect is there once, or not at all; after an undo it is not, and never comes again."""
    inbox: Inbox = {}
    entity, first = free, dict[Kind, Done | Refused]()
    for kind in kinds:
        before = inbox
        inbox, entity, answer = receive(before, entity, ask(kind), TAKE)
        assert answer == first.setdefault(kind, answer)
        assert entity in (free, free - 2)
        assert entity == (free - 2 if isinstance(first.get(DO), Done) and UNDO not in first else free)
        assert before.items() <= inbox.items()


@given(st.permutations([("s", DO), ("s", DO), ("s", UNDO), ("t", DO), ("t", DO), ("t", UNDO), ("u", DO)]))
def test_sagas_do_not_disturb_each_other(order: list[tuple[str, Kind]]) -> None:
    """Three sagas on one entity: at the end only the one that was not undone has its part."""
    inbox: Inbox = {}
    free: Any = 100
    for saga_id, kind in order:
        request = Request(saga_id, "TAKEN", kind, 2, Call(f"{saga_id}/TAKEN/{kind.value}"))
        inbox, free, _ = receive(inbox, free, request, TAKE)
        assert 94 <= free <= 100
    assert free == 98
