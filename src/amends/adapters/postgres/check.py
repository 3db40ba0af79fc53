"""What is wrong with the rows of a schema, each read as an engine reads it, and with what blocks are found by.

That sagas are where the audit leaves them is not asked here: `amends.auditing` does. Pages are the server's own matter:
its checksums, and pg_amcheck.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.reading import PostgresRecords
from amends.adapters.postgres.rows import letter_of, shape_of
from amends.adapters.postgres.texts import number_array, opened, stored, text_array
from amends.errors import StoreError
from amends.storage.blocks import Contents
from amends.storage.ports import ALL, SagaFilter
from amends.storage.rows import Unreadable
from amends.storage.shards import ALL_SHARDS

PAGE: Final = 500  # subjects of records that are looked at in one query
DAMAGED: Final = "its checksum does not match its values"


def problems(database: PostgresConnection, reading: PostgresRecords, *, with_sagas: bool = True) -> Iterator[str]:
    """What is wrong, a line each; nothing when all is well. Engines may write meanwhile.

    Args:
        database: the schema.
        reading: its rows.
        with_sagas: whether sagas are read, too; who compares them with the audit has read them.
    """
    try:
        for row in _rows(database, reading, with_sagas=with_sagas):
            if isinstance(row, Unreadable):
                yield f"{row.kind} {row.name}: {row.why}"
        yield from _letters(database)
        for chain in reading.chains():
            yield from _unfound_in(chain, database, reading)
    except StoreError as error:
        yield f"the rest cannot be read: {error}"


def _rows(database: PostgresConnection, reading: PostgresRecords, *, with_sagas: bool) -> Iterator[object]:
    yield from reading.listing(SagaFilter(limit=ALL)) if with_sagas else ()
    yield from reading.all_entities()
    yield from map(shape_of, database.read("shapes"))
    yield from reading.all_keys()


def _letters(database: PostgresConnection) -> Iterator[str]:
    for values in database.read("letters", shards=number_array(sorted(ALL_SHARDS)), limit=ALL):
        if letter_of(values) is None:
            yield f"letter {opened(values[0])}: {DAMAGED}"


def _unfound_in(chain: str, database: PostgresConnection, reading: PostgresRecords) -> Iterator[str]:
    subjects = list[tuple[str, int]]()
    for block in reading.blocks(chain=chain):
        named = {record.subject for record in Contents(block).records() if record and record.subject}
        subjects += ((subject, block.number) for subject in sorted(named))
        if len(subjects) >= PAGE:
            yield from _unfound(chain, database, subjects)
            subjects = []
    if subjects:
        yield from _unfound(chain, database, subjects)


def _unfound(chain: str, database: PostgresConnection, subjects: list[tuple[str, int]]) -> Iterator[str]:
    names, numbers = zip(*subjects, strict=True)
    found = database.read("unfound", chain=stored(chain), subjects=text_array(names), numbers=number_array(numbers))
    for subject, number in found:
        yield f"block {number} of chain {chain}: it is not found by {opened(subject)}"
