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

Touched = tuple[dict[str, Any], str, Any]
"""An entity that may have been written: its service's entities, its id, and what was kept of it before."""

Names = dict[str, Any]
"""What the expression calls by a name of ours."""


def closed(kind: Any) -> Callable[[Any], bool] | None:
    """Whether a value is closed, given the type that it is declared to have; ``None`` when no value of the type is."""
    names = _names()
    looks = _looks(kind, names)
    if looks is None:
        return None
    return _made(["def look(value):", *looks, "return True"], names)


def all_closed(kinds: Sequence[Any]) -> Callable[[Sequence[Touched]], bool]:
    """Whether all that was written of some entities is closed: the looks of `closed`, one after the other.

    Args:
        kinds: of which type each of them is; ``None`` for one that is not to be looked at.
    """
    names = {**_names(), "kept": dict.get}
    each = [f"(entities_{place}, id_{place}, before_{place})," for place in range(len(kinds))]
    lines = ["def look(touched):", f"{' '.join(each)} = touched"]
    for place, kind in enumerate(kinds):
        looks = None if kind is None else _looks(kind, names)
        if looks is not None:
            written = [f"value = kept(entities_{place}, id_{place})", f"if value is not before_{place}:"]
            lines += [*written, *(f"    {line}" for line in looks)]
    return _made([*lines, "return True"], names)


def _made(lines: Sequence[str], names: Names) -> Callable[[Any], bool]:
    exec("\n    ".join(lines), names)  # noqa: S102 - our own text
    return cast("Callable[[Any], bool]", names["look"])


def _names() -> Names:
    return {"SCALARS": SCALARS, "inf": inf}


def _looks(kind: Any, names: Names) -> list[str] | None:
    """Write the look at ``value`` as statements that return ``False`` when it is not closed."""
    test = _test(kind, "value", names, ())
    if test is None:
        return None
    parts = _parts(kind) if isinstance(kind, type) and issubclass(kind, tuple) else None
    if not parts:
        return [f"if not ({test}): return False"]
    names[name := f"class_{len(names)}"] = kind  # taken apart at once: to look each part up takes longer than the look
    given = [f"part_{place}" for place in range(len(parts))]
    looks = [f"({_test(part, each, names, (kind,))})" for each, part in zip(given, parts.values(), strict=True)]
    return [
        f"if type(value) is not {name} or len(value) != {len(parts)}: return False",
        f"{', '.join(given)}, = value",
        f"if not ({' and '.join(looks)}): return False",
    ]


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
