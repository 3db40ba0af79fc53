"""Which values of a type can neither change nor come back from JSON as something else: a look at their classes tells.

Numbers, texts, truth values and ``None``, and frozen records of these: a `NamedTuple`, a frozen dataclass, a frozen
msgspec struct, each of exactly the class that is declared. Such a value *is closed*. It is handed on as it is, and
costs no copy. The look is written out as one Python expression for each type, since every step of every saga takes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

SCALARS: Final = frozenset((int, str, bool, NoneType))
FINITE: Final = "type({0}) is float and -inf < {0} < inf"

Names = dict[str, Any]
"""What the expression calls by a name of ours."""


def closed(kind: Any) -> Callable[[Any], bool] | None:
    """Whether a value is closed, given the type that it is declared to have; ``None`` when no value of the type is."""
    names: Names = {"SCALARS": SCALARS, "inf": inf}
    test = _test(kind, "value", names, ())
    if test is None:
        return None
    lines = ["def is_closed(value):", f"return {test}"]
    parts = _parts(kind) if isinstance(kind, type) and issubclass(kind, tuple) else None
    if parts:  # taken apart all at once, since looking each of them up takes longer than the look at it
        names["kind"], given = kind, [f"part_{place}" for place in range(len(parts))]
        looks = [f"({_test(part, name, names, (kind,))})" for name, part in zip(given, parts.values(), strict=True)]
        lines[1:] = [
            f"if type(value) is not kind or len(value) != {len(parts)}: return False",
            f"{', '.join(given)}, = value",
            f"return {' and '.join(looks)}",
        ]
    exec("\n    ".join(lines), names)  # noqa: S102 - our own text
    return cast("Callable[[Any], bool]", names["is_closed"])


def _test(kind: Any, value: str, names: Names, within: Sequence[Any]) -> str | None:
    """Write the look at one part of a value: an expression; ``None`` when no class can tell."""
    kind = getattr(kind, "__supertype__", kind)  # of a `NewType`
    if kind is Any:
        return f"(type({value}) in SCALARS or {FINITE.format(value)})"
    if kind is float:
        return FINITE.format(value)
    if kind is None or kind is NoneType:
        return f"{value} is None"
    if kind in SCALARS:
        return f"type({value}) is {kind.__name__}"
    if get_origin(kind) in (Union, UnionType):
        tests = [_test(member, value, names, within) for member in get_args(kind)]
        return None if None in tests else f"({' or '.join(f'({test})' for test in tests)})"
    parts = _parts(kind) if isinstance(kind, type) and kind not in within else None
    if parts is None:
        return None
    looks = [_test(part, f"{value}{access}", names, (*within, kind)) for access, part in parts.items()]
    if None in looks:
        return None
    names[name := f"class_{len(names)}"] = kind
    length = [f"len({value}) == {len(parts)}"] if issubclass(kind, tuple) else []
    return " and ".join([f"type({value}) is {name}", *length, *(f"({look})" for look in looks)])


def _parts(kind: type) -> Mapping[str, Any] | None:
    """How each part of a frozen record is reached, and its type; ``None`` for any other class."""
    names = _fields(kind)
    if names is None or hasattr(kind, "__post_init__"):  # which is free to make something else of what is read
        return None
    try:
        hints = get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):
        return None
    is_tuple = issubclass(kind, tuple)
    return {f"[{place}]" if is_tuple else f".{name}": hints.get(name, Any) for place, name in enumerate(names)}


def _fields(kind: type) -> Sequence[str] | None:
    own = vars(kind)
    if kind.__bases__ == (tuple,) and "_fields" in own:
        return cast("Sequence[str]", own["_fields"])
    if getattr(getattr(kind, "__struct_config__", None), "frozen", False):
        return cast("Sequence[str]", kind.__struct_fields__)  # type: ignore[attr-defined]  # it is a struct of msgspec
    if "__dataclass_params__" in own and own["__dataclass_params__"].frozen:
        fields = dataclasses.fields(kind)
        return [field.name for field in fields] if all(field.init for field in fields) else None
    return None
