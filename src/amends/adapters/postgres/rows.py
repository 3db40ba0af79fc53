"""Rows as they are written, a batch as columns, and as they are read back: as they were written, or `Unreadable`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from amends.adapters.postgres.texts import number_array, opened, optional_text_array, stored, text_array
from amends.core.audit import GENESIS
from amends.storage.rows import (
    Block,
    EntityRow,
    Head,
    KeyRow,
    Letter,
    SagaRow,
    ShapeRow,
    Unreadable,
    checksum,
    checksums,
)

Values = tuple[Any, ...]
Parameters = dict[str, Any]

WRONG_CHECKSUM: Final = "its checksum does not match its values"
NUMBERS: Final = {"due_ms", "started_ms", "changed_ms", "version", "since_ms", "shard", "posted_ms"}
"""The fields of rows that are numbers; `body` may be missing, and all others are texts."""

Row = SagaRow | EntityRow | KeyRow | ShapeRow | Unreadable | Letter
Stored = TypeVar("Stored", SagaRow, EntityRow, KeyRow, ShapeRow)


def columns_of(rows: Sequence[Row]) -> Parameters:
    """Rows of one kind as arrays: one for each field, under its name, and one of their checksums."""
    fields = zip(rows[0]._fields, zip(*rows, strict=True), strict=True)
    columns = {name: _array(name, column) for name, column in fields}
    return {**columns, "checksum": number_array([*checksums(rows)])}


def checksum_array(rows: Sequence[Row]) -> str:
    """Their checksums."""
    return number_array([*checksums(rows)])


def saga_of(values: Values) -> SagaRow | Unreadable:
    """A saga, of the values of its row and their checksum."""
    return _row_of(SagaRow._make, values, "saga", lambda row: row.saga_id)


def entity_of(values: Values) -> EntityRow | Unreadable:
    """An entity, of the same."""
    return _row_of(EntityRow._make, values, "entity", lambda row: f"{row.service}/{row.entity_id}")


def key_of(values: Values) -> KeyRow | Unreadable:
    """What a client key stands for, of the same."""
    return _row_of(KeyRow._make, values, "key", lambda row: row.key)


def shape_of(values: Values) -> ShapeRow | Unreadable:
    """As what something is stored, of the same."""
    return _row_of(ShapeRow._make, values, "shape", lambda row: f"{row.kind} of {row.name}")


def unreadable_of(values: Values) -> Unreadable:
    """What was set aside, of the same, as far as that can be read itself."""
    row = Unreadable._make(_texts(values[:-1]))
    return row if checksum(row) == values[-1] else row._replace(why=WRONG_CHECKSUM)


def letter_of(values: Values) -> Letter | None:
    """A letter, of the same; ``None`` where it was damaged."""
    row = Letter._make(_texts(values[:-1]))
    return row if checksum(row) == values[-1] else None


def block_parameters(block: Block) -> Parameters:
    """A block as it is written."""
    facts = (block.chain, block.number, block.at_ms, block.before, block.head, block.started, block.ended)
    return {
        "chain": stored(block.chain),
        "number": block.number,
        "at_ms": block.at_ms,
        "before": block.before,
        "head": block.head,
        "started": block.started,
        "ended": block.ended,
        "checksum": checksum(facts),
        "records": stored(block.records),
        "beside": stored(block.values),
        "genesis": GENESIS,
    }


def block_of(values: Values) -> Block:
    """A block as it was written; its head is empty when it was not written like that."""
    chain, number, at_ms, before, head, started, ended, _, records, beside = _texts(values)
    if checksum(_facts(values)) == values[7]:
        return Block(number, at_ms, before, head, records, (), started, ended, beside, chain)
    return Block(number, 0, b"", b"", records, (), 0, 0, beside, chain)


def head_of(values: Values) -> Head | None:
    """The head of a block, of its values without the records; ``None`` when it is not what was written."""
    chain, number, at_ms, _, head, *_ = facts = _facts(values)
    return Head(number, head, at_ms, chain) if checksum(facts) == values[7] else None


def _row_of(
    make: Callable[[Values], Stored], values: Values, kind: str, name: Callable[[Stored], str]
) -> Stored | Unreadable:
    row = make(_texts(values[:-1]))
    return row if checksum(row) == values[-1] else Unreadable(kind, name(row), WRONG_CHECKSUM)


def _facts(values: Values) -> Values:
    return (opened(values[0]), *values[1:7])


def _texts(values: Values) -> Values:
    return tuple([opened(value) if type(value) is str else value for value in values])


def _array(name: str, column: Sequence[Any]) -> str:
    if name in NUMBERS:
        return number_array(column)
    return optional_text_array(column) if name == "body" else text_array(column)
