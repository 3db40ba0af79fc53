"""Sagas that ended long ago, moved into another file: a store like the first, that any process may read.

Two files cannot be written at once. So sagas are copied first, and leave the first store only when the copy is on
stable storage: a process that is killed between finds them in both, and goes on by doing the same again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Final, NamedTuple

import apsw

from amends.adapters.sqlite.database import Connection, onward
from amends.adapters.sqlite.opening import checked_path, open_reader
from amends.adapters.sqlite.reading import RecordReader
from amends.adapters.sqlite.rows import key_of, text_of
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from amends.storage.rows import KeyRow, SagaRow

PAGE: Final = 500  # sagas: a commit of some milliseconds
KEYS_PAGE: Final = 5_000  # keys that are read at a time: under 1 MB


class Archived(NamedTuple):
    """What is in the archive now, and is to leave the store: as `Changes.gone` and `Changes.gone_keys`.

    Attributes:
        sagas: as they were read.
        keys: the client keys that started them.
    """

    sagas: list[SagaRow]
    keys: list[KeyRow]


def archived(
    store: str | os.PathLike[str], into: str | os.PathLike[str], before_ms: int, page: int = PAGE
) -> Iterator[Archived]:
    """Copy sagas that ended before a time into an archive, a page at a time.

    The caller commits that the rows of a page are gone, and a record of it, and only then asks for the next page. The
    store is read beside its engine. What cannot be read stays where it is.

    Args:
        store: the store's file.
        into: the archive's; it is made when it is not there. No other process may write to it meanwhile.
        before_ms: milliseconds since 1970 (UTC); some time ago.
        page: at most so many sagas at a time, >= 1.

    Returns:
        Pages, each on stable storage in the archive when it is given.

    Raises:
        StoreUnusable: one of the files cannot be used; one line says which, and why.
        StoreConflict: the archive has another saga of the same id.
        StoreBusy, StoreFull, StoreFailed: the page is not in the archive, or not known to be.
    """
    here, there = checked_path(store), checked_path(into)
    if here == there:
        raise StoreUnusable(f"{here}: a store is no archive of itself")
    with (
        closing(Connection(open_reader(here))) as database,
        closing(SqliteStore(there)) as archive,
        closing(apsw.Connection("")) as keys,  # a file without a name, which is gone when it is closed
    ):
        _learn_keys(database, keys)
        for sagas in _ended(database, before_ms, page):
            found = Archived(sagas, _keys_of(database, keys, sagas))
            archive.take(*found)
            yield found


def _ended(database: Connection, before_ms: int, page: int) -> Iterator[list[SagaRow]]:
    reading, after = RecordReader(database), 0
    while True:
        with database.snapshot():
            found = database.rows("ended_before", (after, before_ms, page))
            rows = reading.sagas([text_of(name) for _, name in found])
        if not found:
            return
        if sagas := [row for row in rows.values() if isinstance(row, SagaRow)]:
            yield sagas
        after = onward(after, found[-1][0])


def _learn_keys(database: Connection, keys: apsw.Connection) -> None:
    """Note which client keys started which saga: a store has no index of that, as no other caller asks."""
    keys.execute("CREATE TABLE started (saga TEXT, row INTEGER, name TEXT)").fetchall()
    after = 0
    while found := database.rows("keys_of_sagas", (after, KEYS_PAGE)):
        rows = [(text_of(saga), row, text_of(key)) for row, key, saga in found]
        keys.executemany("INSERT INTO started VALUES (?, ?, ?)", rows)
        after = onward(after, found[-1][0])
    keys.execute("CREATE INDEX by_saga ON started (saga)").fetchall()


def _keys_of(database: Connection, keys: apsw.Connection, sagas: list[SagaRow]) -> list[KeyRow]:
    names = json.dumps([row.saga_id for row in sagas])
    found = keys.execute("SELECT row, name FROM json_each(?) CROSS JOIN started ON saga = value", (names,))
    started = {int(row): str(key) for row, key in found}
    rows = (key_of(started[row], tuple(values)) for row, *values in database.found("keys_of_rows", list(started)))
    return [row for row in rows if isinstance(row, KeyRow)]
