"""Books in a file of their own, which outlive any crash of ours: SQLite, as Python brings it.

One table, which a person can read: what it is about, under which name, as JSON.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from amends.core.inbox import as_plain, from_plain
from amends.errors import UnusableInput
from amends.shop.outside.books import Books
from amends.shop.payments import PAYMENT, Account
from amends.shop.shipping import SHIPPING

INBOX: Final = "inbox"

OPENING: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was answered is on the disk
    "CREATE TABLE IF NOT EXISTS books (kind TEXT, name TEXT, value TEXT, PRIMARY KEY (kind, name)) WITHOUT ROWID",
)


class BooksInFile(Books):
    """Books in a file. One process at a time has it."""

    def __init__(self, path: Path | str) -> None:
        """Open books, or begin them.

        Args:
            path: of the file; two more appear beside it, ``-wal`` and ``-shm``.

        Raises:
            UnusableInput: the file is none of this kind, or cannot be written.
        """
        super().__init__()
        self._connection = _opened(path)
        self.entities = {
            PAYMENT: _Page(self._connection, PAYMENT, _same, Account._make),
            SHIPPING: _Page(self._connection, SHIPPING, _same, int),
        }
        self.inbox = _Page(self._connection, INBOX, as_plain, from_plain)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is on the disk when it ends, or none of it is."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:  # commits, or rolls back
                yield

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()


def _opened(path: Path | str) -> sqlite3.Connection:
    try:
        # Autocommit, since a transaction begins and ends above; threads take turns, by the lock.
        with ExitStack() as opening:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            opening.callback(connection.close)
            for line in OPENING:
                connection.execute(line)
            opening.pop_all()
    except sqlite3.Error as error:
        raise UnusableInput(f"{path}: no books can be kept here: {error}") from error
    return connection


class _Page(MutableMapping[str, Any]):
    """The rows of one kind."""

    def __init__(
        self, connection: sqlite3.Connection, kind: str, plain: Callable[[Any], Any], made: Callable[[Any], Any]
    ) -> None:
        self._connection, self._kind, self._plain, self._made = connection, kind, plain, made

    def __getitem__(self, name: str) -> Any:
        for (text,) in self._rows("SELECT value FROM books WHERE kind = ? AND name = ?", name):
            return self._made(json.loads(text))
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._rows("INSERT OR REPLACE INTO books VALUES (?, ?, ?)", name, json.dumps(self._plain(value)))

    def __delitem__(self, name: str) -> None:
        if not self._rows("DELETE FROM books WHERE kind = ? AND name = ?", name).rowcount:
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        names = self._rows("SELECT name FROM books WHERE kind = ? ORDER BY name").fetchall()
        return (name for (name,) in names)

    def __len__(self) -> int:
        (count,) = self._rows("SELECT count(*) FROM books WHERE kind = ?").fetchone()
        return int(count)

    def _rows(self, sql: str, *values: str) -> sqlite3.Cursor:
        return self._connection.execute(sql, (self._kind, *values))


def _same(entity: Any) -> Any:
    return entity
