"""The files of an open store: held, so that no process takes them away; and looked at, as one may all the same.

What makes SQLite's own locks end early (amends.adapters.sqlite.holds) is Python's `sqlite3` in the engine's process, a
copy, a checksum. Another process then believes to be the last one, takes in the log and deletes it, and the engine goes
on writing into a file that has no name. So each file is held once more, as a reader of another process would hold it.

What no lock prevents (``rm``, ``mv``, a copy restored over it) is noticed at the next commit, and ends the engine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from amends.adapters.sqlite import holds
from amends.adapters.sqlite.holds import Hold, Place
from amends.adapters.sqlite.lock import lock_of
from amends.adapters.sqlite.log import log_of
from amends.adapters.sqlite.mounts import LOCAL, kind_of
from amends.storage.forks import forget_in_children

# Where SQLite locks a database (sqlite.org/src, os.h), and its shared memory (sqlite.org/walformat.html)
SHARED: Final[Place] = (0x4000_0002, 510)  # every reader; who deletes the log has it alone
IN_USE: Final[Place] = (128, 1)  # every process; who empties the shared memory has it alone
CHECKPOINTING: Final[Place] = (121, 1)  # who takes in the log

INDEX_BYTES: Final = 132  # of the shared memory: what it says of the log
INDEX_TELLS: Final = (slice(48), slice(96, 100), slice(128, 132))  # of these: where it ends, how far it is taken in

GONE: Final = "it is gone: somebody deleted or moved it"
REPLACED: Final = "another file is in its place"
OVERWRITTEN: Final = "something else than SQLite wrote into it or its log, as a copy does that is restored over them"
ADVICE: Final = {
    "": "put it back, or restore a backup, and open the store again",
    "-wal": "open the store again; `amends audit verify` with a kept head says whether anything is missing",
    "-shm": "nothing is lost: open the store again",
    ".lock": "nothing is lost: open the store again, if no other engine has begun on it meanwhile",
}


class FileState(NamedTuple):
    """How the bytes of a store look from outside.

    Attributes:
        told: what SQLite's shared memory says; a commit changes it, and so does taking in the log.
        written_ns: when the database was written last.
        size: of the database, bytes.
        log_size: of the log, bytes.
    """

    told: bytes
    written_ns: int
    size: int
    log_size: int


class Files:
    """Database, log and shared memory of an open store."""

    def __init__(self, database: Path) -> None:
        """Hold them; the lock of the engine is only looked at.

        Args:
            database: the file; SQLite has it open, with its log, and its engine has locked it.

        Raises:
            OSError: one is not there.
        """
        self._database, self._log = database, log_of(database)
        memory = database.with_name(f"{database.name}-shm")
        lock = lock_of(database)
        self._known = {str(path): _name_of(path.lstat()) for path in (database, self._log, memory, lock)}
        self._holds: list[Hold] = []
        forget_in_children(self)
        if holds.ARE_THERE:
            self._hold(database, memory)
        self._looks_closer = bool(self._holds) and kind_of(database) in LOCAL  # others date writes as they like
        told = self._told()
        self._look = _seen(database.lstat(), self._log.lstat(), told)

    def fault(self, *, is_written: bool) -> str:
        """What happened to them, and what to do, in one line; empty when all is well.

        Args:
            is_written: whether SQLite has just written into them, so that they look otherwise than before.
        """
        told = self._told() if is_written else b""  # before they are looked at: what is written later changes it
        found = []
        for path, known in self._known.items():
            try:
                found.append(os.lstat(path))
            except FileNotFoundError:
                return self._words(path, GONE)
            except OSError as error:
                return self._words(path, f"it cannot be looked at: {error.strerror}")
            if _name_of(found[-1]) != known:
                return self._words(path, REPLACED)
        return self._fault_inside(_seen(found[0], found[1], told))

    def log_can_be_saved(self) -> bool:
        """Whether the database is itself, and no new log was begun: what the old one holds may be taken in."""
        try:
            is_itself = _name_of(self._database.lstat()) == self._known[str(self._database)]
            return is_itself and (not self._log.exists() or not self._log.lstat().st_size)
        except OSError:
            return False

    def let_go(self) -> None:
        """Hold them no longer, as SQLite is about to close them: it is to be the last one."""
        for hold in self._holds:
            hold.let_go()

    def close(self) -> None:
        """Close them, when SQLite has; a reader in this process keeps its locks, at the price of two descriptors."""
        if not self._is_read_here():
            self.forget()

    def forget(self) -> None:
        """Close them: in a child, the parent's locks stay."""
        for hold in self._holds:
            hold.close()
        self._holds, self._looks_closer = [], False

    def _hold(self, database: Path, memory: Path) -> None:
        try:
            for path, place in ((database, SHARED), (memory, IN_USE)):
                self._holds.append(Hold(path, place))
        except OSError:
            self.forget()
            raise

    def _is_read_here(self) -> bool:
        try:
            return str(self._database) in {other.filename for other in apsw.connections()}
        except apsw.ConnectionClosedError:  # by another thread, just now
            return True

    def _words(self, path: str, what: str) -> str:
        advice = ADVICE[path.removeprefix(str(self._database))]
        return f"{path}: {what}, while the engine runs, which writes no more; {advice}"

    def _fault_inside(self, now: FileState) -> str:
        """Whether bytes changed of which SQLite's shared memory knows nothing, while no process takes in the log."""
        before, self._look = self._look, now
        if now.told or not self._looks_closer:
            return ""
        is_same = (now.written_ns, now.size) == (before.written_ns, before.size) and now.log_size >= before.log_size
        self._look = now._replace(told=before.told if is_same else self._told())
        is_told = is_same or self._look.told != before.told or self._holds[1].is_locked(CHECKPOINTING)
        return "" if is_told else self._words(str(self._database), OVERWRITTEN)

    def _told(self) -> bytes:
        """What the shared memory tells; nothing where it is not looked at."""
        if not self._looks_closer:
            return b""
        index = self._holds[1].read(INDEX_BYTES)
        return b"".join(index[part] for part in INDEX_TELLS)


def _name_of(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino


def _seen(database: os.stat_result, log: os.stat_result, told: bytes) -> FileState:
    return FileState(told, database.st_mtime_ns, database.st_size, log.st_size)
