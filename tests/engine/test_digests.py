"""Equal requests have equal digests: in whichever process, order of keys or version of their type they are made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends import Command, KeyReused, Saga, local
from amends.adapters.memory import MemoryStore
from amends.engine import tasks
from amends.engine.tasks import ExecuteCommand, StartSagas
from amends.errors import RequestRefused
from amends.storage.codecs.digests import digest_by_position, digest_of
from tests.engine.world import Life


class Colour(Enum):
    """A member of a request."""

    RED = "red"


class Line(NamedTuple):
    """A part of an order."""

    item: str
    pieces: int


class LineWithGift(NamedTuple):
    """The same after a deploy."""

    item: str
    pieces: int
    gift: bool = False


def pairs() -> list[tuple[str, Any, Any]]:
    """Return values that are the same to whoever asks."""
    none = (1, 2)

    @dataclass(frozen=True)
    class Old:
        lines: list[Any]
        colour: Colour

    @dataclass(frozen=True)
    class New:
        lines: list[Any]
        colour: Colour
        note: str | None = None
        tags: list[str] = field(default_factory=list)

    class OldStruct(msgspec.Struct, array_like=True):
        a: int

    class NewStruct(msgspec.Struct, array_like=True):
        a: int
        line: Line = Line("book", 1)
        more: dict[str, int] = {}
        gone: int | msgspec.UnsetType = msgspec.UNSET

    class Renamed(msgspec.Struct, rename={"amount": "a"}):
        amount: int

    class Typed(TypedDict):
        a: int
        b: int

    return [
        ("a dict", {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ("a typed dict", Typed(a=1, b=2), Typed(b=2, a=1)),
        ("a set", {f"s{n}" for n in range(50)}, {f"s{n}" for n in reversed(range(50))}),
        ("a set of tuples", {Line("a", 1), Line("b", 2)}, {LineWithGift("b", 2), LineWithGift("a", 1)}),
        ("a field at the end of a named tuple", Line("book", 2), LineWithGift("book", 2)),
        ("one further in", [{"lines": (Line("book", 2),)}], [{"lines": (LineWithGift("book", 2),)}]),
        ("a dataclass", Old([Line("a", 1)], Colour.RED), New([LineWithGift("a", 1)], Colour.RED)),
        ("a struct", OldStruct(1), NewStruct(1)),
        ("a renamed field of a struct", OldStruct(1), Renamed(1)),
        ("tuples and lists", [none, 1], (list(none), 1)),
    ]


PAIRS = pairs()


@pytest.mark.parametrize(("what", "one", "other"), PAIRS, ids=[what for what, _, _ in PAIRS])
def test_equal_requests_have_equal_digests(what: str, one: Any, other: Any) -> None:
    """Whatever the order of keys and of a set, and before and after a field with a default was added."""
    assert digest_of("shop", one) == digest_of("shop", other)


@pytest.mark.parametrize(
    "other", [Line("book", 3), Line("2", 2), LineWithGift("book", 2, True), {"item": "book"}, ["book", 2], None]
)
def test_other_requests_have_other_digests(other: Any) -> None:
    """A value, and a field that is not at its default."""
    assert digest_of("shop", Line("book", 2)) != digest_of("shop", other)
    assert digest_of("shop", other) != digest_of("stop", other)


def test_one_is_not_true_at_its_default() -> None:
    """Equal to Python, and two things to whoever reads them."""

    class Flag(NamedTuple):
        on: Any = 1

    assert digest_of("shop", Flag(True)) != digest_of("shop", Flag(1)) == digest_of("shop", Flag())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(JSON, JSON)
def test_digests_tell_values_apart_as_their_json_does(one: Any, other: Any) -> None:
    """But for the order of keys."""
    same = msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
    assert (digest_of("shop", one) == digest_of("shop", other)) == same


def test_a_set_has_one_digest_in_every_process() -> None:
    """Whose hashes of texts differ."""
    code = "from amends.storage.codecs.digests import digest_of; print(digest_of('x', {'a', 'b', 'c', 'd', 'e', 'f'}))"
    printed = set()
    for seed in ("1", "2", "3"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
        printed.add(done.stdout)
    assert len(printed) == 1


def endless() -> list[Any]:
    """Return a list that holds itself."""
    knot: list[Any] = []
    knot.append(knot)
    return knot


@pytest.mark.parametrize("asked", [object(), {"a": "\udc80"}, endless(), Line("a", object())])  # type: ignore[arg-type]
def test_what_cannot_be_stored_has_none(asked: Any) -> None:
    """It is refused before anything is started."""
    for digest in (digest_of, digest_by_position):
        with pytest.raises(RequestRefused, match="the request cannot be stored"):
            digest("shop", asked)


SHELVED = Command("SHELVED", "SHELF", lambda _, line: line.pieces)
SHOP = Saga("shop", Line, [local("STORED", lambda _, line: line.pieces, entity=lambda line: line.item, pivot=True)])


def test_keys_of_an_earlier_version_still_stand_for_their_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which kept a digest of the request as it is stored: of a saga, and of a command."""
    life = Life(MemoryStore(), SHOP)
    order = ExecuteCommand(SHELVED, "a", Line("book", 1), keys=["k2"])
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "digest_of", digest_by_position)
        (begun,) = life.begin(Line("book", 2), keys=["k1"]).replies
        life.turn(order)
    (again,) = life.begin(Line("book", 2), keys=["k1"]).replies
    assert again == [begun[0].saga_id]
    before = life.store.head()
    assert life.turn(order).replies == [None]
    assert life.store.head() == before
    (other,) = life.begin(Line("book", 3), keys=["k1"]).replies
    assert isinstance(other[0], KeyReused)
    assert isinstance(life.turn(ExecuteCommand(SHELVED, "b", Line("book", 1), keys=["k2"])).replies[0], KeyReused)


def test_a_key_goes_with_the_request_and_not_with_its_order() -> None:
    """Of a saga, one by one and many at a time."""
    saga = Saga("bag", dict, [local("STORED", lambda _, bag: bag, entity=lambda _: "x", pivot=True)])
    life = Life(MemoryStore(), saga)
    (begun,) = life.begin({"a": 1, "b": 2}, keys=["k"]).replies
    (again,) = life.turn(StartSagas(life.coordinator.definitions.codec_of(saga), [{"b": 2, "a": 1}], ["k"])).replies
    assert again == [begun[0].saga_id]
