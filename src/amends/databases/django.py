"""SQLite and PostgreSQL through Django."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from amends.databases.database import Rows, Values, expect_dialect
from amends.databases.postgres import pyformat


class Django:
    """A connection of Django's: ``django.db.connection``, or one of ``django.db.connections``."""

    def __init__(self, connection: Any) -> None:
        expect_dialect(connection.vendor)
        connection.ensure_connection()
        self._connection = connection

    @property
    def driver(self) -> Any:
        """The connection that the driver made."""
        return self._connection.connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(pyformat(sql), values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out a statement for each of some values."""
        with self._connection.cursor() as cursor:
            cursor.executemany(pyformat(sql), values)

    def rows(self, sql: str, values: Values) -> Rows:
        """Carry out a query."""
        with self._connection.cursor() as cursor:
            cursor.execute(pyformat(sql), values)
            found: Rows = cursor.fetchall()
        return found

    def transaction(self) -> AbstractContextManager[object]:
        """Django's own."""
        return self.savepoint()  # which is a transaction where none is open

    def savepoint(self) -> AbstractContextManager[object]:
        """Django's own, which also forbids the effect to commit."""
        nested: AbstractContextManager[object] = import_module("django.db.transaction").atomic(self._connection.alias)
        return nested
