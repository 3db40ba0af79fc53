"""How two values differ, part by part, in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from amends.checking.values import by_fields, fields_of, record, same, told

NOTHING: Final = "nothing"
VALUE_LENGTH_MAX: Final = 60  # two of them fit on a line and its continuation
_ABSENT: Final = object()


class Difference(NamedTuple):
    """A part of a value, before and after.

    Attributes:
        part: which one, ``stock`` or ``ada.cents``; empty for the value as a whole.
        before: as a person reads it.
        after: the value after.
    """

    part: str
    before: str
    after: str


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    """What differs between two values; nothing when they are equal."""
    return () if same(before, after) else tuple(_parts("", before, after))


def instead(where: str, expected: Any, actual: Any) -> str:
    """What is otherwise than it is to be, side by side, in a few words; without `where`, if that is named already."""
    found = differences(expected, actual)
    names = [" ".join(filter(None, (where, each.part, "is"))) for each in found]
    return "; ".join(f"{name} {each.after}, to be {each.before}" for name, each in zip(names, found, strict=True))


def in_words(value: Any) -> str:
    """A value as a person reads it: text without quotes, ``nothing`` for what does not exist, long ones cut."""
    if value is None or value is _ABSENT:
        return NOTHING
    is_word = isinstance(value, str) and value.isprintable() and value.strip() == value != ""
    text = value if is_word else _record(value) if _is_record(value) else told(value)
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[: VALUE_LENGTH_MAX - 3]}..."


def _parts(name: str, before: Any, after: Any) -> Iterator[Difference]:
    was, now = _parted(before), _parted(after)
    if was is None or now is None or type(before) is not type(after):
        yield Difference(name, in_words(before), in_words(after))
        return
    for key in dict.fromkeys([*was, *now]):
        one, other = was.get(key, _ABSENT), now.get(key, _ABSENT)
        if one is _ABSENT or other is _ABSENT or not same(one, other):
            yield from _parts(f"{name}.{key}" if name else str(key), one, other)


def _parted(value: Any) -> Mapping[Any, Any] | None:
    """A value's parts by name; ``None`` when it has none that a person would tell apart."""
    if isinstance(value, Mapping):
        return value
    if (named := record(value)) is not None:
        return named
    if isinstance(value, tuple):
        return by_key(value) if value else {}
    return dict(fields_of(value)) if by_fields(value) else None


def by_key(records: tuple[Any, ...]) -> Mapping[Any, Any] | None:
    """Records by their first field, as books are kept; ``None`` when that is no key."""
    if not all(map(_is_record, records)):
        return None
    keyed = {record[0]: record for record in records}
    return keyed if len(keyed) == len(records) else None


def _is_record(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields") and len(value) > 1 and isinstance(value[0], str)


def _record(record: Any) -> str:
    """A record without its key, which names the part."""
    pairs = zip(record._fields[1:], record[1:], strict=True)
    return ", ".join(f"{name} {in_words(value)}" for name, value in pairs)
