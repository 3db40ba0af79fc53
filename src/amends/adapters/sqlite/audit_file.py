"""A file of the audit's blocks that left a database, as they were in it: whole months, which are verified beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from amends.adapters.sqlite.opening import sync
from amends.adapters.sqlite.refusals import words_of
from amends.adapters.sqlite.settings import BEFORE_THE_LOG, EVERYBODY, pragma, put_in_force
from amends.errors import StoreUnusable

AUDIT_ID: Final = int.from_bytes(b"AmAu", "big")
"""Marks a file as one of these, where `file` and SQLite look for it (sqlite.org/fileformat.html, offset 68)."""
MADE: Final = f"""
PRAGMA application_id = {AUDIT_ID};
CREATE TABLE blocks (
    chain TEXT NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL, before BLOB NOT NULL, head BLOB NOT NULL,
    started INTEGER NOT NULL, ended INTEGER NOT NULL, checksum INTEGER NOT NULL, records TEXT NOT NULL,
    beside TEXT NOT NULL, PRIMARY KEY (chain, number)
);
"""
ADD: Final = "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
IS_THERE: Final = "SELECT (at_ms, before, head, started, ended, checksum, records, beside) = (?, ?, ?, ?, ?, ?, ?, ?) "
OF_BLOCK: Final = "FROM blocks WHERE chain = ? AND number = ?"
AFTER: Final = "SELECT * FROM blocks WHERE chain = ? AND number > ? ORDER BY number"

BlockValues = tuple[str, int, int, bytes, bytes, int, int, int, str, str]
"""A row of the table of blocks: chain, number, time, the two heads, counts, checksum, records, and what lies beside."""


class AuditFile:
    """One such file; one thread at a time uses it.

    Attributes:
        path: of it.
    """

    def __init__(self, path: str, *, is_new: bool = False) -> None:
        """Open it.

        Args:
            path: of it.
            is_new: whether it is made where it is not there.

        Raises:
            StoreUnusable: there is none, or it is another file.
        """
        self.path = Path(path)
        if not is_new and not self.path.exists():
            raise StoreUnusable(f"{path}: there is no such file; give one that `amends archive --audit-to` wrote")
        with self._told():
            self._file = apsw.Connection(path)
            put_in_force(self._file, {**EVERYBODY, **BEFORE_THE_LOG})
            if not pragma(self._file, "application_id") and not pragma(self._file, "schema_version"):
                self._make()
            if pragma(self._file, "application_id") != AUDIT_ID:
                raise StoreUnusable(f"{path}: it is no file that `amends archive --audit-to` wrote")

    def take(self, blocks: Iterable[BlockValues]) -> int:
        """Put blocks on stable storage, all or none; those that are there already stay.

        Args:
            blocks: read as they are written.

        Returns:
            How many there were.

        Raises:
            StoreUnusable: it cannot be written, or has another block in the place of one.
        """
        taken = 0
        with self._told(), self._file:
            for block in blocks:
                chain, number, *rest = block
                self._file.execute(ADD, block)
                if not self._file.execute(IS_THERE + OF_BLOCK, (*rest, chain, number)).get:
                    raise StoreUnusable(f"{self.path}: it has the audit of another store: give another file")
                taken += 1
        return taken

    def blocks(self, after: int, chain: str) -> Iterator[BlockValues]:
        """Its blocks of a chain after a number, in their order.

        Raises:
            StoreUnusable: it cannot be read.
        """
        with self._told():
            yield from self._file.execute(AFTER, (chain, after))

    def close(self) -> None:
        """Close it. A second call does nothing."""
        self._file.close()

    def _make(self) -> None:
        with self._file:
            self._file.execute(MADE).fetchall()
        sync(self.path.parent)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Have an error told with the name of the file."""
        try:
            yield
        except apsw.Error as error:
            raise StoreUnusable(f"{self.path}: {words_of(error)}") from error
