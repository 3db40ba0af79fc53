"""What tells two values apart: their types and everything that they are made of, also what they hide.

Never their text: two values may share one, and one value may have another each time.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final
from uuid import UUID

from amends.core.definition import Saga
from amends.errors import UnusableInput

PLAIN: Final = frozenset(
    (type(None), bool, int, float, complex, str, bytes, date, datetime, time, timedelta, Decimal, Fraction, UUID)
)
WHOLE: Final = (Enum, Saga, PurePath, tzinfo, type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
"""What has no parts that a saga could change: one is another by ``==`` alone."""

BASES: Final[tuple[Any, ...]] = (
    int,
    float,
    str,
    bytes,
)  # of classes that are such a value, and may have fields beside it
NO_FIELDS: Final = ((), False)
ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")  # in a text; another each time


def frozen(value: Any) -> Hashable:
    """A hashable stand-in, equal when type and parts are: ``1``, ``1.0`` and ``True`` are three values.

    Raises:
        UnusableInput: a value has neither parts nor an ``==`` of its own, so that it cannot be told from another.
    """
    kind: Any = type(value)
    if kind in PLAIN or isinstance(value, WHOLE):
        return kind, value
    parts: tuple[Any, ...]
    if isinstance(value, tuple | list):
        parts = (kind, *map(frozen, value))
    elif isinstance(value, Mapping):
        parts = (kind, *((frozen(key), frozen(value[key])) for key in value))
    elif isinstance(value, AbstractSet):  # its order is another in each process
        parts = kind, frozenset(map(frozen, value))
    elif base := next((base for base in BASES if isinstance(value, base)), None):
        parts = kind, base(value)
    elif isinstance(value, Sequence):
        parts = (kind, *map(frozen, value))
    else:
        return kind, *_all_of(value)
    return parts if _named_by(kind) == NO_FIELDS else (*parts, *_parts_of(value))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal: by their own ``==``, or, where a class has none, by all that they are made of."""
    return bool(one == other) or (type(one) is type(other) and frozen(one) == frozen(other))


def has_no_equals(value: Any) -> bool:
    """Whether two values of its type are equal only when they are one object."""
    kind: Any = type(value)
    return bool(kind.__eq__ is object.__eq__)


def by_fields(value: Any) -> str:
    """That a value is compared by its fields, since its class has no ``==``; nothing where it has one."""
    kind: Any = type(value)
    is_bare = has_no_equals(value) and _named_by(kind) != NO_FIELDS
    return f" ({kind.__qualname__} has no ==, so its fields are compared)" if is_bare else ""


def fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Everything that an object keeps, by name: public, private, and in slots."""
    kind: Any = type(value)
    slots, has_more = _named_by(kind)
    for name in slots:
        if hasattr(value, name):
            yield name, getattr(value, name)
    if has_more:
        yield from sorted(vars(value).items())


def record(value: Any) -> Mapping[str, Any] | None:
    """The fields of a named tuple or a dataclass, by name and in order; ``None`` of anything else."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return None


def _all_of(value: Any) -> tuple[Hashable, ...]:
    """The parts of an object, or, where it has none, itself."""
    kind: Any = type(value)
    if _named_by(kind) != NO_FIELDS:
        return _parts_of(value)
    if has_no_equals(value) or kind.__hash__ is None:
        raise UnusableInput(
            f"a value of the type {kind.__qualname__} cannot be told from another: it has no fields, and no == of its "
            "own; use a named tuple or a frozen dataclass"
        )
    return (value,)


def _parts_of(value: Any) -> tuple[Hashable, ...]:
    return tuple((name, frozen(part)) for name, part in fields_of(value))


def told(value: Any) -> str:
    """A value as a person reads it: by its fields where its class has no text or hides some, never by its address."""
    kind: Any = type(value)
    if kind.__repr__ is object.__repr__ or (is_dataclass(kind) and not all(each.repr for each in fields(kind))):
        return f"{kind.__qualname__}({', '.join(f'{name}={told(part)}' for name, part in fields_of(value))})"
    return ADDRESS.sub("", repr(value))


@lru_cache(maxsize=1024)
def _named_by(kind: Any) -> tuple[tuple[str, ...], bool]:
    """The slots of a class, and whether its objects have more fields than these."""
    named = [
        f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
        for base in kind.__mro__
        for name in _slots(base)
    ]
    return tuple(name for name in named if name not in ("__dict__", "__weakref__")), bool(kind.__dictoffset__)


def _slots(base: type) -> Sequence[str]:
    slots = base.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
