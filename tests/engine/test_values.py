"""What is decided on is what would be read back: every value comes back equal, or is refused where it is met."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from math import inf, nan
from typing import Any, Literal, NamedTuple, NewType, TypedDict
from unittest.mock import Mock
from uuid import UUID

import msgspec
import pytest

from amends import (
    GONE,
    Call,
    Changed,
    Command,
    Done,
    Kind,
    Later,
    ParticipantError,
    Refused,
    RequestRefused,
    Saga,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.core.messages import Answered
from amends.engine.tasks import Deliver, ExecuteCommand, Read, Transact
from amends.storage.codecs.closed import closed
from amends.storage.codecs.values import of_a_request, opened, opened_all
from tests.engine.giving_up import given_up
from tests.engine.world import Life, nothing


class Colour(Enum):
    """An enum of texts."""

    RED = "red"


class Size(IntEnum):
    """An enum of numbers."""

    BIG = 3


class Word(StrEnum):
    """An enum that is a text."""

    YES = "yes"


class Pair(NamedTuple):
    """Two numbers."""

    left: int
    right: float = 0.0


class Nested(NamedTuple):
    """One in another."""

    pair: Pair
    more: tuple[Pair, ...]
    note: str | None = None


@dataclass(frozen=True)
class Frozen:
    """A dataclass that cannot be changed."""

    name: str
    pair: Pair


@dataclass
class Loose:
    """A dataclass that can be."""

    names: list[str]
    counts: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Holding:
    """A frozen dataclass that holds what can be changed."""

    counts: dict[str, int]


@dataclass(frozen=True)
class Made:
    """A dataclass that makes something else of what it is given, each time."""

    cents: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "cents", self.cents + 1)


class Struct(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A struct that cannot be changed."""

    unit_price: int
    note: str = ""


class Open(msgspec.Struct):
    """A struct that can be."""

    items: list[Struct]


class Typed(TypedDict):
    """A dict of known keys."""

    at: datetime


Name = NewType("Name", str)

NOW = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)

COMES_BACK: list[tuple[Any, Any]] = [
    (int, 2**63),
    (float, -0.5),
    (float, 7),
    (str, "ä\n\x00"),
    (bool, True),
    (Name, Name("ada")),
    (bytes, b"\x00\xff"),
    (bytearray, bytearray(b"ab")),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=7)),
    (datetime, NOW),
    (datetime, NOW.replace(tzinfo=None)),
    (datetime, NOW.astimezone(timezone(timedelta(hours=-5, minutes=-30)))),
    (date, date(2026, 2, 28)),
    (time, time(23, 59, 59, 999999)),
    (timedelta, timedelta(days=-3, microseconds=7)),
    (set[int], {3, 1}),
    (frozenset[str], frozenset("ab")),
    (tuple[int, ...], (1, 2)),
    (tuple[int, str], (1, "a")),
    (list[Pair], [Pair(1, 2.5)]),
    (dict[int, str], {1: "a", 10: "b"}),
    (dict[UUID, list[int]], {UUID(int=1): [1]}),
    (Colour, Colour.RED),
    (Size, Size.BIG),
    (Word, Word.YES),
    (Literal["a", "b"], "b"),
    (Pair, Pair(1, 2.0)),
    (Nested, Nested(Pair(1, 1.0), (Pair(2, 2.0),), None)),
    (Frozen, Frozen("x", Pair(1, 1.5))),
    (Loose, Loose(["a"], {1: 2})),
    (Holding, Holding({"a": 1})),
    (Struct, Struct(5)),
    (Open, Open([Struct(5, "n")])),
    (Typed, Typed(at=NOW)),
    (int | None, 5),
    (int | str, "5"),
    (Pair | int, Pair(1, 1.0)),
    (dict[str, Pair | None], {"a": None, "b": Pair(1, 1.0)}),
    (Any, {"a": [1, 2.5, "x", None, True, {"b": []}]}),
]


def keeping(kind: Any) -> Saga:
    """Return a saga of a participant whose entities are declared to be of a type."""

    def keep(before: Any, asked: int) -> Any:
        raise NotImplementedError

    keep.__annotations__["before"] = kind
    return Saga("s", int, [local("KEPT", keep, service="THINGS", entity=str, pivot=True)])


