"""The databases that the suites of inbox and outbox run on: how a user of each connects, begins, and carries out SQL.

The business is one table, `account(id, used)`. SQL has its parameters as ``:name`` everywhere.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import psycopg
import sqlalchemy
from psycopg.rows import dict_row
from sqlalchemy.orm import Session

from amends import inbox, outbox
from tests.postgres import server

NUMBERS = count(1)


@dataclass(frozen=True)
class Database:
    """One way to one database.

    Attributes:
        connect: opens a connection, or a session, and closes it.
        transaction: the user's own, around what they do with it: committed, or rolled back by an exception.
        execute: carries out SQL on it and gives the rows.
        is_busy: whether an error says that somebody else was in the way, so that the engine's retry is right.
    """

    connect: Callable[[], AbstractContextManager[Any]]
    transaction: Callable[[Any], AbstractContextManager[Any]]
    execute: Callable[..., Sequence[Sequence[Any]]]
    is_busy: Callable[[BaseException], bool]

    def prepare(self) -> None:
        """Create the tables."""
        with self.connect() as db, self.transaction(db):
            self.execute(db, "CREATE TABLE account (id text PRIMARY KEY, used integer NOT NULL)")
            for table in (inbox, outbox, inbox, outbox):
                table.create_table(db)

    def open_account(self) -> None:
        """Forget everything, and open the account ``a`` with nothing used."""
        with self.connect() as db, self.transaction(db):
            self.execute(db, "DELETE FROM amends_inbox")
            self.execute(db, "DELETE FROM account")
            self.execute(db, "INSERT INTO account (id, used) VALUES ('a', 0)")

    def used(self) -> int:
        """What is used of the account, as anybody else sees it."""
        with self.connect() as db, self.transaction(db):
            return int(self.execute(db, "SELECT used FROM account WHERE id = 'a'")[0][0])

    def add(self, db: Any, amount: int) -> None:
        """Use more of the account, or less."""
        self.execute(db, "UPDATE account SET used = used + :amount WHERE id = 'a'", amount=amount)


def _as_dict(_cursor: object, row: Sequence[Any]) -> Any:
    return dict(enumerate(row))  # rows as a user may have set them up: they must not matter to the inbox


def _plain(db: Any, sql: str, **values: object) -> Sequence[Sequence[Any]]:
    return [_named(row) for row in db.execute(sql, values)]


def _named(row: Any) -> Any:
    return tuple(row.values()) if isinstance(row, Mapping) else row


def _pyformat(db: Any, sql: str, **values: object) -> Sequence[Sequence[Any]]:
    cursor = db.execute(re.sub(r":(\w+)", r"%(\1)s", sql), values)
    return [_named(row) for row in cursor.fetchall()] if cursor.description else []


def _core(db: Any, sql: str, **values: object) -> Sequence[Sequence[Any]]:
    result = db.execute(sqlalchemy.text(sql), values)
    return result.all() if result.returns_rows else []


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError | apsw.BusyError) and "locked" in str(error).lower()


def _has_busy_cause(error: BaseException) -> bool:
    return _is_busy(getattr(error, "orig", None) or error.__cause__ or error)


def _never(_error: BaseException) -> bool:
    return False


@contextmanager
def _by_hand(db: Any) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def sqlite3_implicit(path: Path) -> Database:
    """The standard library as it comes: it begins by itself at the first write."""

    def connect() -> AbstractContextManager[Any]:
        db = sqlite3.connect(path)
        db.row_factory = _as_dict
        return closing(db)

    return Database(connect, lambda db: db, _plain, _is_busy)


def sqlite3_explicit(path: Path) -> Database:
    """The standard library told not to begin by itself."""
    return Database(lambda: closing(sqlite3.connect(path, isolation_level=None)), _by_hand, _plain, _is_busy)


def apsw_plain(path: Path) -> Database:
    """APSW, whose connection is a transaction in a `with`."""

    def connect() -> AbstractContextManager[Any]:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(5000)
        db.row_trace = _as_dict
        return closing(db)

    return Database(connect, lambda db: db, _plain, _is_busy)


def alchemy(handle: type[Any], address: str, **options: Any) -> Database:
    """SQLAlchemy: its `Connection` or its `Session`."""
    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool, **options)
    return Database(lambda: handle(engine), lambda db: db.begin(), _core, _has_busy_cause)


def psycopg_implicit(conninfo: str) -> Database:
    """The driver as it comes: it begins by itself."""
    return Database(lambda: closing(psycopg.connect(conninfo, row_factory=dict_row)), _committing, _pyformat, _never)


@contextmanager
def _committing(db: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.commit()


def psycopg_explicit(conninfo: str) -> Database:
    """The driver in autocommit, with transactions where they are asked for."""
    return Database(
        lambda: closing(psycopg.connect(conninfo, autocommit=True)), lambda db: db.transaction(), _pyformat, _never
    )


def alchemy_on_postgres(handle: type[Any], conninfo: str) -> Database:
    """SQLAlchemy through psycopg."""
    return alchemy(handle, "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))


@cache
def _connections() -> Any:
    """Return Django's connections, none of them in its settings."""
    import_module("django.conf").settings.configure(USE_TZ=True)
    import_module("django").setup()
    return import_module("django.db").connections


