"""The versions of the schema: one file each, applied in a transaction together with its number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from importlib.resources import files
from typing import Any, Final

import apsw

from amends.adapters.in_force import move_mark
from amends.adapters.sqlite.queries import QUERIES
from amends.adapters.sqlite.rows import text_of
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

MOVES: Final = ("trigger", "the_shop_moves_to_another_database")
"""What a store has whose shop moves, or has moved (moved.sql): no engine of any version opens it."""

OF_SQLITE: Final = re.compile(rb"sqlite_(stat\d|sequence)")
"""What ANALYZE leaves, and a counter that cannot be dropped any more once any table had one: they change no row."""


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

    A new store is made in one transaction: readers, which may look at any moment, see none or all of it. One of an
    earlier version is brought to the next in a transaction each, as that may rewrite every row.

    Raises:
        StoreUnusable: as `version_of`.
        apsw.Error: it cannot be written; the version is what it was.
    """
    version = version_of(connection)
    if version == 0:
        _apply(connection, *range(1, VERSION + 1))
    else:
        for number in range(version + 1, VERSION + 1):
            _apply(connection, number)


def check_schema(connection: apsw.Connection, version: int, *, is_moving: bool = False) -> None:
    """Compare all that is in the schema with what a version has: nothing is missing or changed, and nothing is added.

    A trigger is a program that would run inside our transactions; so would the constraints of a table.

    Args:
        connection: to the database.
        version: of its schema.
        is_moving: whether its shop may be about to move, or have moved.

    Raises:
        StoreUnusable: it names what is not as it was made, and how it is removed; or where the shop is.
        apsw.Error: the schema cannot be read.
    """
    check_own(connection, version)
    made = _made(connection)
    if not is_moving and MOVES in {(text_of(kind), text_of(name)) for kind, name, _ in made}:
        mark = move_mark({text_of(name): text_of(value) for name, value in connection.execute(QUERIES["in_force"])})
        raise StoreUnusable(mark.refusal if mark else f"it has the {' '.join(MOVES)}, and does not say where that is")
    for what in additions(made, version):
        raise StoreUnusable(what)


def check_own(connection: apsw.Connection, version: int) -> None:
    """Compare the tables, indexes and views of a version with those that are there, whatever is beside them.

    Raises:
        StoreUnusable: one is not as it was made.
        apsw.Error: they cannot be read.
    """
    found = {(text_of(kind), text_of(name)): script for kind, name, script in _made(connection)}
    for name, script in _expected(version).items():
        if found.get(name) != script:
            raise StoreUnusable(f"its {' '.join(name)} is not what version {version} has")


def additions(made: Iterable[tuple[Any, ...]], version: int = VERSION) -> Iterator[str]:
    """What was added to a schema by hand: for each a line that names it, says how it is removed, and where it may be.

    Args:
        made: kind, name and statement of all that is there, as the query `made` finds them.
        version: of the schema.
    """
    for kind, name, _ in made:
        known = text_of(kind), text_of(name)
        if known not in {*_expected(version), MOVES} and not (kind == b"table" and OF_SQLITE.fullmatch(name)):
            yield (
                f"the {' '.join(known)} is none of Amends': remove it (DROP {known[0].upper()} {_quoted(known[1])}); "
                "tables of your own belong in another file (ATTACH), views in your own connection (CREATE TEMP VIEW)"
            )


def _quoted(name: str) -> str:
    """A name as SQL has it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


@cache
def _expected(version: int) -> dict[tuple[str, str], bytes]:
    with closing(apsw.Connection(":memory:")) as connection:
        _apply(connection, *range(1, version + 1))
        return {(kind.decode(), name.decode()): script for kind, name, script in _made(connection)}


def _made(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(QUERIES["made"]).fetchall()


def _apply(connection: apsw.Connection, *versions: int) -> None:
    """Apply what leads to each of these versions, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in versions:
            connection.execute(SCHEMAS[version - 1]).fetchall()
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {max(versions, default=0)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