def written(kind: Any, value: Any) -> tuple[MemoryStore, Any]:
    """Write an entity of a type in a transaction, and give the store and what the transaction read right after."""
    store = MemoryStore()

    def write(work: Any) -> Any:
        work.entities["THINGS"]["x"] = value
        return work.entities["THINGS"].get("x")

    return store, Life(store, keeping(kind)).turn(Transact(write)).replies[0]


@pytest.mark.parametrize(("kind", "value"), COMES_BACK, ids=[str(kind) for kind, _ in COMES_BACK])
def test_with_a_declared_type_everything_comes_back_as_it_was(kind: Any, value: Any) -> None:
    """In the same transaction, from memory, and after a restart; also as a request."""
    store, again = written(kind, value)
    life = Life(store, keeping(kind), prefix="b")
    read = life.turn(Transact(lambda work: work.entities["THINGS"]["x"])).replies[0]
    assert again == value == read
    assert type(again) is type(read)
    if isinstance(kind, type):
        asked = Saga("asking", kind, [external("SENT", nothing, pivot=True)])
        store = MemoryStore()
        sent = Life(store, asked).begin(value).sends[0][1].request.body
        back = opened(Life(store, asked, prefix="b", now_ms=10**13).run("a-1").request)
        assert sent == value == back
        assert type(sent) is type(back)


NOT_PLAIN: list[Any] = [
    nan,
    inf,
    -inf,
    {"a": nan},
    [1, (2,)],
    b"ab",
    (1, 2),
    {1, 2},
    frozenset({1}),
    {1: "a"},
    {None: 1},
    {True: 1},
    Colour.RED,
    Size.BIG,
    Word.YES,
    Decimal("1.1"),
    UUID(int=1),
    NOW,
    NOW.date(),
    timedelta(1),
    Pair(1, 1.0),
    Struct(1),
    Frozen("a", Pair(1, 1.0)),
    OrderedDict(a=1),
    defaultdict(int, a=1),
    UserDict(a=1),
    deque([1]),
    type("Text", (str,), {})("a"),
    type("Number", (int,), {})(1),
    object(),
    object,
    1j,
    Fraction(1, 2),
    10**5000,
    "\ud800",
    range(3),
    memoryview(b"ab"),
    iter([1]),
    Exception("x"),
    len,
]


@pytest.mark.parametrize("value", NOT_PLAIN, ids=[type(value).__name__ for value in NOT_PLAIN])
def test_without_a_type_only_what_json_gives_back_is_taken(value: Any) -> None:
    """Each door refuses it, says the value and what to do, and nothing is written."""
    store, said = written(Any, value)
    assert isinstance(said, ParticipantError)
    assert "THINGS/x" in str(said) or "the entity" in str(said)
    assert store.head().number == 0
    plain = Saga("plain", dict, [external("SENT", nothing, undo=nothing, undone="UNSENT")])
    life = Life(store, plain)
    refused = life.begin({"value": value}).replies[0][0]
    assert isinstance(refused, RequestRefused), refused
    assert store.head().number == 0
    if type(value) in (tuple, Pair, list):
        return  # of an answer a tuple is a list, for whoever reads it
    asking = life.begin({}).sends[0]
    assert isinstance(life.answer(asking, Done(value)).replies[0], ValueError)
    answering = Saga("s", int, [local("SAID", lambda _, n: Changed(n, value), entity=str, pivot=True)])
    (waits,) = Life(MemoryStore(), answering).begin(1).replies[0]
    assert "SAID: the answer cannot be stored" in waits.waiting[0].error


