"""SQLite through the standard library's sqlite3, through apsw, or through aiosqlite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amends.databases.database import ENDED, Rows, Values, expect_transaction
from amends.errors import ParticipantError


class Sqlite:
    """A connection of sqlite3 or apsw, which differ in nothing that matters here but in how a row is made."""

    def __init__(self, connection: Any) -> None:
        self.driver = connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self._cursor().execute(sql, values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out a statement for each of some values."""
        self._cursor().executemany(sql, values)

    def rows(self, sql: str, values: Values) -> Rows:
        """Carry out a query; all of it, as an open one would hold its read lock."""
        return [tuple(row) for row in self._cursor().execute(sql, values).fetchall()]

    def _cursor(self) -> Any:
        cursor = self.driver.cursor()
        if hasattr(cursor, "row_factory"):
            cursor.row_factory = None
        else:
            cursor.row_trace = lambda _cursor, row: row
        return cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction in SQL: what the two modules do by themselves differs."""
        self.execute("BEGIN", {})
        try:
            yield
            self.execute("COMMIT", {})
        except BaseException:
            if self.driver.in_transaction:
                self.execute("ROLLBACK", {})
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint in SQL: neither module has one that is the other's."""
        self.execute("SAVEPOINT amends_effect", {})
        try:
            yield
        except BaseException:
            if self.driver.in_transaction:  # else SQLite rolled back all of it by itself, as it may on a full disk
                self.execute("ROLLBACK TO amends_effect", {})
                self._release()
            raise
        self._release()

    def _release(self) -> None:
        try:
            self.execute("RELEASE amends_effect", {})
        except Exception as error:  # the driver's own, which is not imported
            raise ParticipantError(ENDED) from error


class AsyncSqlite:
    """A connection of aiosqlite."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        expect_transaction(self._connection)
        async with self._connection.execute(sql, values):
            pass
