"""Who runs in a scenario: sagas of several definitions and versions, commands, and what `prepare` builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from amends import Refused, Saga, Scenario, UnusableInput, local
from amends.checking import CheckFailed, Under, check, simulate
from amends.core.definition import Command
from amends.core.messages import Call, Changed


class Take(NamedTuple):
    """How many pieces of the one shelf."""

    pieces: int
    who: str = "ann"


SHELF = {"SHELF": {"one": 5}}


def take(stock: int, wanted: Take) -> int | Refused:
    """Take off the shelf."""
    return stock - wanted.pieces if stock >= wanted.pieces else Refused("sold out")


def give_back(stock: int, wanted: Take) -> int:
    """Put back."""
    return stock + wanted.pieces


def set_back(stock: int, wanted: Take, call: Call) -> int:
    """Write back what was remembered."""
    return int(call.answer)


def take_and_remember(stock: int, wanted: Take) -> Changed[int, int] | Refused:
    """Take, and answer what was there before."""
    after = take(stock, wanted)
    return after if isinstance(after, Refused) else Changed(after, stock)


def sent(_: int | None, wanted: Take) -> int:
    """Ship it."""
    return wanted.pieces


def selling(action: Any = take, undo: Any = give_back, **options: Any) -> Saga:
    """Pieces are taken, and shipped."""
    held = local("SHELF_TAKEN", action, undo=undo, undone="SHELF_BACK", entity=lambda _: "one")
    return Saga("selling", Take, [held, local("PARCEL_SENT", sent, pivot=True, entity=lambda it: it.who)], **options)


def restocked(stock: int, pieces: int) -> int:
    """Pieces come in."""
    return stock + pieces


RESTOCK = Command("SHELF_FILLED", "SHELF", restocked)
OLD, NEW = selling(take_and_remember, set_back), selling(version=2)


def test_sagas_of_several_versions_run_together() -> None:
    """The version before answers with what another only held, and writes it back; each alone holds."""
    both = Scenario(NEW, SHELF, [Take(1), Under(OLD, Take(2, "bob"))])
    with pytest.raises(CheckFailed) as failed:
        check(both)
    assert failed.value.answer.counterexample
    assert failed.value.answer.counterexample.broken.rule == "no dirty read"
    check(replace(both, requests=[Under(OLD, Take(2, "bob"))]))
    check(Scenario(NEW, SHELF, [Take(1), Under(selling(version=1), Take(2, "bob"))]))


def test_definitions_may_have_steps_of_their_own() -> None:
    """A return is a saga of another name, on the same shelf."""
    back = Saga("returning", Take, [local("SHELF_GIVEN", give_back, pivot=True, entity=lambda _: "one")])
    layout = check(Scenario(NEW, SHELF, [Take(5), Under(back, Take(1, "bob"))])).found.moves.layout
    assert [*layout.steps_of[1]] == ["SHELF_GIVEN"]
    assert [saga.name for saga in layout.sagas] == ["selling", "returning"]


def test_a_command_comes_at_any_moment() -> None:
    """An undo that writes back what it remembers loses what came in meanwhile; one that adds does not."""
    bad = Scenario(OLD, SHELF, [Take(1)], commands=[(RESTOCK, "one", 7)])
    with pytest.raises(CheckFailed) as failed:
        check(bad)
    assert failed.value.answer.counterexample
    assert failed.value.answer.counterexample.broken.rule == "no lost update"
    assert "SHELF_FILLED" in str(failed.value)
    check(replace(bad, saga=NEW))
    check(replace(bad, commands=()))


def priced(entities: Mapping[str, Mapping[str, Any]], saga_id: str, asked: Any) -> Take | Refused:
    """Take so many percent of what is there."""
    if asked > 100:
        return Refused("too much")
    return Take(entities["SHELF"]["one"] * asked // 100, saga_id)


def test_prepare_runs() -> None:
    """Where there are no requests, it builds one for each that is asked, from the entities of the start."""
    scenario = Scenario(selling(prepare=priced), SHELF, [], asked=[40, 60])
    assert check(scenario).found.moves.layout.requests == (Take(2, "s1"), Take(3, "s2"))
    with pytest.raises(UnusableInput, match="prepare refused 101: too much"):
        check(replace(scenario, asked=[101]))
    with pytest.raises(UnusableInput, match="prepare raised TypeError"):
        check(replace(scenario, asked=["many"]))
    with pytest.raises(UnusableInput, match="no requests"):
        check(replace(scenario, saga=NEW))


def while_there_is_any(entities: Mapping[str, Mapping[str, Any]], saga_id: str, asked: Any) -> Take | Refused:
    """Look whether there is enough."""
    return Take(asked, saga_id) if entities["SHELF"]["one"] >= asked else Refused("sold out")


def test_what_prepare_saw_does_not_outlive_another_saga() -> None:
    """Both were started while there was enough, and a step that does not look again takes it twice."""
    looked = Scenario(selling(lambda stock, wanted: stock - wanted.pieces, prepare=while_there_is_any), SHELF, [],
                      asked=[3, 3])  # fmt: skip
    with pytest.raises(CheckFailed, match="What prepare saw may be") as failed:
        check(looked)
    assert failed.value.answer.counterexample
    assert failed.value.answer.counterexample.broken.rule == "as if one after the other"
    check(replace(looked, asked=[3, 2]))
    check(replace(looked, saga=selling(prepare=while_there_is_any)))


def test_what_is_checked_alone_is_not_simulated() -> None:
    """The simulator runs one definition, and says so."""
    for scenario in (
        Scenario(NEW, SHELF, [Under(OLD, Take(1))]),
        Scenario(NEW, SHELF, [Take(1)], commands=[(RESTOCK, "one", 7)]),
    ):
        with pytest.raises(UnusableInput, match="checked alone, not simulated"):
            simulate(scenario)
