"""What is wrong with a store: with its file, as SQLite finds it, and with its rows, each read as the engine reads it.

That sagas are where the audit leaves them is not asked here: `amends.auditing` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from amends.adapters.sqlite.database import Connection, onward
from amends.adapters.sqlite.migrations import additions
from amends.adapters.sqlite.reading import RecordReader
from amends.adapters.sqlite.rows import NOT_FOUND, NOT_UTF_8, WRONG_CHECKSUM, digest_of, key_of, letters_of, text_of
from amends.errors import StoreFailed
from amends.storage.blocks import head_after, lines_of
from amends.storage.ports import ALL, SagaFilter
from amends.storage.rows import KeyRow, Unreadable
from amends.storage.shards import ALL_SHARDS

PAGE: Final = 500  # keys, and subjects of records, that are looked at in one query
FIRST: Final = json.JSONDecoder().raw_decode  # a value at a place of a text: the subject is the first of a list


def problems(database: Connection, reading: RecordReader, *, with_sagas: bool = True) -> Iterator[str]:
    """What is wrong, a line each; nothing when all is well.

    An engine may write meanwhile. It takes some seconds for each million rows, and what SQLite looks at by itself it
    reads in one go, in which the log grows.

    Args:
        database: the file.
        reading: its rows.
        with_sagas: whether sagas are read, too; who compares them with the audit has read them.
    """
    try:
        yield from (text_of(row[0]) for row in database.rows("integrity_check") if row != ("ok",))
        yield from additions(database.rows("made"))
        rows = reading.listing(SagaFilter(limit=ALL)) if with_sagas else ()
        yield from (_line(row) for row in rows if isinstance(row, Unreadable))
        yield from (_line(row) for row in reading.all_entities() if isinstance(row, Unreadable))
        yield from map(_line, reading.damaged_shapes())
        yield from map(_line, _keys(database))
        yield from _letters(database)
        yield from _blocks(database, reading)
        for definition, status, more in database.rows("wrong_counts"):
            yield f"count of {text_of(status)} sagas of {text_of(definition)}: {more} too many"
    except StoreFailed as error:
        yield f"the rest cannot be read: {error}"


def _line(row: Unreadable) -> str:
    return f"{row.kind} {row.name}: {row.why}"


def _keys(database: Connection) -> Iterator[Unreadable]:
    after = 0
    while found := database.rows("key_page", (after, PAGE)):
        facts = {row: facts for row, *facts in found}
        for row, *values in database.found("keys_of_rows", list(facts)):
            digest, name, is_found = facts[row]
            key = key_of(text_of(name), tuple(values))
            if not isinstance(key, KeyRow):
                yield key
            elif not is_found or digest_of(key.key) != digest:
                yield Unreadable("key", key.key, NOT_FOUND)
        after = onward(after, found[-1][0])


def _letters(database: Connection) -> Iterator[str]:
    for row in database.rows("letters", (json.dumps(sorted(ALL_SHARDS)), ALL)):
        if not [*letters_of([row])]:
            name = text_of(row[0]) if row else ""
            yield _line(Unreadable("letter", name, WRONG_CHECKSUM if row else NOT_UTF_8))


def _blocks(database: Connection, reading: RecordReader) -> Iterator[str]:
    subjects = list[tuple[str, int]]()
    for block in reading.blocks():
        if block.head != head_after(block.before, block.records):
            yield f"block {block.number}: it is not what was written"
        subjects += ((subject, block.number) for subject in _subjects(lines_of(block)))
        if len(subjects) >= PAGE:
            yield from _unfound(database, subjects)
            subjects = []
    yield from _unfound(database, subjects)


def _unfound(database: Connection, subjects: list[tuple[str, int]]) -> Iterator[str]:
    for subject, block in database.rows("unfound", (json.dumps(subjects),)):
        yield f"block {block}: it is not found by {text_of(subject)}"


def _subjects(lines: list[str]) -> Iterator[str]:
    """Whom records are about, as far as they can be read."""
    for line in lines:
        try:
            subject = str(FIRST(line, 1)[0])
        except ValueError:
            continue
        if subject:  # else it is about rows that the commit stored, which have records of their own
            yield subject
