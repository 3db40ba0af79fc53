"""Values of a declared type, made up: what a ready model answers, as the functions declare it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import inspect as info


def sample_of(kind: Any, text: str) -> Any:
    """A value of a type: `text` where it has text, 1 for a number, yes, one of each.

    Args:
        kind: the type.
        text: what its texts are.

    Raises:
        LookupError: it is not known how a value of the type is made.
    """
    try:
        return msgspec.convert(_plain(info.type_info(kind), text), kind)
    except (TypeError, ValueError, RecursionError) as error:  # one that is not known here, or takes not any value
        raise LookupError(str(error)) from error


def _plain(kind: Any, text: str) -> Any:
    """The same, as plain JSON has it."""
    if type(kind) in PLAIN:
        return PLAIN[type(kind)]
    if type(kind) in MADE:
        return MADE[type(kind)](kind, text)
    raise LookupError(f"nobody knows a value of {kind}")


def _first(kind: Any, text: str) -> Any:
    return _plain(next(each for each in kind.types if not isinstance(each, info.NoneType)), text)


def _one(kind: Any, text: str) -> Any:
    return [_plain(kind.item_type, text)]


def _fields(kind: Any, text: str) -> dict[str, Any]:
    return {each.encode_name: _plain(each.type, text) for each in kind.fields}


def _struct(kind: Any, text: str) -> Any:
    tag = {kind.tag_field: kind.tag} if kind.tag_field else {}
    fields = {**tag, **_fields(kind, text)}
    return [*fields.values()] if kind.array_like else fields


PLAIN: Final[dict[type, Any]] = {
    info.BoolType: True,
    info.IntType: 1,
    info.FloatType: 1,
    info.DecimalType: 1,
    info.BytesType: "",
    info.DateTimeType: "2000-01-01T00:00:00Z",
    info.DateType: "2000-01-01",
    info.TimeType: "00:00:00",
    info.TimeDeltaType: "PT1S",
    info.UUIDType: "00000000-0000-0000-0000-000000000001",
}
"""What needs no text."""

MADE: Final[dict[type, Callable[[Any, str], Any]]] = {
    info.StrType: lambda _, text: text,
    info.AnyType: lambda _, text: text,
    info.LiteralType: lambda kind, _: kind.values[0],
    info.EnumType: lambda kind, _: next(iter(kind.cls)).value,
    info.UnionType: _first,
    info.ListType: _one,
    info.SetType: _one,
    info.FrozenSetType: _one,
    info.VarTupleType: _one,
    info.TupleType: lambda kind, text: [_plain(each, text) for each in kind.item_types],
    info.DictType: lambda kind, text: {_plain(kind.key_type, text): _plain(kind.value_type, text)},
    info.StructType: _struct,
    info.NamedTupleType: lambda kind, text: [*_fields(kind, text).values()],
    info.DataclassType: _fields,
    info.TypedDictType: _fields,
}
"""What is made of a type's parts."""
