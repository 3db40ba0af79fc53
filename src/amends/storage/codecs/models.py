"""Models of pydantic, which we do not depend on: a class that says how it is written and read is taken at its word."""

from __future__ import annotations

from typing import Any

import msgspec


def is_model(kind: Any) -> bool:
    """Whether a class is a model of pydantic."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_fields__") and hasattr(kind, "model_validate")


def written(value: Any) -> Any:
    """A model as what JSON holds, in the form that it is read from.

    Raises:
        TypeError: it is none.
    """
    if is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    raise TypeError(f"Encoding objects of type {type(value).__qualname__} is unsupported")


def told_by_fields(value: Any) -> dict[str, Any]:
    """The fields of a model, by the names that they are stored under, without those at their defaults."""
    fields: dict[str, Any] = value.model_dump(mode="python", by_alias=True, round_trip=True, exclude_defaults=True)
    return fields


def read(kind: Any, value: Any) -> Any:
    """A model of what JSON holds.

    Raises:
        ValueError: it is none of it.
        NotImplementedError: the type is no model.
    """
    if is_model(kind):
        return kind.model_validate(value)
    raise NotImplementedError(f"{kind!r} is of no kind that JSON is read as")


def plain(value: Any) -> Any:
    """A value of any kind as dicts, lists, texts and numbers."""
    return msgspec.to_builtins(value, enc_hook=written)
