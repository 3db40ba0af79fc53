"""A connection to a store file; what is in the way is told in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import apsw

from amends.adapters.sqlite import log
from amends.adapters.sqlite.database import close
from amends.adapters.sqlite.migrations import VERSION, check_own, check_schema, migrate, version_of
from amends.adapters.sqlite.refusals import words_of
from amends.adapters.sqlite.settings import (
    BEFORE_THE_LOG,
    READER,
    WRITER,
    Settings,
    check_library,
    expect,
    pragma,
    put_in_force,
)
from amends.errors import StoreUnusable

ALONE: Final = apsw.SQLITE_OPEN_NOMUTEX  # one thread at a time uses a connection, so that SQLite need not see to it
WRITE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | ALONE
READ: Final = apsw.SQLITE_OPEN_READWRITE  # of the shared memory beside the file; `query_only` keeps it from the file
READ_SEALED: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


class NoStoreYet(StoreUnusable):
    """The file is there, or about to be, and no engine has made a store of it."""


class EarlierStore(StoreUnusable):
    """The file holds a store of an earlier version, or one that an engine brings up to date, or makes, just now."""


FileId = tuple[int, int]
"""Device and inode of a file: what its name does not tell."""

PAGE_BYTES: Final = 8_192
"""Of a new file. Half as many pages as of SQLite's 4,096 bytes make a commit of a thousand sagas a tenth cheaper."""


def checked_path(path: str | os.PathLike[str]) -> Path:
    """The file that a path means, without symbolic links: one file has one lock.

    Raises:
        StoreUnusable: no store can be there.
    """
    if not os.fspath(path):
        raise StoreUnusable("no file is named")
    try:
        file = Path(os.path.realpath(path))
        str(file).encode()  # SQLite takes no other names
        _check(file)
    except StoreUnusable:
        raise
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long or holds a NUL
        why = getattr(error, "strerror", None) or error
        raise StoreUnusable(f"{os.fspath(path)!r:.200} is no usable path: {why}") from error
    return file


