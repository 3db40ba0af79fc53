"""A value of a declared type that nobody gave."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest

from amends.storage.codecs.samples import sample_of


class Colour(enum.Enum):
    """One of some."""

    RED = "red"


class Pair(NamedTuple):
    """By position."""

    name: str
    pieces: int


@dataclass(frozen=True)
class Slip:
    """By name."""

    pair: Pair
    note: str | None = None


class Struct(msgspec.Struct, frozen=True, tag="struct", rename="camel"):
    """With a tag, and other names outside."""

    first_id: str


class Row(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """With a tag, by position."""

    id: str


class Named(TypedDict):
    """A dict."""

    rate: float


class Knows:
    """No record."""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, "r"),
        (int, 1),
        (float, 1.0),
        (bool, True),
        (Decimal, Decimal(1)),
        (bytes, b""),
        (dt.datetime, dt.datetime(2000, 1, 1, tzinfo=dt.UTC)),
        (dt.date, dt.date(2000, 1, 1)),
        (dt.timedelta, dt.timedelta(seconds=1)),
        (UUID, UUID(int=1)),
        (Colour, Colour.RED),
        (Literal["b", "a"], "a"),
        (int | None, 1),
        (list[str], ["r"]),
        (tuple[str, ...], ("r",)),
        (tuple[str, int], ("r", 1)),
        (frozenset[str], frozenset({"r"})),
        (dict[int, str], {1: "r"}),
        (Slip, Slip(Pair("r", 1), "r")),
        (Struct, Struct("r")),
        (Row, Row("r")),
        (Named, {"rate": 1.0}),
    ],
)
def test_a_value_is_of_its_type(kind: Any, value: Any) -> None:
    """Text where it has text, 1 for a number, one of each."""
    assert sample_of(kind, "r") == value


@pytest.mark.parametrize("kind", [Knows, list[Knows]])
def test_what_nobody_knows_is_said(kind: Any) -> None:
    """Rather than a value that is none."""
    with pytest.raises(LookupError):
        sample_of(kind, "r")
