"""SQLite through the standard library's sqlite3, or through apsw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amends.errors import ParticipantError
from amends.inbox.database import ENDED, Values


class Sqlite:
    """A connection of sqlite3 or apsw, which differ in nothing that matters here but in how a row is made."""

    def __init__(self, connection: Any) -> None:
        self.driver = connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self._cursor().execute(sql, values)

    def row(self, sql: str, values: Values) -> Sequence[Any]:
        """Carry out a query for one row."""
        (row,) = self._cursor().execute(sql, values).fetchall()  # all: an open query would hold its read lock
        return tuple(row)

    def _cursor(self) -> Any:
        cursor = self.driver.cursor()
        if hasattr(cursor, "row_factory"):
            cursor.row_factory = None
        else:
            cursor.row_trace = lambda _cursor, row: row
        return cursor

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
