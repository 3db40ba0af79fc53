"""Books without the keys that they only remember, since whoever does a key once has to remember it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any, Final

from amends.checking.values import frozen

UNDONE: Final = ("/undo", "/undo-late")


def without_remembered(books: Any) -> Hashable:
    """A stand-in for books that is equal where they are, but for keys of what was undone.

    A collection may hold the key of an undo, and with it that of its action. The key of an action alone may be all that
    there is of its effect, so it counts.
    """
    kind = type(books)
    if is_dataclass(books) and not isinstance(books, type):
        return (kind, *(without_remembered(getattr(books, each.name)) for each in fields(books)))
    if isinstance(books, tuple) and hasattr(books, "_fields"):
        return (kind, *map(without_remembered, books))
    if isinstance(books, tuple | list):
        return (kind, *map(without_remembered, _kept(books)))
    if isinstance(books, AbstractSet):
        return (kind, frozenset(map(without_remembered, _kept(books))))
    if isinstance(books, Mapping):
        return (kind, *((frozen(key), without_remembered(books[key])) for key in _kept(books)))
    return frozen(books)


def _kept(values: Collection[Any]) -> Iterator[Any]:
    texts = {value for value in values if isinstance(value, str)}
    stems = {text.removesuffix(end) for text in texts for end in UNDONE if text.endswith(end)}
    return (value for value in values if not (isinstance(value, str) and _stem(value) in stems))


def _stem(text: str) -> str:
    for end in (*UNDONE, "/do"):
        if text.endswith(end):
            return text.removesuffix(end)
    return ""
