"""SQLite and PostgreSQL through SQLAlchemy 2: a Core connection or an ORM session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from amends.databases.database import ENDED, Rows, Values, expect_dialect, expect_transaction
from amends.errors import ParticipantError


class SqlAlchemy:
    """A ``Connection`` or a ``Session``."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._connection = handle.connection() if callable(handle.connection) else handle
        expect_dialect(self._connection.dialect.name)
        if not self._connection.in_transaction():
            self._connection.begin()  # as its first statement would; until then the driver does not tell

    @property
    def driver(self) -> Any:
        """The connection that the driver made, below pool and dialect."""
        return self._connection.connection.driver_connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self._connection.execute(_text(sql), values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out a statement for each of some values."""
        self._connection.execute(_text(sql), values)

    def rows(self, sql: str, values: Values) -> Rows:
        """Carry out a query."""
        return [tuple(row) for row in self._connection.execute(_text(sql), values)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The one that has begun."""
        try:
            yield
            self._handle.commit()
        except BaseException:
            self._handle.rollback()
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """SQLAlchemy's own, so that a session forgets the objects of what is rolled back."""
        nested = self._handle.begin_nested()
        with nested:
            yield
            if not nested.is_active:
                raise ParticipantError(ENDED)


class AsyncAlchemy:
    """An ``AsyncConnection`` or an ``AsyncSession``."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        await self._handle.run_sync(_execute, sql, values)


def _execute(handle: Any, sql: str, values: Values) -> None:
    database = SqlAlchemy(handle)
    expect_transaction(database.driver)
    database.execute(sql, values)


def _text(sql: str) -> Any:
    return import_module("sqlalchemy").text(sql)  # there already: the connection is of it
