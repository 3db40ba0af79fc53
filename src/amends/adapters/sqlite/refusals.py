"""What SQLite's errors are to us. None of them goes beyond this package."""

from __future__ import annotations

import errno
import os
from typing import Final

import apsw

from amends.errors import StoreBusy, StoreConflict, StoreError, StoreFailed, StoreFull, StoreTooBig

REFUSALS: Final[dict[type[apsw.Error], type[StoreError]]] = {
    apsw.FullError: StoreFull,
    apsw.BusyError: StoreBusy,
    apsw.LockedError: StoreBusy,
    apsw.TooBigError: StoreTooBig,
}
"""Those after which the store goes on. What is not here is a `StoreFailed`."""

NO_SPACE: Final = {errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.EFBIG}
"""What a write meets at the end of a quota, or of what a process may write into one file: SQLite takes ENOSPC alone for
a full disk."""

TAKEN: Final = {apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_ROWID}
"""Another process wrote the row first. Any other constraint is broken by a row that never should have been made."""

WORDS: Final[dict[type[apsw.Error], str]] = {
    apsw.FullError: "there is no space left",
    apsw.BusyError: "another program keeps it locked",
    apsw.LockedError: "another program keeps it locked",
    apsw.NotADBError: "it is not an SQLite database",
    apsw.CorruptError: "it is damaged",
    apsw.ReadOnlyError: "it cannot be written",
    apsw.CantOpenError: "it cannot be opened",
    apsw.PermissionsError: "it cannot be opened",
    apsw.IOError: "the disk failed",
    apsw.NoMemError: "there is no memory left",
    apsw.TooBigError: "a row is longer than SQLite takes",
}


def refusal_of(error: apsw.Error, system_errno: int = 0) -> StoreError:
    """What an error of SQLite is to a program that reads and writes a store.

    Args:
        error: SQLite's.
        system_errno: what the system said last, as far as SQLite knows.
    """
    code = getattr(error, "extendedresult", None)
    if code == apsw.SQLITE_IOERR_WRITE and system_errno in NO_SPACE:
        return StoreFull(f"{WORDS[apsw.FullError]} ({os.strerror(system_errno)})")
    if code == apsw.SQLITE_CONSTRAINT_TRIGGER:  # of a store whose shop moves: it may stay, if the move is ended
        return StoreBusy(words_of(error))
    if isinstance(error, apsw.ConstraintError) and code in TAKEN:
        return StoreConflict(f"a row is there already: {error}")
    return REFUSALS.get(type(error), StoreFailed)(words_of(error))


def words_of(error: apsw.Error) -> str:
    """An error of SQLite in one line: what it means, and what SQLite said."""
    said = " ".join(str(error).split())
    meaning = WORDS.get(type(error))
    return f"{meaning} ({said})" if meaning else said
