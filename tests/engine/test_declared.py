"""What cannot be stored is refused when the definition is built, and only that: the engine takes whatever was not."""

from __future__ import annotations

import datetime as dt
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Literal, NamedTuple, NewType, TypedDict

import msgspec
import pytest

from amends import Call, Changed, DefinitionError, Done, Refused, Saga, external, local
from amends.declared import faults_of_type
from amends.storage.codecs.values import codec_of


class Own:
    """A class of somebody's own."""


class Row(NamedTuple):
    """A record by position."""

    a: int
    b: dict[str, list[Decimal]] | None = None


class Line(NamedTuple):
    """Another one."""

    a: int


@dataclass
class Data:
    """A record by names."""

    row: Row
    kinds: ClassVar[type[Own]] = Own


@dataclass
class Tree:
    """One that holds itself."""

    children: list[Tree]


class Named(TypedDict, total=False):
    """A dict by names."""

    a: int


class Tagged(msgspec.Struct, tag=True):
    """One that says what it is."""

    a: int | msgspec.UnsetType = msgspec.UNSET


class OtherTag(msgspec.Struct, tag=True):
    """Another one."""

    b: int


class Colour(Enum):
    """An enumeration."""

    RED = "red"


class Deep(NamedTuple):
    """One with a class of somebody's own far inside."""

    a: dict[str, list[Own]]


@dataclass
class Holds:
    """One with a pattern in it."""

    pattern: re.Pattern[str]


Sku = NewType("Sku", str)

GOOD = [
    int, float, bool, str, bytes, list, dict, Any, Row, Data, Tree, Named, Tagged, Tagged | OtherTag, Colour, Sku,
    dt.datetime, dt.timedelta, uuid.UUID, Decimal, list[int], tuple[int, str], set[Row], frozenset[int],
    dict[int, Row], Row | None, int | str | None, Row | Data, Literal["a", 1], Sequence[int], Mapping[str, Row],
]  # fmt: skip
BAD = [
    Own, object, complex, re.Pattern, pathlib.Path, deque, list[Own], Row | Line, Data | Tree, Deep, Holds,
    dict[str, Own], list[Row | Line], type,
]  # fmt: skip


@pytest.mark.parametrize("kind", GOOD, ids=str)
def test_what_can_be_stored_is_taken(kind: Any) -> None:
    """By the definition, which needs no package, and by the engine."""
    assert list(faults_of_type(kind, "request")) == []
    codec_of(kind, "request")


@pytest.mark.parametrize("kind", BAD, ids=str)
def test_what_cannot_be_stored_is_refused_by_the_definition(kind: Any) -> None:
    """And would be by the engine, too."""
    with pytest.raises(DefinitionError, match=r"saga 's': request"):
        Saga("s", kind, [external("DONE", lambda *_: None, pivot=True)])
    with pytest.raises(DefinitionError):
        codec_of(kind, "request")


def untyped(_: Any, asked: str, call: Call) -> Done:
    """Answer whatever."""
    return Done()


def own(_: Any, asked: str, call: Call) -> Done[Own] | Refused:
    """Answer what cannot be stored."""
    return Done(Own())


def holds(kept: Holds, asked: str) -> Changed[Holds, int]:
    """Keep what cannot be stored."""
    return Changed(kept, 1)


def answers(kept: int, asked: str) -> Changed[int, Row | Line]:
    """Answer what cannot be told apart."""
    return Changed(kept, Row(1))


STEPS: list[tuple[Callable[[], Any], str]] = [
    (lambda: external("A", own, pivot=True), "step 'A': action: the answer is <class '.*Own'>, which cannot be stored"),
    (lambda: external("A", untyped, probe=own, settles_within_s=1, pivot=True), "step 'A': probe: the answer is"),
    (lambda: local("A", holds, entity=str, pivot=True), r"action: the entity, Holds.pattern is <class 're.Pattern'>"),
    (lambda: local("A", answers, entity=str, pivot=True), "action: the answer is .* cannot tell Row and Line apart"),
]


@pytest.mark.parametrize(("make", "words"), STEPS)
def test_so_are_entities_and_answers(make: Callable[[], Any], words: str) -> None:
    """With the step, the function and the field."""
    with pytest.raises(DefinitionError, match=words):
        Saga("s", str, [make()])
