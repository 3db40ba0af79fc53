"""What functions and types say of themselves, before anything is called or stored."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final, get_args, get_type_hints

RECORDS: Final = (
    "_fields", "__dataclass_fields__", "__required_keys__", "__struct_fields__", "__attrs_attrs__",
    "__pydantic_fields__",
)  # fmt: skip
"""What a class has that says what its values hold: of a NamedTuple, dataclass, TypedDict, msgspec, attrs, pydantic."""

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
        kind = get_type_hints(function).get(first)
    except (NameError, StopIteration, TypeError, ValueError):
        return
    yield from _foreign(kind, what)


def _foreign(kind: Any, what: str) -> Iterator[str]:
    """The classes of somebody's own in a type of which nobody knows what to store."""
    own = isinstance(kind, type) and kind.__module__.partition(".")[0] not in {*sys.stdlib_module_names, "builtins"}
    if own and not issubclass(kind, Enum) and not any(hasattr(kind, name) for name in RECORDS):
        yield (
            f"{what} is {kind!r}, which cannot be stored; give a NamedTuple, dataclass, TypedDict, msgspec struct, "
            "attrs class, pydantic model or dict"
        )
    for part in get_args(kind):
        yield from _foreign(part, f"{what}, {kind}: a part of it")
