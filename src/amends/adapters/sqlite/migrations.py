"""The versions of the schema: one file each, applied in a transaction of its own together with its number."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from importlib.resources import files
from typing import Final

import apsw

from amends.adapters.sqlite.settings import pragma
from amends.errors import StoreUnusable

APPLICATION_ID: Final = int.from_bytes(b"Amnd", "big")
"""Marks a file as ours, where `file` and SQLite look for such a mark (sqlite.org/fileformat.html, offset 68)."""


def _loaded() -> list[str]:
    scripts = sorted(files(__package__).joinpath("schema").iterdir(), key=lambda script: script.name)
    return [script.read_text("utf-8") for script in scripts]


SCHEMAS: Final = _loaded()
"""What leads from each version to the next: the first from nothing to version 1."""
VERSION: Final = len(SCHEMAS)


def version_of(connection: apsw.Connection) -> int:
    """The version of a database's schema; 0 of one that is empty, as a process killed at creation may leave it.

    Raises:
        StoreUnusable: the database is not ours, or of a later version.
        apsw.Error: it cannot be read.
    """
    mark, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if mark != APPLICATION_ID and (mark, version, tables) != (0, 0, 0):
        raise StoreUnusable("it is an SQLite database of another program")
    if version > VERSION:
        raise StoreUnusable(f"it is of version {version}, from a later Amends; this one knows version {VERSION}")
    return int(version)


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date. Killed at any moment, it goes on at the next start.

    Raises:
        StoreUnusable: as `version_of`.
        apsw.Error: it cannot be written; the version is what it was.
    """
    for version in range(version_of(connection) + 1, VERSION + 1):
        _apply(connection, version)


def check_schema(connection: apsw.Connection) -> None:
    """Compare the tables, indexes and views with those of this version. A user's own beside them are left alone.

    Raises:
        StoreUnusable: one is not as it was made.
        apsw.Error: they cannot be read.
    """
    found = _made(connection)
    for name, script in _expected().items():
        if found.get(name) != script:
            raise StoreUnusable(f"its {name.decode()} is not what version {VERSION} has")


@cache
def _expected() -> dict[bytes, bytes]:
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection)
        return _made(connection)


def _made(connection: apsw.Connection) -> dict[bytes, bytes]:
    found = connection.execute(
        "SELECT CAST(type || ' ' || name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema WHERE sql IS NOT NULL"
    )
    return dict(found)


def _apply(connection: apsw.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(SCHEMAS[version - 1]).fetchall()
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
