"""What the inbox needs of a database, inside a transaction that its user began and ends.

Why the kind is told by where a connection's class comes from: a connection is what a user has in hand, and what
differs between drivers (parameters, rows, savepoints) no method that they share would tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

Values = Mapping[str, str | None]
"""Parameters by name, as ``:name`` in the SQL."""

ENDED: Final = "the effect ended the transaction; it may neither commit nor roll back, or it will happen again"


class Database(Protocol):
    """A connection, driven in one way with any driver. It neither commits nor rolls back the transaction."""

    @property
    def driver(self) -> Any:
        """The connection that the driver itself made."""

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""

    def row(self, sql: str, values: Values) -> Sequence[Any]:
        """Carry out a query for one row that is there, and give its columns, whatever rows the user has set up."""

    def savepoint(self) -> AbstractContextManager[object]:
        """Within the transaction: what an exception inside leaves undone. Raises when it was ended inside."""


def commits_each_statement(driver: Any) -> bool:
    """Whether a connection would commit the next statement by itself, as far as that can be told.

    Args:
        driver: a connection of sqlite3, aiosqlite, apsw or psycopg, or of another driver under SQLAlchemy; of one that
            does not tell, nothing is known and the answer is no.
    """
    if hasattr(driver, "in_transaction"):  # SQLite's drivers; sqlite3 begins by itself unless it was told not to
        begins = getattr(driver, "isolation_level", None) is not None and getattr(driver, "autocommit", -1) is not True
        return not (driver.in_transaction or begins)
    idle = not getattr(getattr(driver, "info", None), "transaction_status", 0)  # libpq: PQTRANS_IDLE is 0
    return getattr(driver, "autocommit", False) is True and idle
