"""What functions and types say of themselves, before anything is called or stored."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from types import UnionType
from typing import Any, ClassVar, Final, Union, get_args, get_origin, get_type_hints

RECORDS: Final = (
    "_fields", "__dataclass_fields__", "__required_keys__", "__struct_fields__", "__attrs_attrs__",
    "__pydantic_fields__",
)  # fmt: skip
"""What a class has that says what its values hold: of a NamedTuple, dataclass, TypedDict, msgspec, attrs, pydantic."""

KNOWN: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "int float bool str bytes bytearray memoryview list tuple set frozenset dict NoneType",
        "datetime": "datetime date time timedelta",
        "decimal": "Decimal",
        "typing": "Any",
        "types": "NoneType",
        "uuid": "UUID",
    }.items()
    for name in names.split()
)
"""The classes of the standard library that can be stored, by their full names: which are not imported for it."""

FORMAL: Final = ("collections.abc", "msgspec", "typing")
"""Where classes stand for others: `Sequence`, `Mapping`, `UnsetType`."""

UNIONS: Final[tuple[Any, ...]] = (Union, UnionType)

FORMS: Final = ("__args__", "__supertype__", "__value__")
"""What a type has that is no class: `list[int]`, `int | str`; a `NewType`; what a `type` statement names."""


def accepts(function: Callable[..., Any], count: int) -> bool:
    """Whether a function takes so many values, and can be hashed."""
    try:
        hash(function)  # what is known of a function is found by it
        inspect.signature(function).bind(*range(count))
    except ValueError:  # some functions written in C do not tell; they are taken at their word
        return True
    except Exception:  # noqa: BLE001 - it is no function at all, or raises when it is looked at
        return False
    return True


def as_taken(function: Callable[..., Any], *values: Any) -> tuple[Any, ...]:
    """Some values for a function, without the last one where it does not take so many."""
    return values if accepts(function, len(values)) else values[:-1]


def is_plain(function: Any, count: int) -> bool:
    """Whether a function takes so many values, and gives its answer at once."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return accepts(function, count) and not any(is_kind(function) for is_kind in kinds)


def faults_of_type(kind: Any, what: str) -> Iterator[str]:
    """What is wrong with the type of values that are to be stored.

    What no runtime could store is told here; what the one cannot that is to run a saga, it says itself.

    Args:
        kind: the type.
        what: which values these are.
    """
    if not isinstance(kind, type) and kind is not Any and not any(hasattr(kind, name) for name in FORMS):
        yield f"{what} is {kind!r:.100}; give the type of its values, such as a NamedTuple, dict or list[int]"
    yield from _foreign(kind, what)


def faults_of_entity(function: Callable[..., Any], what: str) -> Iterator[str]:
    """What is wrong with the type that a function declares its first parameter to have, as far as that can be told yet.

    Args:
        function: of a participant; it may name types that are defined later.
        what: which values these are.
    """
    try:
        first = next(iter(inspect.signature(function).parameters))
    except (StopIteration, TypeError, ValueError):
        return
    kind = _hints(function).get(first)
    if kind is not object:  # who does not look at it says so; the others of its service say what it is
        yield from _foreign(kind, what)


def faults_of_answer(function: Callable[..., Any], what: str, outcomes: tuple[type, ...]) -> Iterator[str]:
    """What is wrong with the types that a function declares its answers to have, as far as that can be told yet.

    Args:
        function: of a participant; it may name types that are defined later.
        what: which values these are.
        outcomes: the classes between whose brackets an answer's type is the last.
    """
    hint = _hints(function).get("return")
    for member in get_args(hint) if get_origin(hint) in UNIONS else (hint,):
        if get_origin(member) in outcomes:
            yield from _foreign(get_args(member)[-1], what)


def _hints(function: Any) -> dict[str, Any]:
    """What a function, or a record, says of its parts; nothing where it names what is not defined yet."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError, AttributeError):
        return {}


def _foreign(kind: Any, what: str, within: tuple[Any, ...] = ()) -> Iterator[str]:
    """The classes in a type of which it is not known what to store, and unions of records that look alike in JSON.

    Args:
        kind: the type.
        what: which values these are.
        within: the types that it is a part of; one may hold itself.
    """
    if kind in within:
        return
    kind = getattr(kind, "__supertype__", getattr(kind, "__value__", kind))
    origin = get_origin(kind)
    own = origin if isinstance(origin, type) else kind
    is_record = isinstance(own, type) and any(hasattr(own, name) for name in RECORDS)
    if isinstance(own, type) and own not in UNIONS and not is_record and not _is_known(own):
        yield (
            f"{what} is {own!r}, which cannot be stored; give a NamedTuple, dataclass, TypedDict, msgspec struct, "
            "attrs class, pydantic model or dict"
        )
    if origin in UNIONS and len(alike := _alike(get_args(kind))) > 1:
        names = " and ".join(each.__qualname__ for each in alike)
        yield f"{what} is {kind}; JSON cannot tell {names} apart: give structs of msgspec with a tag, or one record"
    for part in get_args(kind):
        yield from _foreign(part, f"{what}, {kind}: a part of it", (*within, kind))
    if is_record and not hasattr(own, "__pydantic_fields__"):  # which sees to its own
        for name, part in _hints(own).items():
            if get_origin(part) is not ClassVar:
                yield from _foreign(part, f"{what}, {own.__qualname__}.{name}", (*within, kind))


def _is_known(kind: type) -> bool:
    return issubclass(kind, Enum) or kind.__module__ in FORMAL or f"{kind.__module__}.{kind.__qualname__}" in KNOWN


def _alike(members: Sequence[Any]) -> list[Any]:
    """The members of a union that are stored as lists by position, if there are several; or else by names, untagged."""
    records = [kind for kind in members if isinstance(kind, type)]
    by_position = [kind for kind in records if hasattr(kind, "_fields") and issubclass(kind, tuple)]
    by_names = [kind for kind in records if any(hasattr(kind, name) for name in RECORDS) and kind not in by_position]
    untagged = [kind for kind in by_names if getattr(getattr(kind, "__struct_config__", None), "tag", None) is None]
    return by_position if len(by_position) > 1 else untagged
