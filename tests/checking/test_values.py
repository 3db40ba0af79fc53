"""What tells two values apart: types and parts, also hidden ones, and never a text."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from amends.checking.values import by_fields, frozen, same, told
from amends.core.messages import Done
from amends.errors import UnusableInput


class Bare:
    """A class as many write one: no ``==``, no text."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class Slots:
    """Fields in slots, one of them private, and a text that shows none of them."""

    __slots__ = ("__cents", "name")

    def __init__(self, cents: int) -> None:
        self.__cents = cents

    def __repr__(self) -> str:
        return "Slots"


@dataclass
class Hides:
    """A field that ``==`` and the text leave out."""

    cents: int
    key: str = field(default="", compare=False, repr=False)


class Pair(NamedTuple):
    """What a list in it makes unhashable."""

    names: Any


APART = [
    (1, 1.0), (1, True), (Done(1), Done(True)), ([1], (1,)), (Bare(1), Bare(2)), (Slots(1), Slots(2)),
    (Hides(1, "a"), Hides(1, "b")), (Pair([1]), Pair([2])), (deque([1]), deque([2])),
    (bytearray(b"a"), bytearray(b"b")), ({"a": 1}, {"a": 2}), ({1}, {2}),
]  # fmt: skip
ALIKE = [
    (Bare(1), Bare(1)), (Slots(1), Slots(1)), (Hides(1, "a"), Hides(1, "a")), ({"a", "b", "c"}, {"c", "b", "a"}),
    (Pair([{1, 2}]), Pair([{2, 1}])), (Done([1]), Done([1])),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), APART)
def test_these_are_two_values(one: Any, other: Any) -> None:
    """By their type, or by a part, wherever it is kept."""
    assert frozen(one) != frozen(other)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_these_are_one_value(one: Any, other: Any) -> None:
    """Whatever object each is, and in whatever order a set came to be."""
    assert frozen(one) == frozen(other)
    assert hash(frozen(one)) == hash(frozen(other))
    assert same(one, other)


@pytest.mark.parametrize("value", [object(), threading.Lock()])
def test_what_cannot_be_told_apart_is_refused(value: Any) -> None:
    """It has neither fields nor an ``==`` of its own; its text has an address."""
    with pytest.raises(UnusableInput, match="no fields, and no =="):
        frozen(value)


def test_a_value_is_told_without_its_address() -> None:
    """By its fields, and that they are what is compared."""
    assert told(Bare(1)) == "Bare(cents=1)"
    assert told([Bare(1)]) == "[<tests.checking.test_values.Bare object>]"
    assert by_fields(Bare(1)) == " (Bare has no ==, so its fields are compared)"
    assert by_fields(None) == by_fields(Hides(1)) == ""
