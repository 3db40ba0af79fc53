"""Hostile values and functions through every public call: a public error that says what to do, and nobody else hurt."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from functools import partial
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends
from amends import (
    AmendsError,
    Backoff,
    Command,
    Completed,
    DefinitionError,
    Done,
    Handle,
    ParticipantError,
    RequestRefused,
    Saga,
    StoreError,
    UnusableInput,
    external,
    local,
)
from tests.acceptance.command import amends as command
from tests.engine.test_engine import PATIENCE_S, run

WAITS = 4  # the exit code of what waits for an operator
TINY = Backoff(0.001, 0.002)


class Mixed(str, Enum):  # noqa: UP042 - what an older program has
    """An enum that is a text, and whose members format as something else."""

    A = "A_MIXED"


class Word(StrEnum):
    """An enum that is a text."""

    YES = "yes"


class Mute:
    """What has neither words, nor equality, nor a hash."""

    def __repr__(self) -> str:
        raise KeyboardInterrupt("no repr")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("no equality")

    __hash__ = None  # type: ignore[assignment]


class Text(str):
    """A text that raises whenever it is looked at."""

    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __format__(self, spec: str) -> str:
        raise RuntimeError("no format")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class Pair(NamedTuple):
    """A record."""

    left: int
    right: float = 0.0


@dataclass
class Loose:
    """A record that can be changed, and that another one of dataclasses cannot be told from."""

    names: list[str]


@dataclass
class Raises:
    """A record that cannot be read back."""

    cents: int

    def __post_init__(self) -> None:
        if self.cents:
            raise LookupError("not again")


@dataclass
class Unhashable:
    """A function that is an object, and has no hash."""

    rate: int = 1

    def __call__(self, before: int | None, asked: int) -> int:
        """Give the next entity."""
        return self.rate


def looped() -> list[Any]:
    """Return a list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