WRONG: list[tuple[Any, Any]] = [
    (int, 1.5),
    (int, 1.0),
    (int, True),
    (int, "1"),
    (int, Size.BIG),
    (bool, 1),
    (float, nan),
    (float, -inf),
    (float, True),
    (str, b"a"),
    (str, Word.YES),
    (bytes, bytearray(b"a")),
    (bytes, "YQ=="),
    (Decimal, 1.5),
    (Decimal, Decimal("nan")),
    (datetime, "2026-11-29T12:00:00Z"),
    (list[int], (1, 2)),
    (tuple[int, ...], [1, 2]),
    (set[int], [1, 2]),
    (dict[int, str], {"1": "a"}),
    (dict[str, int], OrderedDict(a=1)),
    (Colour, "red"),
    (Literal["a"], "b"),
    (Pair, (1, 2.0)),
    (Pair, Pair(1, nan)),
    (Pair, Pair(True, 1.0)),
    (Pair, tuple.__new__(Pair, (1,))),
    (Pair, tuple.__new__(Pair, (1, 2.0, 3))),
    (Pair, type("Other", (Pair,), {})(1, 2.0)),
    (Pair, Frozen("x", Pair(1, 1.0))),
    (Frozen, {"name": "x", "pair": [1, 1.0]}),
    (Frozen, Frozen("x", Pair(1, inf))),
    (Holding, Holding({"a": nan})),  # type: ignore[dict-item]  # as a participant may write it
    (Made, Made(1)),
    (Struct, Struct("5")),  # type: ignore[arg-type]  # as a participant may write it
    (Nested, Nested(Pair(1, 1.0), [], None)),  # type: ignore[arg-type]  # likewise
    (int | None, 1.5),
]


@pytest.mark.parametrize(("kind", "value"), WRONG, ids=[str(kind) for kind, _ in WRONG])
def test_with_a_declared_type_what_is_none_of_it_is_refused(kind: Any, value: Any) -> None:
    """Not after the restart: by a step, in a batch with others, and by a command; the entity is as it was."""

    def keep(before: Any, asked: int) -> Any:
        return value if asked == 1 else before

    keep.__annotations__["before"] = kind
    saga = Saga("s", int, [local("KEPT", keep, service="THINGS", entity=str, pivot=True)])
    store = MemoryStore()
    life = Life(store, saga)
    (waits,) = life.begin(1).replies[0]
    assert "KEPT: the entity" in waits.waiting[0].error
    assert "cannot be stored" in waits.waiting[0].error
    assert store.entity("THINGS", "1") is None
    said = life.turn(ExecuteCommand(Command("SET", "THINGS", keep), "2", 1)).replies[0]
    assert isinstance(said, ParticipantError)
    assert "SET: the entity" in str(said)
    assert store.entity("THINGS", "2") is None


def test_a_stand_in_is_no_value() -> None:
    """A mock says that it is of a class; it is not."""

    def keep(before: Pair | None, asked: int) -> Any:
        return Mock(spec=Pair)

    saga = Saga("s", int, [local("KEPT", keep, entity=str, pivot=True)])
    (waits,) = Life(MemoryStore(), saga).begin(1).replies[0]
    assert "cannot be stored" in waits.waiting[0].error


def test_many_at_once_and_one_by_one_come_to_the_same() -> None:
    """An entity whose keys would be read back as texts came to ten in one batch, and to one by one."""

    def book(seats: Any, row: int) -> Any:
        seats = seats or {}
        return {**seats, row: seats.get(row, 0) + 1}

    def book_typed(seats: dict[int, int] | None, row: int) -> Any:
        return book(seats, row)

    def booked(function: Any, *batches: int) -> Any:
        store, saga = MemoryStore(), Saga("s", int, [local("BOOKED", function, entity=lambda _: "x", pivot=True)])
        life = Life(store, saga)
        for batch in batches:
            life.begin(*[7] * batch)
        return store.entity("BOOKED", "x")

    assert booked(book, 10) is booked(book, *[1] * 10) is None
    assert booked(book_typed, 10).body == booked(book_typed, *[1] * 10).body == '{"7":10}'


def test_a_request_of_another_type_says_which_to_give_and_every_declared_type_is_looked_at() -> None:
    """Some have no instances: what is no class, or is one in name alone, says how to declare another."""
    for declared, request, remedy in (
        (Pair, (1, 2.0), "the saga's request is declared as Pair: give one"),
        (Pair, Pair(1, {7: 1}), "declare its type"),  # type: ignore[arg-type]
        (Any, {7: 1}, "declare its type"),
        (Typed, {7: 1}, "declare its type"),
        (list[int], {7: 1}, "declare its type"),
    ):
        assert of_a_request(declared, request).startswith(remedy)


