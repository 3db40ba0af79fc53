"""A lock on some bytes of a file that ends with its own descriptor, and with nothing else.

POSIX locks, which SQLite uses, belong to the process: they are gone as soon as it closes *any* descriptor of the file,
whoever opened it. Linux has others beside them (fcntl(2), "open file description locks"). They know of each other.
"""

from __future__ import annotations

import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

Place = tuple[int, int]  # the first byte that is locked, and how many are
EVERYWHERE: Final[Place] = (0, 0)


class Hold:
    """A file that is open to hold a place in it, as a reader does: others may read, and no process has it alone."""

    def __init__(self, path: Path, place: Place) -> None:
        """Take the lock; where the file system has none such, the file is open without it.

        Raises:
            OSError: there is no such file.
        """
        self._file = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        with suppress(OSError):
            _lock(self._file, place)

    def read(self, size: int) -> bytes:
        """The first bytes of the file."""
        return os.pread(self._file, size, 0)

    def is_locked(self, place: Place) -> bool:
        """Whether a process has a lock on this place; so it is said where it cannot be known."""
        try:
            return _is_locked(self._file, place)
        except OSError:
            return True

    def let_go(self) -> None:
        """Give the lock back. The file stays open: closing it drops the locks that SQLite has on it."""
        with suppress(OSError):
            _unlock(self._file)

    def close(self) -> None:
        """Close the file. In a child that inherited it, the parent's lock stays."""
        os.close(self._file)


if sys.platform == "linux":
    import fcntl

    FLOCK: Final = struct.Struct("hhqqi4x")  # as C has it where a pointer has 64 bits
    ARE_THERE: Final = struct.calcsize("P") == struct.calcsize("q")

    def _asked(kind: int, place: Place) -> bytes:
        return FLOCK.pack(kind, os.SEEK_SET, *place, 0)

    def _lock(file: int, place: Place) -> None:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _asked(fcntl.F_RDLCK, place))

    def _unlock(file: int) -> None:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _asked(fcntl.F_UNLCK, EVERYWHERE))

    def _is_locked(file: int, place: Place) -> bool:
        found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _asked(fcntl.F_WRLCK, place))
        return bool(FLOCK.unpack(found)[0] != fcntl.F_UNLCK)

else:
    ARE_THERE: Final = False

    def _lock(*_: object) -> None:
        raise OSError

    _unlock = _lock

    def _is_locked(*_: object) -> bool:
        raise OSError