def deep(levels: int) -> Any:
    """Return lists in lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


async def later(*_: Any) -> int:
    """Return what nobody awaits."""
    return 1


def unreadable() -> Raises:
    """Return a record that was made good, and then changed."""
    record = Raises(0)
    record.cents = 1
    return record


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "an int": lambda: 5,
    "too many digits": lambda: 10**5000,
    "nan": lambda: nan,
    "a signalling NaN": lambda: Decimal("sNaN"),
    "bytes": lambda: b"ab",
    "a memoryview": lambda: memoryview(b"ab"),
    "an enum of texts": lambda: Mixed.A,
    "a StrEnum": lambda: Word.YES,
    "a text that raises": lambda: Text("t"),
    "mute": Mute,
    "a lone surrogate": lambda: "\ud800",
    "NUL": lambda: "a\0b",
    "an empty text": lambda: "",
    "a key of a surrogate": lambda: {"\ud800": 1},
    "int keys": lambda: {1: "a"},
    "a list that holds itself": looped,
    "1000 lists in lists": lambda: deep(1000),
    "a set": lambda: {1, 2},
    "a tuple of a dict": lambda: ({"a": 1},),
    "an unreadable record": unreadable,
    "a generator": lambda: iter([1]),
    "a lambda": lambda: lambda *_: 1,
    "the class Done": lambda: Done,
    "Done(Done)": lambda: Done(Done(1)),
    "an exception": lambda: ValueError("a value"),
}

good = Saga("good", dict, [external("GOOD_DONE", lambda *_: Done(), pivot=True)])


def world(give: Callable[[], Any]) -> tuple[Saga, Command, set[str]]:
    """Return a saga and a command whose functions give back what they are told to, at the places that are set."""
    at: set[str] = set()

    def act(before: Any, asked: Any) -> Any:
        return give() if "act" in at else 1

    def named(asked: Any) -> Any:
        return give() if "entity" in at else "x"

    def send(client: Any, asked: Any, call: Any) -> Any:
        return Done(give()) if "send" in at else Done()

    def order(before: Any, body: Any) -> Any:
        return give() if "order" in at else 1

    def prepare(entities: Any, saga_id: str, asked: Any) -> Any:
        return give() if "prepare" in at else {}

    times: dict[str, Any] = {"backoff": TINY, "limit_s": 0.02}
    steps = [
        local("A_DONE", act, undo=lambda before, asked: amends.GONE, undone="A_UNDONE", entity=named, **times),
        external("S_DONE", send, undo=lambda *_: Done(), undone="S_UNDONE", timeout_s=0.02, **times),
    ]
    return Saga("hostile", dict, steps, prepare=prepare), Command("ORDERED", "C", order), at


def asks(engine: Any, saga: Saga, order: Command, give: Callable[[], Any], saga_id: str) -> list[Callable[[], Any]]:
    """Return every public call with a value in each place."""
    return [
        lambda: engine.submit(good, give()),
        lambda: engine.submit(good, {"a": give()}, key="a"),
        lambda: engine.submit(saga, give(), key="b"),
        lambda: engine.submit(good, {}, key=give()),
        lambda: engine.submit_many(good, give()),
        lambda: engine.submit_many(good, [{}], keys=give()),
        lambda: engine.submit_many(good, [{}, give(), {}]),
        lambda: engine.answer(give(), Done()),
        lambda: engine.answer(f"{saga_id}/GOOD_DONE/do", give()),
        lambda: engine.answer(f"{saga_id}/GOOD_DONE/do", Done(give())),
        lambda: engine.tell(give(), amends.Cancel()),
        lambda: engine.tell(saga_id, give()),
        lambda: engine.tell(saga_id, amends.Cancel(give())),
        lambda: engine.tell(saga_id, amends.Retry(give())),
        lambda: engine.tell(saga_id, amends.Retry("GOOD_DONE", give())),
        lambda: engine.tell(saga_id, amends.Resolve("GOOD_DONE", give())),
        lambda: engine.result(give(), 0),
        lambda: engine.entity(give(), "x"),
        lambda: engine.entity("C", give()),
        lambda: engine.carry_out(give(), "x", 1),
        lambda: engine.carry_out(order, give(), 1),
        lambda: engine.carry_out(order, give(), 1, key="d"),
        lambda: engine.carry_out(order, "x", give(), key="c"),
        lambda: engine.carry_out(order, "x", 1, key=give()),
        lambda: engine.transact(lambda work: work.entities["C"].update(t=give())),
        lambda: engine.transact(lambda work: work.entities[give()].update(t=1)),
        lambda: engine.transact(lambda _: None, give()),
    ]


STOPS = (StoreError, amends.EngineStopped)


async def said(ask: Callable[[], Any]) -> Any:
    """Return what is answered, or the error that a caller may expect; any other fails the test."""
    try:
        return await ask()
    except (AmendsError, TimeoutError) as error:
        return error


@pytest.mark.parametrize("name", VALUES)
def test_a_value_through_every_call(name: str, tmp_path: Path) -> None:
    """Each takes it, or raises a public error; the engine goes on, and a restart reads what was there before."""
    give = VALUES[name]
    saga, order, at = world(give)
    url = f"sqlite:///{tmp_path}/s.db"

    async def healthy(engine: Any) -> None:
        handle = await engine.submit(good, {})
        assert isinstance((await handle.result(PATIENCE_S)).state, Completed)

    async def attack(engine: Any) -> dict[tuple[str, str], Any]:
        first = await engine.submit(good, {})
        for ask in asks(engine, saga, order, give, first.saga_id):
            assert not isinstance(await said(ask), STOPS)
        for place in ("prepare", "act", "entity", "send", "order"):
            at.add(place)
            begun = await said(lambda: engine.submit(saga, {}))
            ended = await said(partial(begun.result, PATIENCE_S)) if isinstance(begun, Handle) else begun
            ordered = await said(lambda: engine.carry_out(order, "o", 1))
            assert not isinstance(ended, (*STOPS, TimeoutError))
            assert not isinstance(ordered, STOPS)
            at.clear()
            await healthy(engine)
        return {(service, one): await engine.entity(service, one) for service, one in seen}

    seen = [("A", "x"), ("C", "x"), ("C", "t"), ("C", "o")]

    async def test() -> None:
        async with amends.open(url, sagas=[saga, good], commands=[order]) as engine:
            left = await attack(engine)
        async with amends.open(url, sagas=[saga, good], commands=[order]) as engine:
            for (service, one), value in left.items():
                again = await engine.entity(service, one)
                assert (type(again), repr(again)) == (type(value), repr(value))
            await healthy(engine)

    run(test())
    for words in (["audit", "verify"], ["sagas"], ["status"]):
        ran = command(*words, "--db", tmp_path / "s.db")
        assert ran.code in (0, WAITS), ran.out


@pytest.mark.parametrize("service", [None, 5, nan, b"C", "", "a/b", "\ud800", Mixed.A], ids=repr)
def test_a_service_is_a_name(service: Any) -> None:
    """What a transaction writes for anything else is refused there: no table takes it, or the audit would deny it."""
    life = amends.open("memory:", sagas=[good])
    with life as engine:
        with pytest.raises(ParticipantError, match="is no service; its name is printable text"):
            engine.transact(lambda work: work.entities[service].update(x=1))
        assert isinstance(engine.submit(good, {}).result(PATIENCE_S).state, Completed)


@pytest.mark.parametrize("where", ["act", "send", "transact", "prepare"])
def test_a_participant_that_closes_the_engine_is_told(where: str, tmp_path: Path) -> None:
    """It would wait for itself: the engine goes on, and gives its store back in the end."""
    closes: list[Any] = []

    def close(place: str, answer: Any) -> Any:
        if place == where:
            closes[0].close()
        return answer

    async def send(client: Any, asked: Any, call: Any) -> Any:
        return close("send" if call.attempt == 1 else "", Done())

    steps = [
        local(
            "A_DONE",
            lambda _, asked, call: close("act" if call.attempt == 1 else "", 1),
            entity=str,
            undo=max,
            undone="A_UNDONE",
            backoff=TINY,
        ),
        external("S_DONE", send, pivot=True, backoff=TINY),
    ]
    saga: Saga = Saga("closing", int, steps, prepare=lambda _, saga_id, asked: close("prepare", asked))
    url = f"sqlite:///{tmp_path}/s.db"
    with amends.open(url, sagas=[saga, good]) as engine:
        closes.append(engine)
        if where in ("act", "send"):
            assert isinstance(engine.submit(saga, 1).result(PATIENCE_S).state, Completed)
        else:
            with pytest.raises(ParticipantError, match="would wait for ever"):
                engine.transact(lambda _: engine.close()) if where == "transact" else engine.submit(saga, 1)
        assert isinstance(engine.submit(good, {}).result(PATIENCE_S).state, Completed)
    with amends.open(url, sagas=[saga, good]) as engine:
        assert isinstance(engine.submit(good, {}).result(PATIENCE_S).state, Completed)


@pytest.mark.parametrize(
    "answer", [later, lambda _: (one for one in "ab"), lambda _: ValueError("x"), lambda _: KeyboardInterrupt()]
)
def test_a_transaction_that_would_go_on_is_none(answer: Any) -> None:
    """A coroutine, a generator or an exception as a value: nothing is committed, and whoever asks is told."""
    answers: list[Any] = []

    def write(work: Any) -> Any:
        work.entities["C"]["x"] = 1
        answers.append(answer(work))
        return answers[-1]

    with amends.open("memory:", sagas=[good]) as engine:
        with pytest.raises(ParticipantError, match="and nothing of it is done"):
            engine.transact(write)
        assert engine.entity("C", "x") is None
    for coroutine in filter(inspect.iscoroutine, answers):
        coroutine.close()  # a collector in the middle of a named tuple could not warn that it was not awaited


def test_a_unit_of_work_is_over_when_its_function_returns() -> None:
    """Whoever kept it, or its entities, is told, in whatever thread: what is done in it would be stored nowhere."""
    kept: list[Any] = []

    def prepare(entities: Any, saga_id: str, asked: Any) -> Any:
        kept.append(entities)
        return asked

    saga = Saga("kept", dict, [external("K_DONE", lambda *_: Done(), pivot=True)], prepare=prepare)
    with amends.open("memory:", sagas=[saga]) as engine:
        work = engine.transact(lambda work: work)
        engine.submit(saga, {}).result(PATIENCE_S)
        uses: list[Callable[[], Any]] = [
            lambda: work.entities["C"].get("x"),
            lambda: work.entities["C"].update(x=1),
            lambda: work.execute(Command("ORDERED", "C", lambda _, body: body), "x", 1),
            lambda: kept[0]["C"].get("x"),
            lambda: kept[0]["C"].update(x=1),
        ]
        for use in uses:
            with pytest.raises(ParticipantError, match="this unit of work is over"):
                use()
        assert engine.entity("C", "x") is None


def test_types_that_cannot_be_told_apart_are_one_callers_matter() -> None:
    """A command's entities are of a type that cannot stand beside the known one: it is refused, and nothing learned."""

    def count(before: Loose | None, asked: int) -> Loose:
        return Loose([*(before.names if before else []), "a"])

    def other(before: Raises | None, body: int) -> Raises:
        raise NotImplementedError

    def unheard(before: complex | None, body: int) -> complex:
        raise NotImplementedError

    for function, kind in ((count, Loose), (other, Raises), (unheard, complex)):
        function.__annotations__["before"] = kind
    saga = Saga("typed", int, [local("A_DONE", count, entity=str, pivot=True)])
    with amends.open("memory:", sagas=[saga]) as engine:
        for function in (other, unheard):
            with pytest.raises(DefinitionError, match=r"the entities of A, .* cannot be read back from JSON"):
                engine.carry_out(Command("ORDERED", "A", function), "1", 1)
            assert isinstance(engine.submit(saga, 1).result(PATIENCE_S).state, Completed)
        assert engine.entity("A", "1") == Loose(["a", "a"])


