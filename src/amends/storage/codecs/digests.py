"""Digests of requests under a client key: one for equal requests, in any process and order in which they are made.

A request is digested by the names of its fields, without what is at its default: so one that was made before a field
with a default was added is the same as one that is made after it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple

import msgspec

from amends.errors import RequestRefused
from amends.exceptions import complaint
from amends.storage.codecs.models import is_model, told_by_fields
from amends.storage.codecs.values import text_of

DIGEST_BYTES: Final = 16  # of a request under a client key; 2**64 requests before two are likely to share one

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_SCALARS: Final = frozenset((NoneType, bool, int, float, str, bytes))
_ABSENT: Final = object()


def digest_of(what: str, request: Any) -> str:
    """A digest of a request under a client key.

    Args:
        what: the name of the definition, or of the command and its entity.
        request: as the client gave it.

    Raises:
        RequestRefused: it cannot be stored.
    """
    return _digest(what, _canonical_text, request)


def digest_by_position(what: str, request: Any) -> str:
    """The digest that stores of schema version 3 and before hold of the same: of the request as it is stored.

    Raises:
        RequestRefused: it cannot be stored.
    """
    return _digest(what, text_of, request)


def _digest(what: str, text_of_it: Callable[[Any], str], request: Any) -> str:
    try:
        text = text_of_it(request)
    except BaseException as error:
        raise RequestRefused(f"the request cannot be stored: {complaint(error)}") from error
    return hashlib.blake2b(f"{what}\0{text}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def _canonical_text(value: Any) -> str:
    return _ENCODER.encode(_canonical(value)).decode()


def _canonical(value: Any) -> Any:
    """A value in which nothing depends on an order that means nothing."""
    kind = value.__class__
    if kind in _SCALARS:
        return value
    names = _fields_of(kind)
    if names is not None:
        return _by_name(value, names)
    if isinstance(value, dict):
        return {_key_of(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if item.__class__ in _SCALARS else _canonical(item) for item in value]
    if is_model(kind):
        return _canonical(told_by_fields(value))
    if isinstance(value, AbstractSet):
        return [msgspec.Raw(text) for text in sorted(_ENCODER.encode(_canonical(item)) for item in value)]
    return value


def _key_of(key: Any) -> str:
    """A key of a dict as JSON has it: a text."""
    return key if isinstance(key, str) else _ENCODER.encode(key).decode()


class _Field(NamedTuple):
    """A field of a record.

    Attributes:
        name: as it is read.
        stored: as it is called in JSON.
        default: what it is when it is not given; `_ABSENT` when it has to be.
    """

    name: str
    stored: str
    default: Any


def _by_name(record: Any, fields: Iterable[_Field]) -> dict[str, Any]:
    named = {}
    for name, stored, default in fields:
        value = getattr(record, name, _ABSENT)
        if value is default or value is _ABSENT or value is msgspec.UNSET:
            continue
        if default is _ABSENT or not _is_equal(value, default):
            named[stored] = value if value.__class__ in _SCALARS else _canonical(value)
    return named


def _is_equal(value: Any, default: Any) -> bool:
    if value.__class__ is not default.__class__:
        return False
    return bool(value == default if value.__class__ in _SCALARS else _canonical_text(value) == _canonical_text(default))


@lru_cache(maxsize=1000)
def _fields_of(kind: type) -> tuple[_Field, ...] | None:
    """The fields of a class whose instances are records; ``None`` of any other class."""
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        defaults = getattr(kind, "_field_defaults", {})
        return tuple(_Field(name, name, defaults.get(name, _ABSENT)) for name in kind._fields)
    if issubclass(kind, msgspec.Struct):
        missing = msgspec.NODEFAULT
        required = len(kind.__struct_fields__) - len(kind.__struct_defaults__)
        defaults = (*[missing] * required, *kind.__struct_defaults__)
        names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, defaults, strict=True)
        return tuple(
            _Field(name, stored, _default_of(default, getattr(default, "factory", missing), missing))
            for name, stored, default in names
        )
    if dataclasses.is_dataclass(kind):
        return tuple(
            _Field(field.name, field.name, _default_of(field.default, field.default_factory, dataclasses.MISSING))
            for field in dataclasses.fields(kind)
        )
    return None


def _default_of(default: Any, factory: Any, missing: Any) -> Any:
    if factory is not missing:
        return factory()
    return _ABSENT if default is missing else default
