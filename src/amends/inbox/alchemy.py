"""SQLite and PostgreSQL through SQLAlchemy 2: a Core connection or an ORM session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from amends.errors import ParticipantError
from amends.inbox.database import ENDED, Values

DIALECTS: Final = ("postgresql", "sqlite")  # what the statements in the .sql files are tested on


class SqlAlchemy:
    """A ``Connection`` or a ``Session``."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._connection = handle.connection() if callable(handle.connection) else handle
        if self._connection.dialect.name not in DIALECTS:
            raise ParticipantError(
                f"the inbox is written for {' and '.join(DIALECTS)}, not for {self._connection.dialect.name}"
            )
        if not self._connection.in_transaction():
            self._connection.begin()  # as its first statement would; until then the driver does not tell

    @property
    def driver(self) -> Any:
        """The connection that the driver made, below pool and dialect."""
        return self._connection.connection.driver_connection

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""
        self._connection.execute(_text(sql), values)

    def row(self, sql: str, values: Values) -> Sequence[Any]:
        """Carry out a query for one row."""
        return tuple(self._connection.execute(_text(sql), values).one())

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """SQLAlchemy's own, so that a session forgets the objects of what is rolled back."""
        nested = self._handle.begin_nested()
        with nested:
            yield
            if not nested.is_active:
                raise ParticipantError(ENDED)


def _text(sql: str) -> Any:
    return import_module("sqlalchemy").text(sql)  # there already: the connection is of it
