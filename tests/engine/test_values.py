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
from uuid import UUID

import msgspec
import pytest

from amends import (
    Changed,
    Done,
    ParticipantError,
    RequestRefused,
    Saga,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.engine.tasks import Transact
from amends.engine.values import opened
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
    asking = life.begin({}).sends[0]
    assert isinstance(life.answer(asking, Done(value)).replies[0], ValueError)
    answering = Saga("s", int, [local("SAID", lambda _, n: Changed(n, value), entity=str, pivot=True)])
    (waits,) = Life(MemoryStore(), answering).begin(1).replies[0]
    assert "SAID: the answer cannot be stored" in waits.waiting[0].error