def file_id(file: Path) -> FileId | None:
    """Which file is there; ``None`` for none. It is not opened: to close it would drop the locks of this process."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def check_writable(file: Path) -> None:
    """Refuse what SQLite would open to read alone.

    Raises:
        StoreUnusable: the file, or the directory where its log is to be, cannot be written.
    """
    for place in (file, file.parent):
        if place.exists() and not _is_writable(place):
            raise StoreUnusable(f"{place}: not writable")


def check_log(file: Path) -> None:
    """Refuse a log without its database: SQLite would delete it, and begin anew.

    Raises:
        StoreUnusable: there is one.
    """
    if (size := log.size_of(file)) and not (file.exists() and file.stat().st_size):
        what = "empty" if file.exists() else "gone"
        raise StoreUnusable(
            f"{file}: it is {what}, and its log {log.log_of(file).name} is left, with {size} bytes of commits. Put the "
            "file back that belongs to it; or move the log away, and then restore a backup, or begin a new store"
        )


def open_writer(file: Path, vfs: str, *, is_moving: bool = False) -> apsw.Connection:
    """A connection that writes, with the schema up to date and every setting in force.

    Args:
        file: as `checked_path` gives it.
        vfs: the SQLite VFS to use; the system's when empty. Another one has no shared memory, so the file is locked
            for everybody else.
        is_moving: whether its shop may be about to move, or have moved: no engine opens such a file.

    Raises:
        StoreUnusable: the file is no store that this version can use, or a setting is not in force.
    """
    check_log(file)
    with _opened(file, str(file), WRITE, vfs) as connection:
        is_left = log.is_left(file, vfs)  # nothing was asked yet, so SQLite has not begun one
        put_in_force(connection, {"locking_mode": "exclusive" if vfs else "normal"})
        put_in_force(connection, {**WRITER, **BEFORE_THE_LOG})
        version = version_of(connection)  # before anything is written to what may not be ours
        check_schema(connection, version, is_moving=is_moving)
        connection.pragma("page_size", PAGE_BYTES)
        put_in_force(connection, {"journal_mode": "wal", **WRITER})
        if is_left:
            log.settle(connection, file, vfs)
        migrate(connection)
        if not vfs and (is_left or version == 0):
            sync(file.parent)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    return connection


def open_reader(file: Path, oldest: int = VERSION) -> apsw.Connection:
    """A connection that only reads, of a store that an engine has opened once.

    Args:
        file: as `checked_path` gives it.
        oldest: the earliest version of the schema that will do, 1 to `VERSION`; 1 for who copies rows without reading.

    Raises:
        StoreUnusable: there is no store that this version can read, or a setting is not in force.
    """
    check_log(file)
    if not file.exists():
        raise StoreUnusable(f"{file}: there is no such file")
    try:
        return _reader(file, str(file), READ, {"journal_mode": "wal"}, oldest)
    except StoreUnusable as error:
        if not isinstance(error.__cause__, apsw.CantOpenError | apsw.ReadOnlyError) or _is_writable(file.parent):
            raise
        return _reader_of_sealed(file, oldest)


def version_in(file: Path) -> int:
    """The version of the schema in a file that is there; 0 where no engine has made a store of it.

    Raises:
        StoreUnusable: it is none of ours, or of a later version.
    """
    with _opened(file, str(file), READ, "") as connection, closing(connection):
        put_in_force(connection, READER)
        return version_of(connection)


def _reader_of_sealed(file: Path, oldest: int) -> apsw.Connection:
    """A reader of a file beside which SQLite can make no shared memory: it reads the file alone, if that is all."""
    if size := log.size_of(file):
        raise StoreUnusable(
            f"{file}: its engine did not end by itself: {size} bytes of commits are in {log.log_of(file).name}, and "
            "where it lies nothing can be written; copy both files to where it can, and read them there"
        )
    return _reader(file, f"{file.as_uri()}?immutable=1", READ_SEALED, {}, oldest)


def _reader(file: Path, name: str, flags: int, settings: Settings, oldest: int) -> apsw.Connection:
    with _opened(file, name, flags, "") as connection:
        put_in_force(connection, READER)
        version = version_of(connection)
        if version < oldest:
            kind, held = (EarlierStore, f"a store of version {version}") if version else (NoStoreYet, "no store yet")
            raise kind(f"it holds {held}; an engine that opens it brings it to version {VERSION}")
        check_own(connection, version)
        expect(connection, settings)
    return connection


def open_mailbox(file: Path, mark: int, busy_ms: int) -> apsw.Connection:
    """A connection to a mailbox that is there, with every setting in force.

    Args:
        file: of the mailbox.
        mark: its application id.
        busy_ms: for how long a lock of another process is waited for, milliseconds, >= 0.

    Raises:
        StoreUnusable: the file is no mailbox that this version can use, or a setting is not in force.
    """
    with _opened(file, str(file), READ, "") as connection:
        put_in_force(connection, {**WRITER, "busy_timeout": busy_ms, "journal_mode": "wal"})
        if (pragma(connection, "application_id"), pragma(connection, "user_version")) != (mark, 1):
            raise StoreUnusable("it is no mailbox of this version of Amends")
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    return connection


def sync(place: Path) -> None:
    """Put a file, or the names of a directory, on stable storage: syncing a file does not sync its name."""
    if os.name == "nt":  # whose directories cannot be synced, and need not be; files are synced by SQLite
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _opened(file: Path, name: str, flags: int, vfs: str) -> Iterator[apsw.Connection]:
    """A connection, closed again when what is done with it inside fails.

    The last one to close a store would take in its log: that is for the writer alone, and once it may be built on.
    """
    check_library()
    connection = None
    try:
        connection = apsw.Connection(name, flags=flags, vfs=vfs or None)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        yield connection
    except BaseException as error:
        if connection is not None:
            close(connection)
        if isinstance(error, apsw.Error):
            raise StoreUnusable(f"{file}: {words_of(error)}") from error
        if isinstance(error, OSError):
            raise StoreUnusable(f"{file}: {error.strerror}") from error
        if isinstance(error, StoreUnusable):
            raise type(error)(f"{file}: {error}") from error
        raise


def _is_writable(place: Path) -> bool:
    """By the rights of the process, not of the user who started it."""
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _check(file: Path) -> None:
    if file.is_dir():
        raise StoreUnusable(f"{file}: a directory")
    if not file.parent.is_dir():
        raise StoreUnusable(f"{file}: there is no directory {file.parent}")
    if file.exists() and not file.is_file():
        raise StoreUnusable(f"{file}: not a file")
    if file.exists() and file.stat().st_nlink > 1:
        raise StoreUnusable(f"{file}: it has another name (a hard link), under which its lock would not be seen")
