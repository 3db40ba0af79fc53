"""Whoever is given a value owns a copy of it, or cannot change it; what a function did before it refused is gone."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from amends import Backoff, Call, Changed, Command, Compensated, Completed, Done, Handle, Refused, Saga, external, local
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from amends.engine.tasks import ExecuteCommand, Transact
from tests.engine.test_engine import PATIENCE_S, engine, run
from tests.engine.world import Buy, Life, nothing


def spoil(value: Any) -> None:
    """Change everything that can be changed in a value, in place."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value.clear()
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.append("spoilt")
    elif isinstance(value, tuple):
        for item in value:
            spoil(item)


class Held(NamedTuple):
    """A tuple that holds what can be changed."""

    counts: dict[str, int]


REQUEST = {"show": "Hamlet", "seats": [1, 2]}


def seats_of(asked: dict[str, Any]) -> str:
    """An entity's id, by a function that spoils what it is given."""
    name = str(asked["show"])
    spoil(asked)
    return name


class Seen:
    """What functions were given, before they spoilt it."""

    def __init__(self) -> None:
        self.by: dict[str, list[Any]] = {}

    def __call__(self, name: str, *given: Any) -> None:
        """Note it, and spoil it."""
        self.by.setdefault(name, []).append(json.loads(json.dumps(given)))
        for value in given:
            spoil(value)


def greedy(seen: Seen, pivot: Any) -> Saga:
    """A saga whose every function spoils all that it is given; `pivot` says how it ends."""

    def hold(entity: Held | None, asked: dict[str, Any], call: Call) -> Changed:
        before = {} if entity is None else dict(entity.counts)
        seen("hold", asked, entity, call.answers)
        return Changed(Held({**before, "held": 1}), {"row": [7]})

    def free(entity: Held, asked: dict[str, Any], call: Call) -> Held:
        seen("free", asked, entity, call.answer)
        return Held({"freed": 1})

    def charge(client: Any, asked: dict[str, Any], call: Call) -> Done:
        seen("charge", asked, call.answers)
        return Done({"receipt": [asked_number(call)]})

    def refund(client: Any, asked: dict[str, Any], call: Call) -> None:
        seen("refund", asked, call.answers, call.answer)

    async def pack(client: Any, asked: dict[str, Any], call: Call) -> Any:
        seen("pack", asked, call.answers)
        return pivot

    return Saga(
        "greedy",
        dict,
        [
            local("SEATS_HELD", hold, undo=free, undone="SEATS_FREED", entity=seats_of),
            external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", backoff=Backoff(0.001, 0.001)),
            external("BOX_PACKED", pack, undo=nothing, undone="BOX_UNPACKED"),
        ],
    )


def asked_number(call: Call) -> int:
    """The number of an attempt."""
    return call.attempt


@pytest.mark.parametrize("pivot", [Done(), Refused("sold out")])
def test_what_functions_do_to_what_they_are_given_changes_nothing(pivot: Any) -> None:
    """Not for the steps after them, the undo, what is stored, the caller's request, nor the client that reads it."""
    seen, asked, store = Seen(), json.loads(json.dumps(REQUEST)), MemoryStore()
    saga = greedy(seen, pivot)
    with BlockingEngine(engine(store, saga)) as running:
        handle = running.submit(saga, asked)
        asked["seats"].append(99)
        result = handle.result(PATIENCE_S)
        answers = {"SEATS_HELD": {"row": [7]}, "CARD_CHARGED": {"receipt": [1]}}
        assert result.answers == answers
        for again in (handle.result(), running.result(handle.saga_id)):
            assert again.answers == answers
            spoil(again.answers)
        assert handle.result().answers == answers
        entity = running.entity("SEATS", "Hamlet")
        assert entity == Held({"held": 1} if pivot == Done() else {"freed": 1})
        spoil(entity)
        assert running.entity("SEATS", "Hamlet") == Held({"held": 1} if pivot == Done() else {"freed": 1})
    assert all(given[0] == REQUEST for calls in seen.by.values() for given in calls)
    assert seen.by["charge"][0][1] == {"SEATS_HELD": {"row": [7]}}
    assert seen.by["pack"][0][1] == answers
    if pivot != Done():
        assert seen.by["refund"] == [[REQUEST, {"SEATS_HELD": {"row": [7]}}, {"receipt": [1]}]]
        assert seen.by["free"] == [[REQUEST, [{"held": 1}], {"row": [7]}]]
    row = store.saga(handle.saga_id)
    assert row is not None
    assert json.loads(row.request) == REQUEST


def stored(store: MemoryStore, name: str) -> Any:
    """Return an entity as it is stored, ``SERVICE/id``."""
    row = store.entity(*name.split("/"))
    return None if row is None else json.loads(row.body or "null")


def refuse(entity: Any, asked: Any) -> Refused:
    """Change the entity, and refuse."""
    spoil(entity)
    return Refused("no")


def fail(entity: Any, asked: Any) -> Any:
    """Change the entity, and raise."""
    spoil(entity)
    raise ZeroDivisionError


