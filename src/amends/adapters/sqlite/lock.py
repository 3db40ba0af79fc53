"""One engine on one store: a lock that the operating system gives back when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from amends.errors import StoreInUse, StoreUnusable
from amends.storage.forks import forget_in_children

PID_BYTES_MAX: Final = 20  # digits of 2**64, which no process id has


def lock_of(database: Path) -> Path:
    """The lock file of a database."""
    return database.with_name(f"{database.name}.lock")


def holder(database: Path) -> int | None:
    """The process whose engine has a store, by its lock file; ``None`` where none is to be seen from here.

    The lock itself is not tried: an engine that opens the store just then would not get it.
    """
    try:
        pid = int(lock_of(database).read_text("ascii"))
    except (OSError, ValueError):  # none was opened yet, or the last one was closed
        return None
    if sys.platform != "win32":  # where a signal of 0 is one
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except OSError:  # it is another user's
            return pid
    return pid


class EngineLock:
    """The lock file beside a database, held from `__init__` to `release`, by this process and none of its children.

    A file of its own: POSIX drops every lock on a file as soon as its process closes any descriptor of it, so nothing
    but SQLite may open the database itself. The file stays when the lock is released: whoever removed it could remove
    one that another engine has locked just now.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock.

        Args:
            database: the store's file.

        Raises:
            StoreInUse: another engine has it.
            StoreUnusable: the lock file cannot be written.
        """
        path = lock_of(database)
        self._file = -1
        forget_in_children(self)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StoreUnusable(f"{database}: its lock file {path.name} cannot be written: {error.strerror}") from error
        if not _take(self._file):
            holder = os.read(self._file, PID_BYTES_MAX).decode("ascii", "replace").strip()
            self.forget()
            raise StoreInUse(f"{database}: in use by the engine of process {holder or 'unknown'}")
        self._say(b"%d\n" % os.getpid())

    def release(self) -> None:
        """Give it back. A second call does nothing."""
        if self._file >= 0:
            self._say(b"")
            self.forget()

    def forget(self) -> None:
        """Let go of the file: the lock ends with the last process that has it open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _say(self, text: bytes) -> None:
        """Say whose it is. On a full disk that is not known to others, and the lock holds all the same."""
        with suppress(OSError):
            os.lseek(self._file, 0, os.SEEK_SET)
            os.ftruncate(self._file, 0)
            os.write(self._file, text)


if sys.platform == "win32":
    import msvcrt

    BEYOND: Final = 1 << 30  # locks of Windows keep others from reading: one byte far behind the process id

    def _take(file: int) -> bool:
        os.lseek(file, BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _take(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