def test_what_raises_when_it_is_read_back_refuses_its_request() -> None:
    """Also what a comparison raises; with a key and without one."""
    for kind, value in ((Decimal, Decimal("sNaN")), (Raises, unreadable())):
        saga = Saga("typed", kind, [external("T_DONE", lambda *_: Done(), pivot=True)])
        with amends.open("memory:", sagas=[saga]) as engine:
            for key in (None, "k"):
                with pytest.raises(RequestRefused, match=r"cannot be stored.*(not finite|LookupError)"):
                    engine.submit(saga, value, key=key)


def test_a_type_that_names_what_is_not_there_is_refused() -> None:
    """Not with a `NameError`."""

    @dataclass
    class Node:
        below: list[Node]

    with pytest.raises(DefinitionError, match="Node"):  # noqa: PT012 - whichever of them says it
        saga = Saga("nodes", Node, [external("N_DONE", lambda *_: Done(), pivot=True)])
        amends.open("memory:", sagas=[saga]).__enter__()


@pytest.mark.parametrize("function", [Unhashable(), 5, None, Mute, lambda before: before])
def test_a_function_that_cannot_serve_is_refused_when_it_is_named(function: Any) -> None:
    """One without a hash is: what is known of a function is found by it."""
    with pytest.raises(DefinitionError, match="must take"):
        Command("ORDERED", "C", function)
    with pytest.raises(DefinitionError, match=r"must take .*, and be hashable"):
        Saga("s", dict, [local("A_DONE", function, entity=str, pivot=True)])