OPENED = Command("OPENED", "SEATS", lambda entity, size: {"free": size, "rows": [[1]]})
OPEN = {"free": 5, "rows": [[1]]}


@pytest.mark.parametrize("function", [refuse, fail])
def test_what_a_function_did_before_it_refused_or_raised_is_gone(function: Any) -> None:
    """A step of a saga, a command, and a command within a transaction that goes on."""
    store = MemoryStore()
    step = local("SEATS_HELD", function, undo=lambda entity, _: entity, undone="SEATS_FREED", entity=lambda _: "x")
    life = Life(store, Saga("holding", Buy, [step]))
    life.turn(ExecuteCommand(OPENED, "x", 5))
    life.begin(Buy("x", 1), Buy("x", 1))
    assert stored(store, "SEATS/x") == OPEN
    order = Command("CHANGED", "SEATS", function)
    life.turn(ExecuteCommand(order, "x", None))
    seen: list[Any] = []

    def transact(work: Any) -> None:
        work.entities["SEATS"]["y"] = {"free": 1}
        try:
            work.execute(order, "x", None)
        except ZeroDivisionError:
            seen.append("raised")
        seen.append(work.entities["SEATS"]["x"])

    life.turn(Transact(transact))
    assert seen[-1] == OPEN == stored(store, "SEATS/x")
    assert stored(store, "SEATS/y") == {"free": 1}
    assert any('"written"' in block.records for block in store.blocks())


def test_what_is_changed_and_not_written_is_not_changed() -> None:
    """By `prepare`, in a transaction, and by whoever looked an entity up."""
    store, kept = MemoryStore(), list[Any]()

    def prepare(entities: Any, saga_id: str, asked: Any) -> Any:
        spoil(entities["SEATS"]["x"])
        spoil(asked)
        return Buy("x", entities["SEATS"]["x"]["free"])

    def hold(entity: dict[str, Any], buy: Buy) -> dict[str, Any]:
        kept.append(entity)
        return {**entity, "free": entity["free"] - buy.seats}

    saga = Saga("holding", Buy, [local("SEATS_HELD", hold, entity=lambda _: "x", pivot=True)], prepare=prepare)
    life, asked = Life(store, saga), {"seats": [1]}
    life.turn(ExecuteCommand(OPENED, "x", 5))
    life.turn(Transact(lambda work: spoil(work.entities["SEATS"]["x"])))
    assert isinstance(life.begin(asked).ended["a-1"].state, Completed)
    assert asked == {"seats": [1]}
    spoil(kept[0])
    assert life.turn(Transact(lambda work: work.entities["SEATS"]["x"])).replies == [{"free": 0, "rows": [[1]]}]


def test_what_a_function_gave_back_is_not_what_the_next_one_is_given() -> None:
    """A function may give back what it keeps for itself, such as a default; the next one changes a copy."""
    default = {"free": 10}

    def hold(entity: dict[str, int] | None, buy: Buy) -> dict[str, int]:
        return default if entity is None else entity

    def sell(entity: dict[str, int], buy: Buy) -> dict[str, int]:
        entity["free"] -= buy.seats
        return entity

    steps = [
        local("SEATS_HELD", hold, undo=sell, undone="SEATS_FREED", entity=lambda buy: buy.show),
        local("SEATS_SOLD", sell, entity=lambda buy: buy.show, pivot=True),
    ]
    store = MemoryStore()
    Life(store, Saga("selling", Buy, steps)).begin(Buy("x", 1), Buy("x", 2), Buy("y", 3))
    assert default == {"free": 10}
    assert (stored(store, "SEATS/x"), stored(store, "SEATS/y")) == ({"free": 7}, {"free": 7})


def test_the_body_of_a_command_stays_the_callers() -> None:
    """Its function changes a copy; what is recorded is what was asked."""

    def set_to(entity: Any, body: dict[str, int]) -> int:
        return body.pop("size")

    store, body = MemoryStore(), {"size": 3}
    Life(store, Saga("s", Buy, [external("SENT", nothing, pivot=True)])).turn(
        ExecuteCommand(Command("SET", "SEATS", set_to), "x", body)
    )
    assert body == {"size": 3}
    assert '{"size":3}' in "".join(block.values for block in store.blocks())


def test_an_answer_stays_as_it_was_given() -> None:
    """Who gave it may change it afterwards, and so may who resolved a step by hand."""
    given: dict[str, Any] = {"by": ["ada"]}

    async def charge(client: Any, asked: Any, call: Call) -> Done:
        return Done(given)

    async def later(client: Any, asked: Any, call: Call) -> Refused:
        spoil(given)
        return Refused("no")

    async def test() -> None:
        saga = Saga(
            "s",
            Buy,
            [
                external("CARD_CHARGED", charge, undo=nothing, undone="CARD_REFUNDED"),
                external("BOX_PACKED", later, undo=nothing, undone="BOX_UNPACKED"),
            ],
        )
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, Buy("x", 1))
            assert isinstance(handle, Handle)
            result = await handle.result()
            assert isinstance(result.state, Compensated)
            assert result.answers == {"CARD_CHARGED": {"by": ["ada"]}}

    run(test())
