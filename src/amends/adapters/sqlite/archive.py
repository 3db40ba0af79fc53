"""Sagas that ended long ago, moved into a file: a store like the first, that any process may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final, NamedTuple, Protocol

import apsw

from amends.adapters.sqlite.store import SqliteStore
from amends.engine.archiving import Departure
from amends.storage.ports import Store
from amends.storage.rows import KeyRow, Unreadable

PAGE: Final = 500  # sagas: a commit of some milliseconds


class Archivable(Store, Protocol):
    """A store that sagas may leave."""

    def ended_before(self, before_ms: int) -> Iterator[str]:
        """The ids of the sagas that ended before a time, in the order of their starts, read as they are asked for.

        Args:
            before_ms: milliseconds since 1970 (UTC).
        """

    def all_keys(self) -> Iterator[KeyRow | Unreadable]:
        """Every client key, read as they are asked for."""


class Leaving(NamedTuple):
    """Sagas that are to leave together, and the client keys that started them."""

    saga_ids: list[str]
    keys: list[str]


def archived(store: Archivable, into: str, departure: Departure, page: int = PAGE) -> Iterator[int]:
    """Move sagas that ended before a time into an archive, a page at a time.

    Args:
        store: that they leave.
        into: the path of the archive; it is made when it is not there. No other process may write to it meanwhile.
        departure: of which, and how.
        page: at most so many sagas at a time, >= 1.

    Returns:
        How many left with each page, once it is gone.

    Raises:
        StoreUnusable: the archive cannot be used; one line says why.
        StoreError: of one of the two; what has not left is to be moved again.
    """
    with closing(SqliteStore(into)) as archive:
        for leaving in _leaving(store.ended_before(departure.before_ms), store.all_keys(), page):
            yield departure.take(store, archive, *leaving)


def _leaving(sagas: Iterable[str], keys: Iterable[KeyRow | Unreadable], page: int) -> Iterator[Leaving]:
    """Find out which client keys started which saga: a store has no index of that, as no other caller asks.

    All sagas are noted before the first key is read: engines may start some meanwhile, each with its key in one commit.
    """
    with closing(apsw.Connection("")) as noted:  # a file without a name, which is gone when it is closed
        noted.execute("CREATE TABLE sagas (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)").fetchall()
        noted.execute("CREATE TABLE keys (number INTEGER, name TEXT)").fetchall()
        with noted:
            noted.executemany(
                "INSERT OR IGNORE INTO sagas (id) VALUES (?)", ((saga_id,) for saga_id in sagas)
            )  # in a damaged file twice
            started = ((row.key, row.saga_id) for row in keys if isinstance(row, KeyRow))
            noted.executemany("INSERT INTO keys SELECT number, ?1 FROM sagas WHERE id = ?2", started)
        noted.execute("CREATE INDEX of_saga ON keys (number)").fetchall()
        after = 0
        while ids := _of("SELECT id FROM sagas WHERE number > ?1 ORDER BY number LIMIT ?2", noted, after, page):
            last = after + len(ids)
            yield Leaving(ids, _of("SELECT name FROM keys WHERE number > ?1 AND number <= ?2", noted, after, last))
            after = last


def _of(query: str, noted: apsw.Connection, *values: int) -> list[str]:
    return [str(name) for (name,) in noted.execute(query, values)]
