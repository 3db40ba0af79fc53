"""Local steps at once: what a pure function may give back, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from amends.core.definition import Command, Saga, local, parallel
from amends.core.effects import Send
from amends.core.messages import GONE, Answered, Call, Changed, Done, Later, Refused, Unknown
from amends.core.run import run
from amends.core.state import Compensated, Completed, NeedsOperator
from amends.core.step import start, step
from amends.core.table import first_way
from amends.core.walk import execute, walk
from amends.errors import AmendsError, ParticipantError


def keep(entity: Any, request: Any) -> Any:
    """Leave the entity as it is."""
    return entity


WAYS = ["A/do", "B/do", "C/do", "D/do", "B/undo", "C/undo", "A/undo"]
"""What four steps are asked, in this order, when the last refuses: B and C are a group."""


def saga_of(action: Any, *more: Any) -> Saga:
    """Return a saga of one step, and more."""
    return Saga("test", Any, [local("A", action, undo=keep, undone="A_UNDONE", entity=str), *more])


def test_an_entity_is_written() -> None:
    """It replaces the one before."""
    entities: dict[str, dict[str, Any]] = {"A": {"x": 1}}
    assert run(saga_of(lambda n, _: n + 1), "x", entities=entities).state == Completed()
    assert entities == {"A": {"x": 2}}


def test_a_new_entity_comes_from_none() -> None:
    """The function gets ``None`` when it does not exist."""
    entities: dict[str, dict[str, Any]] = {"A": {}}
    run(saga_of(lambda before, _: (before, "new")), "x", entities=entities)
    assert entities == {"A": {"x": (None, "new")}}


def test_gone_deletes() -> None:
    """Also what does not exist."""
    both: list[dict[str, dict[str, Any]]] = [{"A": {"x": 1}}, {"A": {}}]
    for entities in both:
        assert run(saga_of(lambda *_: GONE), "x", entities=entities).state == Completed()
        assert entities == {"A": {}}


def test_changed_carries_an_answer() -> None:
    """To later steps, and to the own undo."""
    seen: list[tuple[Any, Any]] = []

    def note(entity: Any, request: Any, call: Call) -> Any:
        seen.append((dict(call.answers), call.answer))
        return Refused("no") if call.key.endswith("B/do") else GONE

    first_step = local("A", lambda *_: Changed("new", 42), undo=note, undone="A_UNDONE", entity=str)
    second_step = local("B", note, undo=keep, undone="B_UNDONE", entity=str)
    entities: dict[str, dict[str, Any]] = {"A": {}, "B": {}}
    assert run(Saga("test", str, [first_step, second_step]), "x", entities=entities).state == Compensated()
    assert seen == [({"A": 42}, None), ({}, 42)]
    assert entities == {"A": {}, "B": {}}


def test_a_call_is_the_same_at_once_and_over_a_wire() -> None:
    """It has the answers of the groups before, not those of siblings, and for an undo its action's own."""
    seen: list[Call] = []

    def tell(entity: Any, request: str, call: Call) -> Any:
        seen.append(call)
        return Refused("no") if call.key == "s/D/do" else Changed(1, call.key)

    parts = [local(name, tell, undo=tell, undone=f"{name}_UNDONE", entity=str) for name in "ABCD"]
    definition = Saga("test", str, [parts[0], parallel(parts[1], parts[2]), parts[3]])
    walk(first_way(definition), "s", "x", {name: {} for name in "ABCD"})
    sent: list[Call] = []
    current, effects = start(definition, "s", "x")
    while sends := [effect for effect in effects if isinstance(effect, Send)]:
        for asked in [send.request for send in sends]:
            sent.append(asked.call)
            outcome = Refused("no") if asked.call.key == "s/D/do" else Done(asked.call.key)
            current, effects = step(current, Answered(asked.step, asked.kind, outcome), 0)
    assert seen == sent
    assert [call.key for call in seen] == [f"s/{way}" for way in WAYS]
    assert seen[2].answers == {"A": "s/A/do"}
    assert (seen[4].answers, seen[4].answer) == ({"A": "s/A/do"}, "s/B/do")
    at_once, effects = start(definition, "s", "x", 0, {name: {} for name in "ABCD"})
    assert len(effects) == 1
    assert at_once == current._replace(number=1), "and where it ends is the same"


def test_changed_can_delete_and_answer() -> None:
    """The last word of an entity."""
    entities: dict[str, dict[str, Any]] = {"A": {"x": 1}}
    ended = run(saga_of(lambda *_: Changed(GONE, "bye")), "x", entities=entities)
    assert (entities, ended.answers) == ({"A": {}}, {"A": "bye"})


def test_an_undo_answers_nothing_that_is_kept() -> None:
    """`answers` are those of actions."""
    back = local("A", keep, undo=lambda e, _: Changed(e, "undone"), undone="A_UNDONE", entity=str)
    no = local("B", lambda *_: Refused("no"), undo=keep, undone="B_UNDONE", entity=str)
    assert run(Saga("test", str, [back, no]), "x", entities={"A": {"x": 1}, "B": {}}).answers == {}


