"""SQLite's log after a start that is not clean: put on stable storage before anything is built on it.

When an `fsync` fails, Linux marks the pages clean all the same: they stay in memory, the next `fsync` has nothing to
write, and a power cut takes them. ("Can Applications Recover from fsync Failures?", USENIX ATC 2020.) So a log that
somebody left may show commits that are on no disk. Writing its own bytes over it makes every page dirty again, and the
`fsync` after that is one that tells the truth. What is there for sure stays as it is: the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

CHUNK: Final = 1 << 16  # bytes: a page of the largest size; SQLite's file of Unix takes less than twice that at a time
OPEN: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_WAL


def log_of(file: Path) -> Path:
    """The log of a database."""
    return file.with_name(f"{file.name}-wal")


def size_of(file: Path) -> int:
    """How many bytes the log of a database has; 0 where it has none."""
    try:
        return log_of(file).stat().st_size
    except OSError:
        return 0


def is_left(file: Path, vfs: str) -> bool:
    """Whether a database has a log that was not taken in: its engine was killed, or a process reads it just now."""
    with _opened(file, vfs) as log:
        return log is not None and log.xFileSize() > 0


def settle(connection: apsw.Connection, file: Path, vfs: str) -> None:
    """Put the log that was left on stable storage, and take it in as far as no reader needs it.

    No other process writes meanwhile. Taking it in comes second: a power cut in the middle of it finds the whole log.

    Raises:
        apsw.Error: it cannot be written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        with _opened(file, vfs) as log:
            if log is not None:
                _write_again(log)
    finally:
        connection.execute("ROLLBACK")
    with suppress(apsw.BusyError, apsw.FullError):  # it is safe where it is, and is taken in by and by
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _write_again(log: apsw.VFSFile) -> None:
    size = log.xFileSize()
    for start in range(0, size, CHUNK):
        log.xWrite(log.xRead(min(CHUNK, size - start), start), start)
    log.xSync(apsw.SQLITE_SYNC_FULL)


@contextmanager
def _opened(file: Path, vfs: str) -> Iterator[apsw.VFSFile | None]:
    """The log, as SQLite opens it: the same disk is asked. ``None`` where there is none.

    Beside it has to be its database, whose rights a log gets.
    """
    try:
        log = apsw.VFSFile(vfs, str(log_of(file)), [OPEN, 0])
    except apsw.CantOpenError:
        yield None
        return
    try:
        yield log
    finally:
        log.xClose()
