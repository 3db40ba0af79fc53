"""The settings that the promises need, each applied and read back when a store is opened (docs/storage.md says why)."""

from __future__ import annotations

from typing import Any, Final

import apsw

from amends.errors import StoreUnusable

OLDEST_SQLITE: Final = (3, 51, 3)  # before it, a race of WAL resets could lose a commit (sqlite.org/wal.html)
WITHDRAWN: Final = {(3, 52, 0)}

Settings = dict[str, int | str]

EVERYBODY: Final[Settings] = {
    "busy_timeout": 5_000,  # milliseconds; first, as the others may have to wait
    "synchronous": 2,  # FULL: NORMAL lost commits in 373 of 500 power cuts
    "fullfsync": 1,  # a plain fsync of macOS does not reach the disk
    "checkpoint_fullfsync": 1,
    "mmap_size": 0,  # with it, a stray write of this process changes the file
    "foreign_keys": 1,
    "trusted_schema": 0,  # a view of a prepared file runs no function that does anything
    "cell_size_check": 1,  # a damaged page is found when it is read
    "cache_size": -65_536,  # KiB: the upper pages of every index of some million rows
}
WRITER: Final[Settings] = {**EVERYBODY, "query_only": 0, "wal_autocheckpoint": 1_000}
BEFORE_THE_LOG: Final[Settings] = {"synchronous": 3}
"""EXTRA, until the log is there: its first page is written by way of a journal. FULL does not sync that the journal is
deleted, and a power cut after that brings it back: it then takes back everything."""
READER: Final[Settings] = {**EVERYBODY, "query_only": 1, "wal_autocheckpoint": 0}


def check_library() -> None:
    """Refuse a SQLite that is known to lose commits.

    Raises:
        StoreUnusable: it is one.
    """
    version = tuple(map(int, apsw.sqlite_lib_version().split(".")))
    if version < OLDEST_SQLITE or version in WITHDRAWN:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreUnusable(f"SQLite {apsw.sqlite_lib_version()} can lose commits; at least {oldest} is needed")


def put_in_force(connection: apsw.Connection, settings: Settings) -> None:
    """Apply settings, and read each back.

    Raises:
        StoreUnusable: one is not in force; it is named.
        apsw.Error: the database cannot be read.
    """
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    expect(connection, settings)


def expect(connection: apsw.Connection, settings: Settings) -> None:
    """Read settings back.

    Raises:
        StoreUnusable: one is not in force; it is named.
        apsw.Error: the database cannot be read.
    """
    for name, value in settings.items():
        is_now = pragma(connection, name)
        if is_now != value and not (name == "mmap_size" and is_now is None):  # where nothing can be mapped at all
            raise StoreUnusable(f"the setting {name} must be {value}, and is {is_now}: commits would not be safe")


def pragma(connection: apsw.Connection, name: str) -> Any:
    """The present value of a pragma."""
    return connection.pragma(name)
