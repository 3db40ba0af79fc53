"""Which kind of database a user's connection is of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from amends.errors import ParticipantError
from amends.inbox.alchemy import SqlAlchemy
from amends.inbox.database import Database
from amends.inbox.postgres import Psycopg
from amends.inbox.sqlite import Sqlite

KINDS: Final[Mapping[str, tuple[str, Callable[[Any], Database]]]] = {
    "sqlite3": ("cursor", Sqlite),
    "apsw": ("cursor", Sqlite),
    "psycopg": ("transaction", Psycopg),
    "sqlalchemy": ("begin_nested", SqlAlchemy),
}
"""Package that a connection's class is from, to what tells a connection from the package's other things, and how."""


def database_of(connection: Any) -> Database:
    """Drive a user's connection.

    Args:
        connection: of sqlite3, apsw or psycopg 3, or a connection or session of SQLAlchemy 2; or of a class derived
            from one.

    Raises:
        ParticipantError: it is something else.
    """
    what = f"{connection.__class__.__module__}.{connection.__class__.__qualname__}"
    if inspect.iscoroutinefunction(getattr(connection, "execute", None)):
        raise ParticipantError(
            f"{what} is async, and the inbox is not: make the participant a plain function, which the engine runs in "
            "a thread; or, with SQLAlchemy, `await session.run_sync(plain_function, request, call)`"
        )
    for home in (kind.__module__.partition(".")[0] for kind in connection.__class__.__mro__):
        telling, drive = KINDS.get(home, ("", None))
        if drive is not None and hasattr(connection, telling):
            return drive(connection)
    raise ParticipantError(
        f"{what} is no connection that the inbox knows; give one of {', '.join(KINDS)}, or a session of sqlalchemy"
    )
