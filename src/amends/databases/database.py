"""What is needed of a user's database, inside a transaction that its user began and ends.

Why the kind is told by where a connection's class comes from: a connection is what a user has in hand, and what
differs between drivers (parameters, rows, savepoints) no method that they share would tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from amends.errors import UnusableInput

Values = Mapping[str, str | None]
"""Parameters by name, as ``:name`` in the SQL."""
Rows = Sequence[Sequence[Any]]
"""Each with its columns, whatever rows the user has set up."""

DIALECTS: Final = ("postgresql", "sqlite")  # what the statements in the .sql files are tested on
ENDED: Final = "the effect ended the transaction; it may neither commit nor roll back, or it will happen again"


class Database(Protocol):
    """A connection, driven in one way with any driver. But for `transaction` it neither commits nor rolls back."""

    @property
    def driver(self) -> Any:
        """The connection that the driver itself made."""

    def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement."""

    def execute_many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out a statement for each of some values, at least one."""

    def rows(self, sql: str, values: Values) -> Rows:
        """Carry out a query."""

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction of its own, where none is open: committed at the end, or rolled back by an exception."""

    def savepoint(self) -> AbstractContextManager[object]:
        """Within the transaction: what an exception inside leaves undone. Raises when it was ended inside."""


class AsyncDatabase(Protocol):
    """An async connection, which takes a statement in the transaction that is open."""

    async def execute(self, sql: str, values: Values) -> None:
        """Carry out a statement.

        Raises:
            UnusableInput: the connection commits each statement by itself.
        """


def expect_transaction(driver: Any) -> None:
    """See that what is written is committed by the user.

    Raises:
        UnusableInput: the connection commits each statement by itself, as far as that can be told.
    """
    if commits_each_statement(driver):
        raise UnusableInput(
            "the connection commits each statement by itself, so that a rollback of yours would not take it back; "
            "begin a transaction first"
        )


def expect_dialect(name: str) -> None:
    """See that the statements are written for a database.

    Raises:
        UnusableInput: they are not.
    """
    if name not in DIALECTS:
        raise UnusableInput(f"a connection to {name} is none that Amends can use: give one to {' or '.join(DIALECTS)}")


def commits_each_statement(driver: Any) -> bool:
    """Whether a connection would commit the next statement by itself, as far as that can be told.

    Args:
        driver: a connection of sqlite3, aiosqlite, apsw or psycopg, or of another driver under SQLAlchemy or Django; of
            one that does not tell, nothing is known and the answer is no.
    """
    if hasattr(driver, "in_transaction"):  # SQLite's drivers; sqlite3 begins by itself unless it was told not to
        begins = getattr(driver, "isolation_level", None) is not None and getattr(driver, "autocommit", -1) is not True
        return not (driver.in_transaction or begins)
    idle = not getattr(getattr(driver, "info", None), "transaction_status", 0)  # libpq: PQTRANS_IDLE is 0
    return getattr(driver, "autocommit", False) is True and idle