@pytest.mark.parametrize("name", [Mixed.A, Word.YES])
def test_a_name_is_a_plain_text(name: Any) -> None:
    """An enum's member is formatted as another text than it equals: keys and records would not find it."""
    with pytest.raises(DefinitionError, match="printable text"):
        Saga("s", dict, [external(name, lambda *_: Done(), service="S", pivot=True)])


OPENED: list[dict[str, Any]] = [
    {"sagas": 5},
    {"sagas": ["good"]},
    {"sagas": [Saga]},
    {"sagas": "good"},
    {"commands": [5]},
    {"commands": Command("A", "B", max)},
    {"clients": ["GOOD"]},
    {"clients": 5},
    {"concurrency": 5},
    {"concurrency": {"GOOD": nan}},
    {"concurrency": {"GOOD": "8"}},
    {"concurrency": {"GOOD": True}},
    {"queue_max": nan},
    {"queue_max": "5"},
    {"queue_max": 2.5},
    {"upcasts": [max]},
]


@pytest.mark.parametrize("options", OPENED, ids=repr)
def test_what_an_engine_cannot_be_opened_with_is_named(options: dict[str, Any]) -> None:
    """At once: a limit that is no number would let no call through, without a word."""
    with pytest.raises(UnusableInput, match=next(iter(options))):
        amends.open("memory:", **({"sagas": [good]} | options))


@pytest.mark.parametrize("key", [None, "k"])
def test_what_never_was_can_be_deleted(key: str | None, tmp_path: Path) -> None:
    """By a transaction, a command, or after it was made in the same batch: an honest store says so."""
    clear = Command("CLEARED", "C", lambda *_: amends.GONE)

    def make_and_delete(transaction: amends.Transaction) -> None:
        transaction.entities["C"]["y"] = 1
        transaction.execute(clear, "z", None)  # records what was written before it
        del transaction.entities["C"]["y"]

    with amends.open(f"sqlite:///{tmp_path}/s.db", sagas=[good]) as engine:
        engine.transact(lambda work: work.entities["C"].update(x=None))
        engine.transact(make_and_delete)
        engine.carry_out(clear, "z", None, key=key)
        engine.carry_out(clear, "z", None)
        assert [engine.entity("C", one) for one in "xyz"] == [None, None, None]
    ran = command("audit", "verify", "--db", tmp_path / "s.db")
    assert ran.code == 0, ran.out