@pytest.mark.parametrize("answer", [(1, 2), Pair(1, 2.0), [(1, 2)], {"a": (Pair(1, 2.0),)}], ids=str)
def test_a_tuple_in_an_answer_that_nobody_typed_is_a_list_at_once(answer: Any) -> None:
    """For the undo, and for the client, in this process as well as after a restart: JSON has one kind of list."""
    heard, told = list[Any](), msgspec.json.decode(msgspec.json.encode(answer))

    def take(before: Any, number: int) -> Changed:
        return Changed(number, answer)

    def give(before: Any, number: int, call: Call) -> Any:
        heard.append(call.answer)
        return GONE

    first = local("TAKEN", take, undo=give, undone="GIVEN", entity=str)
    saga = Saga("s", int, [first, external("SENT", nothing, pivot=True)])
    store = MemoryStore()
    life = Life(store, saga)
    for asking in life.begin(1, 2).sends:
        life.answer(asking, Later(60))
    refused = Answered("SENT", Kind.DO, Refused("no"))
    lives = life, Life(store, saga, prefix="b", now_ms=life.now_ms + 50)
    ended = [
        next(iter(each.turn(Deliver(f"a-{number}", refused)).ended.values())) for number, each in enumerate(lives, 1)
    ]
    assert len(heard) >= len(lives)
    assert all(each == told for each in heard)
    assert [opened_all(run.answers) for run in ended] == [{"TAKEN": told}] * 2


def test_an_answer_says_the_step_the_value_and_the_remedy() -> None:
    """Where a participant outside answers what does not come back; and the effect may have happened."""

    def charge(client: Any, asked: int, call: Any) -> Done:
        return Done({"amounts": [1, {2, 3}]})

    saga = Saga("s", int, [external("CARD_CHARGED", charge, undo=nothing, undone="X")])
    assert given_up(saga).reason.endswith(
        "CARD_CHARGED/do: the answer cannot be stored: {2, 3}, at ['amounts'][1], would come back as [2, 3]; "
        "declare its type where the function says what it gives back, as in `-> Done[Receipt] | Refused` or `-> "
        "Changed[Seats, Receipt]`, or use dicts with text keys, lists, text, finite numbers, True, False and None"
    )


def test_what_is_nested_too_deep_is_refused() -> None:
    """Whoever walks over it later has a stack too."""
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    store, said = written(Any, deep)
    assert "nested more than 100 deep" in str(said)
    assert store.head().number == 0


@pytest.mark.parametrize("kind", [int, str, Pair, Struct, int | None, Pair | int], ids=str)
def test_frozen_values_cost_no_copy(kind: Any) -> None:
    """They are told by their classes alone."""
    is_closed = closed(kind)
    assert is_closed is not None
    assert any(map(is_closed, (7, "a", Pair(1, 2.0), Struct(1))))
    assert not any(
        map(is_closed, (1.5, b"a", [], {}, (1, 2.0), Pair(1, nan), Pair(1, 2), Size.BIG, Word.YES, None)[:9])
    )


@pytest.mark.parametrize("kind", [dict, list[int], Holding, Made, Loose, Nested, datetime, Colour, int | dict], ids=str)
def test_what_may_change_is_not_taken_for_frozen(kind: Any) -> None:
    """Nor what makes something else of itself when it is read, nor what JSON has no word for."""
    assert closed(kind) is None


def test_entities_are_read_as_what_a_command_declares_that_nobody_named() -> None:
    """From then on, in the same batch and after it; what was written before is read as that too."""

    def open_hall(hall: Pair | None, size: int) -> Pair:
        return Pair(size, 0.5) if hall is None else hall._replace(left=hall.left + size)

    opened_ = Command("OPENED", "HALL", open_hall)
    plain = Command("LISTED", "HALL", lambda hall, size: [size, 0.5])
    store = MemoryStore()
    life = Life(store, Saga("s", int, [external("SENT", nothing, pivot=True)]))

    def both(work: Any) -> Any:
        work.execute(plain, "x", 1)
        work.execute(opened_, "x", 5)
        work.execute(opened_, "y", 5)
        return work.entities["HALL"]["x"], work.entities["HALL"]["y"]

    assert life.turn(Transact(both)).replies == [(Pair(6, 0.5), Pair(5, 0.5))]
    assert life.turn(Read(lambda work: work.entities["HALL"]["x"])).replies == [Pair(6, 0.5)]
