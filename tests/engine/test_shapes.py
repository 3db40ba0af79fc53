"""What was stored as one type is read as another only where every value comes back under its own name."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.storage.codecs.shapes import Shape, ShapeComparison, by_names, shape_of

MISSING = object()
Fields = list[tuple[str, Any, Any]]
"""Name, type, default: of each field."""


def named_tuple(name: str, fields: Fields) -> Any:
    """Return a class whose values are stored by the order of their fields."""
    made = NamedTuple(name, [(field, kind) for field, kind, _ in fields])  # type: ignore[misc]  # made of what is drawn
    made.__new__.__defaults__ = tuple(default for _, _, default in fields if default is not MISSING)
    made._field_defaults = {field: default for field, _, default in fields if default is not MISSING}
    return made


def data_class(name: str, fields: Fields) -> Any:
    """Return a class whose values are stored by the names of their fields."""
    made = [
        (field, kind) if default is MISSING else (field, kind, dataclasses.field(default=default))
        for field, kind, default in fields
    ]
    return dataclasses.make_dataclass(name, made, frozen=True, kw_only=True)


def struct(name: str, fields: Fields, **options: Any) -> Any:
    """Return a struct."""
    made = [(field, kind) if default is MISSING else (field, kind, default) for field, kind, default in fields]
    return msgspec.defstruct(name, made, frozen=True, kw_only=not options.get("array_like"), **options)


def array_struct(name: str, fields: Fields) -> Any:
    """Return a struct that is stored by the order of its fields."""
    return struct(name, fields, array_like=True)


def lean_struct(name: str, fields: Fields) -> Any:
    """Return a struct that is stored without what is at its default."""
    return struct(name, fields, omit_defaults=True)


def typed_dict(name: str, fields: Fields) -> Any:
    """Return a dict with named keys, of which those with a default may be left out."""
    made = {field: Required[kind] if default is MISSING else NotRequired[kind] for field, kind, default in fields}
    return TypedDict(name, made)  # type: ignore[operator]  # made of what is drawn


BY_NAME: list[Callable[[str, Fields], Any]] = [data_class, struct, lean_struct, typed_dict]
BY_POSITION: list[Callable[[str, Fields], Any]] = [named_tuple, array_struct]
KINDS = [*BY_NAME, *BY_POSITION]
BOOK: Fields = [("item", str, MISSING), ("count", int, MISSING), ("price", int, MISSING)]


def faults(stored: Any, today: Any) -> list[str]:
    """Return what is read wrong."""
    return [*ShapeComparison(shape_of(stored), shape_of(today), "the request").faults]


def made(make: Callable[[str, Fields], Any], fields: Fields) -> Any:
    """Return a class, nested as requests are."""
    return dict[str, list[make("Order", fields)]] | None  # type: ignore[misc]  # a class that is made here


@pytest.mark.parametrize("make", KINDS)
def test_the_same_type_is_read(make: Any) -> None:
    """Also under another name of the class, and by a class of another kind that is stored alike."""
    assert faults(make("Order", BOOK), make("Purchase", BOOK)) == []
    for other in BY_NAME if make in BY_NAME else BY_POSITION:
        assert faults(make("Order", BOOK), other("Order", BOOK)) == []


@pytest.mark.parametrize("make", KINDS)
def test_a_field_with_a_default_may_be_added(make: Any) -> None:
    """At the end; where fields go by name anywhere."""
    more = ("note", str | None, None)
    assert faults(made(make, BOOK), made(make, [*BOOK, more])) == []
    if make in BY_NAME:
        assert faults(made(make, BOOK), made(make, [more, *BOOK])) == []


@pytest.mark.parametrize("make", KINDS)
def test_a_field_without_a_default_may_not(make: Any) -> None:
    """Nothing stored has it."""
    (fault,) = faults(made(make, BOOK), made(make, [*BOOK, ("note", str, MISSING)]))
    assert fault == "the request[][].note is new in Order, and nothing stored has it: give it a default"


@pytest.mark.parametrize("make", KINDS)
def test_a_field_may_not_go_nor_be_renamed(make: Any) -> None:
    """Its value would be dropped, and the other one be at its default."""
    (fault,) = faults(made(make, BOOK), made(make, BOOK[:2]))
    assert fault == "the request[][].price was stored, and Order has no such field now; its fields are count, item"
    renamed = [*BOOK[:2], ("amount", int, 0)]
    (fault,) = faults(made(make, BOOK), made(make, renamed))
    assert (
        fault == "the request[][].price was stored, and Order has no such field now; its fields are amount, count, item"
    )


@pytest.mark.parametrize("make", BY_POSITION)
def test_fields_that_are_stored_by_position_stay_in_their_places(make: Any) -> None:
    """Two numbers that swap places would be read as each other."""
    swapped = [BOOK[0], BOOK[2], BOOK[1]]
    (fault,) = faults(made(make, BOOK), made(make, swapped))
    assert "by the order of its fields, which was item, count, price, and is item, price, count now" in fault
    assert faults(made(make, BOOK[:2]), made(make, [BOOK[0], ("price", int, 0), ("count", int, 0)]))


@pytest.mark.parametrize("make", BY_NAME)
def test_fields_that_are_stored_by_name_may_change_places(make: Any) -> None:
    """Nothing depends on it."""
    assert faults(made(make, BOOK), made(make, BOOK[::-1])) == []


@pytest.mark.parametrize(
    ("make", "other"), [(data_class, named_tuple), (array_struct, struct), (typed_dict, array_struct)]
)
def test_names_do_not_become_positions(make: Any, other: Any) -> None:
    """Nor the other way round."""
    for one, two in ((make, other), (other, make)):
        (fault,) = faults(made(one, BOOK), made(two, BOOK))
        assert "another kind" in fault


def test_a_struct_says_itself_what_a_renamed_field_was_stored_as() -> None:
    """`msgspec.field(name=...)`: that is no guess."""

    class Renamed(msgspec.Struct):
        item: str
        amount: int = msgspec.field(name="count")
        price: int

    assert faults(struct("Order", BOOK), Renamed) == []


@pytest.mark.parametrize("make", [lean_struct, typed_dict])
def test_what_is_left_out_stays_left_out(make: Any) -> None:
    """A default that is not stored is part of what is read: another one would change what was said."""
    note = ("note", str, "none")
    assert faults(make("Order", [*BOOK, note]), make("Order", [*BOOK, note])) == []
    assert faults(make("Order", [*BOOK, note]), make("Order", [*BOOK, ("note", str, MISSING)]))
    assert faults(make("Order", [*BOOK, note]), data_class("Order", [*BOOK, ("note", str, "x")]))


def test_what_was_added_keeps_its_default() -> None:
    """Some of what is stored is from before: it is read as it was read until now."""
    old, new = named_tuple("Order", BOOK), named_tuple("Order", [*BOOK, ("note", str, "")])
    merged = ShapeComparison(shape_of(old), shape_of(new), "the request").merged()
    assert ShapeComparison(merged, shape_of(new), "the request").faults == []
    other = named_tuple("Order", [*BOOK, ("note", str, "x")])
    (fault,) = ShapeComparison(merged, shape_of(other), "the request").faults
    assert fault == 'the request.note is left out where it was at its default, which was "", and is "x" now'
    again = ShapeComparison(merged, shape_of(new), "the request").merged()
    assert again == merged
    assert faults(new, other) == []  # where all that is stored has it, no default is read


class Colour(enum.Enum):
    """A colour."""

    RED = "r"
    BLUE = "b"


def colours(**members: str) -> Any:
    """Return an enumeration."""
    return enum.Enum("Colour", members)


class Tree(NamedTuple):
    """A record within itself."""

    name: str
    parts: list[Tree] = []  # noqa: RUF012 - a field of a named tuple


class TreeWithMore(NamedTuple):
    """The same, with a field more."""

    name: str
    parts: list[TreeWithMore] = []  # noqa: RUF012 - likewise
    size: int = 0


class TreeSwapped(NamedTuple):
    """Another one."""

    parts: list[TreeSwapped]
    name: str


class A(msgspec.Struct, tag=True):
    """One of two structs that are told apart by a tag."""

    a: int


class B(msgspec.Struct, tag=True):
    """The other."""

    b: int


class BWithMore(msgspec.Struct, tag="B"):
    """The other, with a field more."""

    b: int
    c: int = 0


class Line(NamedTuple):
    """A part of a whole."""

    item: str
    pieces: int = 1


class Whole(NamedTuple):
    """Records in whatever can hold one."""

    lines: list[Line]
    by_name: dict[str, Line]
    pair: tuple[int, Line]
    one: Line | str | None
    struct: A | B
    tree: Tree = Tree("x")


WIDER: list[tuple[Any, Any]] = [
    (int, int | None),
    (int, int | str),
    (int, int | float),
    (int, Any),
    (list[int], Any),
    (list[int], list),
    (dict[str, list[int]], dict),
    (dict[str, list[int | None]], Any),
    (list[int], list[int | None] | None),
    (Literal["a"], Literal["a", "b"]),
    (Literal["a", "b"], str),
    (Literal["a", "b"], str | None),
    (Literal[1, 2], Any),
    (Colour, colours(BLUE="b", RED="r", GREEN="g")),
    (Annotated[int, msgspec.Meta(ge=1, lt=5)], int),
    (Annotated[int, msgspec.Meta(ge=1, lt=5)], Annotated[int, msgspec.Meta(ge=0, lt=5)]),
    (Annotated[str, msgspec.Meta(max_length=5)], Annotated[str, msgspec.Meta(max_length=6)]),
    (tuple[int, str], tuple[int | None, str]),
    (Tree, TreeWithMore),
    (A, A | B),
    (A | B, BWithMore | A),
    (dict[UUID, Decimal], dict[UUID, Decimal | None]),
]
"""Pairs of types: what was stored as the first is read as the second, and not the other way round."""


@pytest.mark.parametrize(("stored", "today"), WIDER)
def test_a_wider_type_reads_what_was_stored(stored: Any, today: Any) -> None:
    """And a narrower one does not."""
    assert faults(stored, today) == faults(stored, stored) == faults(today, today) == []
    assert faults(today, stored)


OTHER: list[tuple[Any, Any, str]] = [
    (int, str, "the request was stored as int, and is str now"),
    (int, float, "the request was stored as int, and is float now"),
    (bool, int, "the request was stored as bool, and is int now"),
    (str, datetime, "the request was stored as str, and is datetime now"),
    (datetime, Any, "the request was stored as datetime, and is any now"),
    (list[int], set[int], "the request was stored as a list of int, and is a set of int now"),
    (tuple[int, int], tuple[int, ...], "stored as a tuple of int, int"),
    (tuple[int, int], tuple[int, int, int], "stored as a tuple of int, int"),
    (dict[str, int], dict[str, str], r"the request\[\] was stored as int, and is str now"),
    (dict[int, int], Any, "stored as a dict of int to int"),
    (list[Tree], Any, "stored as a list of Tree"),
    (int | None, str | None, "the request was stored as int, and is none or str now"),
    (Colour, colours(RED="b", BLUE="r"), "stored as Colour.RED = 'r', which Colour has not now; it has RED = 'b'"),
    (Colour, colours(RED="r", AZURE="b"), "stored as Colour.BLUE = 'b'"),
    (Colour, str, "the request was stored as Colour, and is str now"),
    (Literal[1], Literal["1"], "stored as one of 1, and is one of '1' now"),
    (Tree, TreeSwapped, "which was name, parts, and is parts, name now"),
    (A, B, "another kind"),
    (A | B, B | None, "another kind"),
    (dict[str, int], struct("Order", [("a", int, MISSING)]), "stored as a dict of str to int, and is Order now"),
    (Annotated[str, msgspec.Meta(pattern="a")], Annotated[str, msgspec.Meta(pattern="b")], r"str \(pattern a\)"),
]


@pytest.mark.parametrize(("stored", "today", "fault"), OTHER)
def test_another_type_is_refused(stored: Any, today: Any, fault: str) -> None:
    """With what it was, and what it is."""
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(*faults(stored, today))
    assert faults(today, stored)


# Any two types ------------------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]
SCALARS: list[Any] = [int, str, bool, float, int | None, str | int, Literal["x", "y"], Literal["x"], Colour]
VALUES: dict[Any, list[Any]] = {
    int: [0, 7], str: ["x", "z"], bool: [True], float: [1.5, 2.0], int | None: [3, None], str | int: ["q", 4],
    Literal["x", "y"]: ["x", "y"], Literal["x"]: ["x"], Colour: [Colour.RED, Colour.BLUE],
}  # fmt: skip
DEFAULTS: dict[Any, Any] = {kind: values[0] for kind, values in VALUES.items()}


@st.composite
def records(draw: st.DrawFn, depth: int = 1) -> tuple[Any, Fields]:
    """Draw a class, and its fields."""
    fields: Fields = []
    has_default = False
    for name in draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]:
        kind = draw(st.sampled_from(SCALARS))
        if depth and draw(st.integers(0, 3)) == 0:
            inner, _ = draw(records(depth=depth - 1))
            kind = draw(st.sampled_from([inner, list[inner], dict[str, inner], inner | None]))  # type: ignore[valid-type]
        has_default = kind in DEFAULTS and (has_default or draw(st.booleans()))
        fields.append((name, kind, draw(st.sampled_from(VALUES[kind])) if has_default else MISSING))
    fields.sort(key=lambda field: field[2] is not MISSING)  # in a named tuple those with a default are the last
    return draw(st.sampled_from(KINDS))("Order", fields), fields


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tuple[Any, Fields], tuple[Any, Fields]]:
    """Draw a class, and what became of it: mostly some small change."""
    kind, fields = draw(records())
    if draw(st.integers(0, 4)) == 0:
        return (kind, fields), draw(records())
    after = list(fields)
    for _ in range(draw(st.integers(0, 2))):
        match draw(st.sampled_from(["add", "drop", "move", "default", "type"])):
            case "add" if free := [name for name in NAMES if name not in [field[0] for field in after]]:
                scalar = draw(st.sampled_from(SCALARS))
                after.append((free[0], scalar, draw(st.sampled_from([MISSING, *VALUES[scalar]]))))
            case "drop" if len(after) > 1:
                after.pop(draw(st.integers(0, len(after) - 1)))
            case "move":
                after = list(draw(st.permutations(after)))
            case "default" | "type":
                place = draw(st.integers(0, len(after) - 1))
                scalar = draw(st.sampled_from(SCALARS))
                after[place] = (after[place][0], scalar, draw(st.sampled_from([MISSING, *VALUES[scalar]])))
    after.sort(key=lambda field: field[2] is not MISSING)
    return (kind, fields), (draw(st.sampled_from(KINDS))("Order", after), after)


def value_of(draw: Any, kind: Any) -> Any:
    """Draw a value of a type."""
    if kind in VALUES:
        return draw(st.sampled_from(VALUES[kind]))
    origin = getattr(kind, "__origin__", None)
    if origin is list:
        return [value_of(draw, kind.__args__[0])]
    if origin is dict:
        return {"k": value_of(draw, kind.__args__[1])}
    if isinstance(kind, UnionType):
        return value_of(draw, kind.__args__[0])
    return None if kind is type(None) else record_of(draw, kind)


def record_of(draw: Any, kind: Any) -> Any:
    """Draw a record of a class, often with what is at its default."""
    found = msgspec.inspect.type_info(kind)
    hints = {field.name: field for field in found.fields}  # type: ignore[attr-defined]  # it is a record
    given = {
        name: value_of(draw, declared(kind, name))
        for name, field in hints.items()
        if field.required or draw(st.booleans())
    }
    return kind(**given)


def declared(kind: Any, name: str) -> Any:
    """Return the declared type of a field, without whether it is required."""
    hint = kind.__annotations__[name]
    return hint.__args__[0] if getattr(hint, "__origin__", None) in (Required, NotRequired) else hint


def told(value: Any) -> Any:
    """Return a value with all the names of its fields, whatever class it is of."""
    if isinstance(value, dict):
        return {name: told(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(told, value))
    if names := getattr(value, "_fields", None) or getattr(value, "__struct_fields__", None):
        return {name: told(getattr(value, name)) for name in names}
    if dataclasses.is_dataclass(value):
        return {field.name: told(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def is_kept(before: Any, after: Any) -> bool:
    """Whether all that was said is said now, under the same names."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and is_kept(one, after[name]) for name, one in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(is_kept, before, after))
    return type(before) is type(after) and bool(before == after)


