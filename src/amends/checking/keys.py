"""Books without the keys that they only remember, since a participant that does a key once has to remember it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, Final

from amends.checking.values import frozen, record

UNDONE: Final = ("/undo", "/undo-late")
NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})


def without_remembered(books: Any, names: Mapping[str, str] = NO_NAMES) -> Hashable:
    """A stand-in for books that is equal where they are, in any order, but for keys of what was undone.

    A collection may hold the key of an undo, and with it that of its action. The key of an action alone may be all that
    there is of its effect, so it counts.

    Args:
        books: of a participant, or of a part of it.
        names: for texts that are given out in order, as the numbers of receipts, what to take in their place.
    """
    kind = type(books)
    if isinstance(books, str):
        return names.get(books, books)
    if (named := record(books)) is not None:
        return (kind, *(without_remembered(part, names) for part in named.values()))
    if isinstance(books, tuple | list | AbstractSet):
        return (kind, frozenset(Counter(without_remembered(each, names) for each in _kept(books)).items()))
    if isinstance(books, Mapping):
        pairs = ((without_remembered(key, names), without_remembered(books[key], names)) for key in _kept(books))
        return (kind, frozenset(pairs))
    return frozen(books)


def names_in(answer: Any, name: str) -> Iterator[tuple[str, str]]:
    """The texts in an answer, each with a name that says where: a receipt is of its step, by any number."""
    if isinstance(answer, str) and not _stem(answer):  # a key is a name already
        yield answer, name
    elif isinstance(answer, Mapping):
        for key in answer:
            yield from names_in(answer[key], f"{name}.{key}")
    elif isinstance(answer, tuple | list):
        for place, part in enumerate(answer):
            yield from names_in(part, f"{name}.{place}")


def _kept(values: Collection[Any]) -> Iterator[Any]:
    texts = {value for value in values if isinstance(value, str)}
    stems = {text.removesuffix(end) for text in texts for end in UNDONE if text.endswith(end)}
    return (value for value in values if not (isinstance(value, str) and _stem(value) in stems))


def _stem(text: str) -> str:
    for end in (*UNDONE, "/do"):
        if text.endswith(end):
            return text.removesuffix(end)
    return ""
