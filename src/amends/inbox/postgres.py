"""PostgreSQL through psycopg 3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from amends.inbox.database import Values


class Psycopg:
    """A connection of psycopg."""

    def __init__(self, connection: Any) -> None:
        self.driver = connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self.driver.execute(_pyformat(sql), values)

    def row(self, sql: str, values: Values) -> Sequence[Any]:
        """Carry out a query for one row."""
        with self.driver.cursor(row_factory=lambda _cursor: tuple) as cursor:
            (row,) = cursor.execute(_pyformat(sql), values).fetchall()
        return tuple(row)

    def savepoint(self) -> AbstractContextManager[object]:
        """The driver's own, which also forbids the effect to commit."""
        nested: AbstractContextManager[object] = self.driver.transaction()
        return nested


@cache
def _pyformat(sql: str) -> str:
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql)
