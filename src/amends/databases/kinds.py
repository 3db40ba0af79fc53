"""Which kind of database a user's connection is of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from amends.databases.alchemy import AsyncAlchemy, SqlAlchemy
from amends.databases.database import AsyncDatabase, Database
from amends.databases.django import Django
from amends.databases.postgres import AsyncPsycopg, Psycopg
from amends.databases.sqlite import AsyncSqlite, Sqlite
from amends.errors import UnusableInput

Kind = TypeVar("Kind")

KINDS: Final[Mapping[str, tuple[str, Callable[[Any], Database]]]] = {
    "sqlite3": ("cursor", Sqlite),
    "apsw": ("cursor", Sqlite),
    "psycopg": ("transaction", Psycopg),
    "sqlalchemy": ("begin_nested", SqlAlchemy),
    "django": ("ensure_connection", Django),
}
"""Package that a connection's class is from, to what tells a connection from the package's other things, and how."""

ASYNC_KINDS: Final[Mapping[str, tuple[str, Callable[[Any], AsyncDatabase]]]] = {
    "aiosqlite": ("cursor", AsyncSqlite),
    "psycopg": ("transaction", AsyncPsycopg),
    "sqlalchemy": ("run_sync", AsyncAlchemy),
}
"""The same for those of which each method is awaited."""


def database_of(connection: Any) -> Database:
    """Drive a user's connection.

    Args:
        connection: of sqlite3, apsw, psycopg 3 or Django, or a connection or session of SQLAlchemy 2; or of a class
            derived from one.

    Raises:
        UnusableInput: it is something else, or async.
    """
    if is_async(connection):
        raise UnusableInput(
            f"{_class_of(connection)} is async, and what is called here is not: make a participant a plain function, "
            "which the engine runs in a thread; or, with SQLAlchemy, `await session.run_sync(function, request, call)`"
        )
    return _driven(connection, KINDS)


def async_database_of(connection: Any) -> AsyncDatabase:
    """Drive a user's async connection.

    Args:
        connection: of psycopg 3 or aiosqlite, or an async connection or session of SQLAlchemy 2.

    Raises:
        UnusableInput: it is something else.
    """
    return _driven(connection, ASYNC_KINDS)


def is_async(connection: Any) -> bool:
    """Whether the methods of a connection are awaited."""
    return any(inspect.iscoroutinefunction(getattr(connection, name, None)) for name in ("commit", "execute"))


def _driven(connection: Any, kinds: Mapping[str, tuple[str, Callable[[Any], Kind]]]) -> Kind:
    for home in (kind.__module__.partition(".")[0] for kind in connection.__class__.__mro__):
        telling, drive = kinds.get(home, ("", None))
        if drive is not None and hasattr(connection, telling):
            return drive(connection)
    raise UnusableInput(
        f"{_class_of(connection)} is no connection that Amends knows; give one of {', '.join(kinds)}, or a session of "
        "sqlalchemy"
    )


def _class_of(connection: Any) -> str:
    return f"{connection.__class__.__module__}.{connection.__class__.__qualname__}"
