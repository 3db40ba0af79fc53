"""PostgreSQL through psycopg 3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from amends.databases.database import Rows, Values, expect_transaction


class Psycopg:
    """A connection of psycopg."""

    def __init__(self, connection: Any) -> None:
        self.driver = connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self.driver.execute(pyformat(sql), values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out a statement for each of some values."""
        with self.driver.cursor() as cursor:
            cursor.executemany(pyformat(sql), values)

    def rows(self, sql: str, values: Values) -> Rows:
        """Carry out a query."""
        with self.driver.cursor(row_factory=lambda _cursor: tuple) as cursor:
            found: Rows = cursor.execute(pyformat(sql), values).fetchall()
        return found

    def transaction(self) -> AbstractContextManager[object]:
        """The driver's own."""
        return self.savepoint()  # which is a transaction where none is open

    def savepoint(self) -> AbstractContextManager[object]:
        """The driver's own, which also forbids the effect to commit."""
        nested: AbstractContextManager[object] = self.driver.transaction()
        return nested


class AsyncPsycopg:
    """An async connection of psycopg."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        expect_transaction(self._connection)
        await self._connection.execute(pyformat(sql), values)


@cache
def pyformat(sql: str) -> str:
    """A statement with its parameters as ``%(name)s``."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql)
