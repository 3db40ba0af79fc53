"""What a function changed of a value, part by part, so that two changes can be added up and compared.

A number changes by a difference; what is listed appears and goes; anything else was one thing and is another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from amends.checking.differences import by_key
from amends.checking.values import frozen, record

Change = dict[tuple[Hashable, ...], Any]
"""Path of a part, to what became of it: a difference, or the pair of what it was and what it is."""

EACH: Final = "*"  # in place of a key: any of those that are kept under it
NOTHING: Final = ("nothing",)


def change(before: Any, after: Any) -> Change:
    """What differs, by part; empty when nothing does."""
    was, now = dict(_leaves((), before)), dict(_leaves((), after))
    found = {path: _difference(was.get(path, NOTHING), now.get(path, NOTHING)) for path in {**was, **now}}
    return {path: what for path, what in found.items() if what is not None}


def net(first: Change, second: Change) -> Change:
    """Two changes as one, the first made first; what the second takes back is not in it."""
    summed = {path: _added(first.get(path), second.get(path)) for path in {**first, **second}}
    return {path: what for path, what in summed.items() if what is not None}


def amount(made: Change) -> Mapping[Hashable, Any]:
    """How much was changed, wherever of several that are kept alike: the same for one seat as for the next."""
    numbers: Counter[Hashable] = Counter()
    for path, what in made.items():
        kept = tuple(EACH if isinstance(key, tuple) else key for key in path)
        if isinstance(what, tuple):
            numbers[kept, what] += 1
        else:
            numbers[kept] += what
    return {path: number for path, number in numbers.items() if number}


def _difference(was: Any, now: Any) -> Any:
    if _is_number(was) or _is_number(now):
        one, other = (0 if each is NOTHING else each for each in (was, now))
        if _is_number(one) and _is_number(other):
            return other - one or None
    return None if was == now else (was, now)


def _added(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tuple) and isinstance(other, tuple):
        return None if one[0] == other[1] else (one[0], other[1])
    return (one, other) if isinstance(one, tuple) or isinstance(other, tuple) else one + other or None


def _leaves(path: tuple[Hashable, ...], value: Any) -> Iterator[tuple[tuple[Hashable, ...], Any]]:
    """The parts of a value; the key of one that is kept among others is a tuple of its own, a field's name is not."""
    named = _named(value)
    if named is None:
        yield path, value if _is_number(value) else frozen(value)
        return
    for key, each in named:
        yield from _leaves((*path, key), each)


def _named(value: Any) -> Iterable[tuple[Hashable, Any]] | None:
    """What a value consists of; ``None`` when it is one thing."""
    if (named := record(value)) is not None:
        return named.items()
    if isinstance(value, Mapping):
        return (((frozen(key),), each) for key, each in value.items())
    if not isinstance(value, tuple | list | AbstractSet):
        return None
    keyed = by_key(value) if isinstance(value, tuple) and value else None
    return (((key,), each) for key, each in (Counter(map(frozen, value)) if keyed is None else keyed).items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