@pytest.mark.parametrize("wrong", [None, Done(), Unknown("?"), Later(5), Changed(None, 1), Changed(Refused(), 1)])
@pytest.mark.parametrize("with_call", [False, True])
def test_what_none_may_give_back_is_an_error(wrong: object, with_call: bool) -> None:
    """Above all ``None``: a function that forgot to return must not delete anything."""

    def forgets(entity: Any, request: Any) -> object:
        return wrong

    def forgets_with_call(entity: Any, request: Any, call: Call) -> object:
        return wrong

    entities: dict[str, dict[str, Any]] = {"A": {"x": 1}}
    with pytest.raises(ParticipantError) as caught:
        run(saga_of(forgets_with_call if with_call else forgets), "x", entities=entities)
    name = "forgets_with_call" if with_call else "forgets"
    assert str(caught.value).startswith(f"A: {name} gave back ")
    assert str(caught.value).endswith("; return the entity, Changed(entity, answer), GONE or Refused(reason)")
    assert isinstance(caught.value, AmendsError)
    assert entities == {"A": {"x": 1}}


def test_what_a_function_raises_comes_through() -> None:
    """A pure function has no excuse; whoever called throws the entities away."""
    with pytest.raises(ZeroDivisionError):
        run(saga_of(lambda n, _: n // 0), "x", entities={"A": {"x": 1}})


def test_the_way_is_remembered_and_is_the_same_again() -> None:
    """Compiled once, walked often: with refusals in any place."""

    def take(n: int | None, wanted: str) -> Any:
        return n - 1 if n else Refused("none left")

    def give(n: int, wanted: str) -> int:
        return n + 1

    parts = [local(name, take, undo=give, undone=f"{name}_UNDONE", entity=lambda _: "x") for name in "ABCD"]
    definition = Saga("test", str, [parts[0], parallel(parts[1], parts[2]), parts[3]])
    for _ in range(2):
        for missing in ("", "A", "B", "C", "D", "BC", "AD"):
            entities: dict[str, dict[str, Any]] = {name: {"x": 0 if name in missing else 1} for name in "ABCD"}
            before = {name: dict(owned) for name, owned in entities.items()}
            path, answers, reason, _ = walk(first_way(definition), "s", "x", entities)
            assert path.node.state == (Compensated() if missing else Completed())
            assert reason == ("none left" if missing else "")
            assert entities == ({name: {"x": 0} for name in "ABCD"} if not missing else before)
            assert answers == {}


def test_a_local_undo_is_told_why() -> None:
    """The first refusal, also where another of the group refuses after it, and where an undo before it was refused."""
    told: list[str] = []

    def keep(before: Any, body: str, call: Call) -> str:
        told.append(call.reason)
        return body

    def no(why: str) -> Any:
        return lambda *_: Refused(why)

    first = local("A", keep, undo=keep, undone="A_UNDONE", entity=lambda _: "x")
    unmade: dict[str, Any] = {"undo": keep, "entity": str, "service": "S"}
    pair = parallel(local("B", no("sold out"), undone="D", **unmade), local("C", no("shut"), undone="E", **unmade))
    definition = Saga("told", str, [first, pair])
    _, _, reason, trouble = walk(first_way(definition), "s", "x", {"A": {}, "S": {}})
    assert (told, reason, trouble) == (["", "sold out"], "sold out", "")
    stuck = Saga("stuck", str, [local("A", lambda *_: 1, undo=no("closed"), undone="U", entity=str), pair])
    path, _, reason, trouble = walk(first_way(stuck), "s", "x", {"A": {}, "S": {}})
    assert isinstance(path.node.state, NeedsOperator)
    assert (reason, trouble) == ("sold out", "closed")


# --- commands -------------------------------------------------------------------------------------------------------


def restock(entity: int | None, body: int) -> Any:
    """Add to what there is."""
    if body < 0:
        return Refused("below nothing")
    return {0: None, 1: GONE, 2: Changed((entity or 0) + 2, "told")}.get(body, (entity or 0) + body)


RESTOCK = Command("RESTOCKED", "STOCK", restock)


def test_a_command_changes_one_entity() -> None:
    """What is no step of a saga: a restock, the next order number."""
    entities: dict[str, dict[str, Any]] = {"STOCK": {}}
    assert execute(entities, RESTOCK, "x", 5) is None
    assert execute(entities, RESTOCK, "x", 5) is None
    assert entities == {"STOCK": {"x": 10}}
    assert execute(entities, RESTOCK, "x", 2) is None
    assert entities == {"STOCK": {"x": 12}}
    assert execute(entities, RESTOCK, "x", 1) is None
    assert entities == {"STOCK": {}}


def test_a_refused_command_changes_nothing() -> None:
    """The refusal is a value."""
    entities: dict[str, dict[str, Any]] = {"STOCK": {"x": 1}}
    assert execute(entities, RESTOCK, "x", -1) == Refused("below nothing")
    assert entities == {"STOCK": {"x": 1}}


def test_a_command_that_forgets_to_return_is_an_error() -> None:
    """As for a step."""
    with pytest.raises(ParticipantError, match="RESTOCKED: restock gave back None; return the entity"):
        execute({"STOCK": {"x": 1}}, RESTOCK, "x", 0)


def test_what_another_step_wrote_is_read_again() -> None:
    """Two ways to an id may lead to the same entity; a step sees what was written in between."""

    def shown(request: str) -> str:
        return request

    def add(total: int | None, request: str) -> int:
        return (total or 0) + 1

    first, second = {"undo": add, "entity": shown}, {"undo": add, "entity": str}
    steps = [
        local(f"S_{number}", add, undone=f"S_{number}_UNDONE", service="S", **ways)  # type: ignore[arg-type]
        for number, ways in enumerate((first, second, first))
    ]
    entities: dict[str, dict[str, int]] = {"S": {}}
    walk(first_way(Saga("sums", str, steps)), "s", "x", entities)
    assert entities == {"S": {"x": 3}}