def django(**settings: Any) -> Database:
    """Django, whose connections have names, and commit each statement outside of `atomic`."""

    def connect() -> AbstractContextManager[Any]:
        name = f"connection {next(NUMBERS)}"
        _connections().databases[name] = _connections().configure_settings({"default": {}, name: settings})[name]
        return closing(_connections()[name])

    def transaction(db: Any) -> Any:
        return import_module("django.db.transaction").atomic(db.alias)

    return Database(connect, transaction, _pyformat_by_cursor, _has_busy_cause)


def _pyformat_by_cursor(db: Any, sql: str, **values: object) -> Sequence[Sequence[Any]]:
    with db.cursor() as cursor:
        cursor.execute(re.sub(r":(\w+)", r"%(\1)s", sql), values)
        return cursor.fetchall() if cursor.description else []


def django_on_postgres(conninfo: str) -> Database:
    """Django through psycopg."""
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    options = {"options": given.get("options", "")}
    return django(
        ENGINE="django.db.backends.postgresql", NAME=given["dbname"], USER=given["user"], HOST=given["host"],
        OPTIONS=options,
    )  # fmt: skip


def empty_schema() -> str:
    """Return what to connect with to a schema of its own; a test is skipped, aloud, where no PostgreSQL can be had."""
    conninfo, name = server(), f"books_{next(NUMBERS)}"
    with psycopg.connect(conninfo) as db:
        db.execute(f"CREATE SCHEMA {name}")
    return f"{conninfo} options=-csearch_path={name}"


ON_SQLITE: Mapping[str, Callable[[Path], Database]] = {
    "sqlite3": sqlite3_implicit,
    "sqlite3-explicit": sqlite3_explicit,
    "apsw": apsw_plain,
    "sqlalchemy-sqlite": lambda path: alchemy(sqlalchemy.Connection, f"sqlite:///{path}"),
    "session-sqlite": lambda path: alchemy(Session, f"sqlite:///{path}"),
    "django-sqlite": lambda path: django(ENGINE="django.db.backends.sqlite3", NAME=str(path)),
}
ON_POSTGRES: Mapping[str, Callable[[str], Database]] = {
    "psycopg": psycopg_implicit,
    "psycopg-autocommit": psycopg_explicit,
    "sqlalchemy-postgres": lambda conninfo: alchemy_on_postgres(sqlalchemy.Connection, conninfo),
    "session-postgres": lambda conninfo: alchemy_on_postgres(Session, conninfo),
    "django-postgres": django_on_postgres,
}