@given(pairs(), st.data())
def test_no_value_is_read_in_another_field(
    two: tuple[tuple[Any, Fields], tuple[Any, Fields]], data: st.DataObject
) -> None:
    """Any change of any type: what is not refused is read right, and what is added is at its default."""
    (stored, _), (today, after) = two
    value = value_of(data.draw, stored)
    text = msgspec.json.encode(value)
    if faults(stored, today):
        return
    read = told(msgspec.json.decode(text, type=today))
    assert is_kept(told(value), read)
    before = told(value)
    new = {name: default for name, _, default in after if name not in before and name in read}
    assert {name: read[name] for name in new} == {name: told(default) for name, default in new.items()}


@given(records(), st.data())
def test_an_upcaster_is_given_what_was_stored_by_name(one: tuple[Any, Fields], data: st.DataObject) -> None:
    """However it is stored; a shape that was stored says as much as the type itself."""
    kind, _ = one
    value = value_of(data.draw, kind)
    shape = msgspec.json.decode(msgspec.json.encode(shape_of(kind)), type=Shape)
    assert shape == shape_of(kind)
    named = by_names(shape, msgspec.json.decode(msgspec.json.encode(value)))
    assert is_kept(msgspec.to_builtins(told(value)), named)


def test_records_within_records_are_given_by_name() -> None:
    """In lists, dicts, tuples and unions, with what was left out."""
    shape = shape_of(Whole)
    stored = [[["a"]], {"b": ["b", 2]}, [7, ["c"]], ["d"], {"type": "B", "b": 5}]
    assert by_names(shape, stored) == {
        "lines": [{"item": "a", "pieces": 1}],
        "by_name": {"b": {"item": "b", "pieces": 2}},
        "pair": [7, {"item": "c", "pieces": 1}],
        "one": {"item": "d", "pieces": 1},
        "struct": {"type": "B", "b": 5},
        "tree": {"name": "x", "parts": []},
    }
    assert by_names(shape, [[], {}, [7, ["c"]], "text", {"type": "A", "a": 1}, ["y", []]])["one"] == "text"


def test_a_default_that_is_made_anew_each_time_is_not_known() -> None:
    """It is no part of what is compared but by its name."""

    class Made(msgspec.Struct, omit_defaults=True):
        at: list[int] = msgspec.field(default_factory=lambda: [1])
        gone: int | msgspec.UnsetType = msgspec.UNSET
        many: list[int] = []

    assert [field.default.split(" by ")[0] for field in shape_of(Made).records["Made"].fields] == [
        "made",
        "",
        "[]",
    ]
    assert by_names(shape_of(Made), {}) == {"many": []}
    assert faults(Made, Made) == []
