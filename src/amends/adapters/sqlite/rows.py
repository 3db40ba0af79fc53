"""Rows as they are read back, each with its checksum: as they were written, or `Unreadable`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from amends.core.audit import HEAD_BYTES
from amends.storage.rows import Block, EntityRow, Head, KeyRow, Letter, SagaRow, ShapeRow, Unreadable, checksum

Row = TypeVar("Row", SagaRow, EntityRow, KeyRow, ShapeRow)
Values = tuple[Any, ...]
Types = set[tuple[type, ...]]

NULL: Final = type(None)
SAGA_TYPES: Final[Types] = {(str, str, str, str, str, due, int, int, int, int) for due in (int, NULL)}
ENTITY_TYPES: Final[Types] = {(str, str, body, int, int) for body in (str, NULL)}
KEY_TYPES: Final[Types] = {(str, str, str, str, int)}
SHAPE_TYPES: Final[Types] = {(str, str, int, str, int)}
BLOCK_TYPES: Final = (int, int, bytes, bytes, int, int, int)

WRONG_TYPE: Final = "a value of the wrong type"
WRONG_CHECKSUM: Final = "its checksum does not match its values"
NOT_UTF_8: Final = "text that is not UTF-8"
NOT_FOUND: Final = "it is not found by its name"

Lane = tuple[int, int]
INPUTS: Final[Lane] = (-(2**62), -1)
"""The first and the last number that a letter with an answer or a verb can have."""
STARTS: Final[Lane] = (1, 2**62)
"""The same of a letter that starts a saga: it comes behind those, in a table that is read by its numbers."""


def saga_of(name: str, values: Values) -> SagaRow | Unreadable:
    """A saga, of the values of its row and their checksum; without values, the row holds what is no text."""
    return _row_of(SagaRow._make, SAGA_TYPES, "saga", name, values)


def entity_of(name: str, values: Values) -> EntityRow | Unreadable:
    """An entity as its row holds it; its name is ``SERVICE/entity id``."""
    return _row_of(EntityRow._make, ENTITY_TYPES, "entity", name, values)


def key_of(name: str, values: Values) -> KeyRow | Unreadable:
    """What a client key stands for, as its row holds it."""
    return _row_of(KeyRow._make, KEY_TYPES, "key", name, values)


def shape_of(values: Values) -> ShapeRow | Unreadable:
    """As what something is stored, as its row holds it."""
    return _row_of(ShapeRow._make, SHAPE_TYPES, "shape", " of ".join(map(text_of, values[:2])), values)


def letters_of(rows: Iterable[Values]) -> Iterator[Letter]:
    """The letters of some rows; those that were damaged are left out."""
    return (Letter._make(row[:-1]) for row in rows if row and checksum(row[:-1]) == row[-1])


def unreadable_of(values: Values) -> Unreadable:
    """What was set aside, as far as that can be read itself."""
    row = Unreadable(*map(text_of, values[:-1]))
    return row if checksum(row) == values[-1] else row._replace(why=WRONG_CHECKSUM)


def _row_of(make: Callable[[Values], Row], types: Types, kind: str, name: str, values: Values) -> Row | Unreadable:
    if tuple(map(type, values)) not in types:
        return Unreadable(kind, name, WRONG_TYPE if values else NOT_UTF_8)
    row = make(values[:-1])
    return row if checksum(row) == values[-1] else Unreadable(kind, name, WRONG_CHECKSUM)


def text_of(value: Any) -> str:
    """Text as far as it is text: a name that was damaged is found nowhere."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def digest_of(key: str) -> int:
    """Four bytes of a client key, by which it is found: -2**31 to 2**31 - 1, which SQLite keeps in four bytes.

    Not a CRC: an attacker cannot make many keys of one digest.
    """
    hashed = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=4)
    return int.from_bytes(hashed.digest(), "big", signed=True)


def block_values(block: Block) -> Values:
    """A block as it is written."""
    facts = (block.number, block.at_ms, block.before, block.head, block.started, block.ended)
    return (*facts, checksum(facts), block.records, block.values)


def block_of(values: Values) -> Block:
    """A block as it was written; its head is empty when it was not written like that."""
    number, at_ms, before, head, started, ended, _, records, beside = values
    text, values_text = _decoded(records), _decoded(beside) or ""
    if _is_sound(values[:-2]) and text is not None:
        return Block(number, at_ms, before, head, text, (), started, ended, values_text)
    return Block(number, 0, b"", b"", text or "", (), 0, 0, values_text)


def head_of(values: Values) -> Head | None:
    """The head of a block, of its values without the records; ``None`` when it is not what was written."""
    return Head(values[0], values[3], values[1]) if _is_sound(values) else None


def _is_sound(values: Values) -> bool:
    return (
        tuple(map(type, values)) == BLOCK_TYPES
        and len(values[2]) == len(values[3]) == HEAD_BYTES
        and checksum(values[:-1]) == values[-1]
    )


def _decoded(value: Any) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else None
    except UnicodeDecodeError:
        return None
