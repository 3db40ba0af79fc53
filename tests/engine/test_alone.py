"""`run` and the dialogue ask as the engine asks: with a copy of what would be read back from a store."""

from __future__ import annotations

from typing import Any

import pytest

from amends import Call, Changed, Compensated, Completed, Done, ParticipantError, Refused, Saga, external, local
from amends import run as amends_run
from amends.testing import do, given, undo
from tests.checking.cases.asked import (
    ORDER,
    Bank,
    Buy,
    Receipt,
    Shelf,
    card,
    charge,
    charge_async,
    charge_by_set,
    charge_typed,
    count,
    give,
    give_untyped,
    shelf,
    take,
    take_and_tell_typed,
    take_untyped,
    uncount,
)

REFUSES = external("ASKED", lambda *_: Refused("no"), pivot=True)


def outside(action: Any) -> Saga:
    """Return a saga that turns back after a charge."""
    return Saga("sale", Buy, [card(action), REFUSES])


def ours(action: Any, back: Any = give, **options: Any) -> Saga:
    """Return a saga that turns back after a step of ours."""
    return Saga("sale", Buy, [shelf(action, back, **options), REFUSES])


def ran(saga: Saga, entities: Any = None) -> Any:
    """Run a saga with a bank."""
    own = {"SHELF": {}, "ORDER": {}, "NOTE": {}} if entities is None else entities
    return amends_run(saga, Buy(), entities=own, clients={"CARD": Bank(), "ASKED": None})


WRITTEN = [
    (outside(charge_by_set), None, r"/do \(charge_by_set\): the answer cannot be stored: .*`-> Done\[Receipt\]"),
    (
        ours(take_untyped, give_untyped),
        None,
        r"/do \(take_untyped\): the entity SHELF/ann .* would come back as \[2\]",
    ),
    (ours(count, uncount), None, r"SHELF_TAKEN/do \(count\): the entity SHELF/ann .*7, at .keys\(\), would .* '7'"),
    (ours(take), {"SHELF": {"ann": [3]}}, r"the entity SHELF/ann cannot be stored: \[3\] would come back as Shelf"),
    (ours(take, entity=lambda buy: buy.number), None, r"SHELF_TAKEN/do \(take\): SHELF: the entity's id, 7,"),
]


@pytest.mark.parametrize(("saga", "entities", "words"), WRITTEN)
def test_what_would_come_back_as_another_value_is_refused(saga: Saga, entities: Any, words: str) -> None:
    """With step, function, value, and what to do; it is no answer that may come another time."""
    with pytest.raises(ParticipantError, match=words):
        ran(saga, entities)


def test_a_request_is_refused_before_anything_is_asked() -> None:
    """As the engine's submit does."""
    saga = Saga("sale", dict, [local("NOTED", lambda *_: 1, pivot=True, entity=lambda _: "n", service="NOTE")])
    with pytest.raises(ParticipantError, match=r"sale: the request cannot be stored: 1, at .keys\(\), would"):
        amends_run(saga, {1: 2})
    with pytest.raises(ParticipantError, match="sale: the request"):
        given(saga, {1: 2})


def test_with_the_type_said_it_goes_on() -> None:
    """The undo reads the record; the run is of the very definition that was given."""
    saga = outside(charge_typed)
    ended = ran(saga)
    assert (ended.state, ended.answers) == (Compensated(), {"CARD_CHARGED": Receipt("saga-1/CARD_CHARGED/do")})
    assert ended.saga is saga
    kept = {"SHELF": {"ann": Shelf()}}
    assert ran(ours(take_and_tell_typed), kept).state == Compensated()
    assert kept == {"SHELF": {"ann": Shelf()}}


def test_everybody_has_a_copy() -> None:
    """What a function does to what it was given, nobody else sees."""

    def spoil(cell: list[int] | None, asked: list[int], call: Call) -> Changed[list[int], list[int]] | Refused:
        asked.append(9)
        if cell is not None:
            cell.append(9)
            return Refused("sold out")
        return Changed([1], [5])

    def unspoil(cell: list[int], asked: list[int], call: Call) -> list[int]:
        call.answer.append(9)
        return cell

    first = local("FIRST_DONE", spoil, undo=unspoil, undone="FIRST_UNDONE", entity=lambda asked: f"a{len(asked)}")
    again = local("FIRST_AGAIN", spoil, pivot=True, entity=lambda asked: f"a{len(asked)}")
    entities: dict[str, dict[str, Any]] = {"FIRST": {}}
    asked = [0]
    ended = amends_run(Saga("copies", list[int], [first, again]), asked, entities=entities)
    assert (ended.state, ended.reason) == (Compensated(), "sold out")
    assert (asked, ended.request, entities, ended.answers) == ([0], [0], {"FIRST": {"a1": [1]}}, {"FIRST_DONE": [5]})


def test_an_async_function_still_needs_an_engine() -> None:
    """It says so."""
    with pytest.raises(ParticipantError, match=r"charge_async is async; run\(\) calls plain functions alone"):
        ran(outside(charge_async))


def test_what_no_function_may_give_back_is_told_as_before() -> None:
    """By the core, which knows what may be."""
    with pytest.raises(ParticipantError, match=r"SHELF_TAKEN: .* gave back None; return the entity"):
        ran(ours(lambda _entity, _buy: None))
    assert ran(Saga("sale", Buy, [ORDER])).state == Completed()


def test_a_dialogue_hears_what_would_be_read_back() -> None:
    """So an undo gets the record where the step declares it, and else the test is told."""
    saga = outside(charge_typed)
    said = given(saga, Buy()).asks(do("CARD_CHARGED")).done("CARD_CHARGED", Receipt("r")).asks(do("ASKED"))
    said.refused("ASKED").asks(undo("CARD_CHARGED", answer=Receipt("r"))).done("CARD_CHARGED").compensated()
    asked = given(outside(charge)).asks(do("CARD_CHARGED"))
    with pytest.raises(ParticipantError, match=r"CARD_CHARGED/do: the answer .* \{'r'\} would come back as"):
        asked.done("CARD_CHARGED", {"r"})
    with pytest.raises(ParticipantError, match="CARD_CHARGED/do: the answer"):
        asked.resolve("CARD_CHARGED", Done({"r"}))
