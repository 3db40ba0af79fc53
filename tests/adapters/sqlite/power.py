"""A disk in memory that forgets at a power cut what was not synced, and fails when it is told to.

It is an SQLite VFS: `SqliteStore(path, vfs=disk.name)` writes to it. It has no shared memory, so the store locks its
file for everybody else (docs/storage.md).

What a cut leaves is drawn: of every write since the last sync of its file each sector of 512 bytes is there or is not,
each truncation and each deletion happened or did not. A file that was never synced may not exist.
"""

# ruff: noqa: N802 - the names are those of SQLite

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Final

import apsw

SECTOR: Final = 512  # bytes that a disk writes whole or not at all: the smallest that is sold
_NAMES: Final = (f"power-{number}" for number in itertools.count(1))

Fault = Callable[[str, str], None]
"""Called before every operation with its name and the file's; raises what is to happen instead."""


class Medium:
    """What one file holds: for sure, and perhaps."""

    def __init__(self, synced: bytes | None = None) -> None:
        """Make a file.

        Args:
            synced: what it holds for sure; ``None`` when not even that it exists is sure.
        """
        self.synced = synced
        self.now = bytearray(synced or b"")
        self.since: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write some bytes, for now."""
        _put(self.now, offset, data)
        self.since.append((offset, data))

    def truncate(self, size: int) -> None:
        """Cut it to a size, for now."""
        del self.now[size:]
        self.since.append((size, None))

    def sync(self) -> None:
        """All that was written since, and not forgotten, is there for sure."""
        held = bytearray(self.synced or b"")
        for offset, data in self.since:
            if data is None:
                del held[offset:]
            else:
                _put(held, offset, data)
        self.synced, self.since = bytes(held), []

    def forget(self) -> None:
        """As Linux does when a sync fails: what was written since is seen by everybody, and will never be synced."""
        self.since = []

    def after_cut(self, chance: random.Random, kept: float) -> bytes | None:
        """What is there after a cut.

        Args:
            chance: draws what is.
            kept: how likely a sector is kept, 0 to 1.
        """
        if self.synced is None and chance.random() >= kept:
            return None
        left = bytearray(self.synced or b"")
        for offset, data in self.since:
            if data is None:
                if chance.random() < kept:
                    del left[offset:]
                continue
            for start, end in _sectors(offset, len(data)):
                if chance.random() < kept:
                    _put(left, start, data[start - offset : end - offset])
        return bytes(left)


class Disk(apsw.VFS):
    """See the module.

    Attributes:
        name: of the VFS.
        operations: how many there were.
        fault: see `Fault`.
        has_power: whether it was not cut yet.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        """Make a disk that holds some files for sure."""
        self.name = next(_NAMES)
        self.media = {name: Medium(held) for name, held in (files or {}).items()}
        self.deleted: dict[str, bytes] = {}
        self.operations = 0
        self.fault: Fault | None = None
        self.has_power = True
        super().__init__(self.name, "")

    def after_cut(self, chance: random.Random) -> Disk:
        """The disk as it is found when the power is back."""
        kept = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        left = {name: medium.after_cut(chance, kept) for name, medium in self.media.items()}
        for name, held in self.deleted.items():
            if left.get(name) is None and chance.random() >= kept:
                left[name] = held
        return Disk({name: held for name, held in left.items() if held is not None})

    def cut_at(self, operation: int) -> None:
        """Cut the power before an operation, which is counted from now."""
        last = self.operations + operation

        def cut(name: str, _: str) -> None:
            if self.operations >= last:
                self.has_power = False
                raise apsw.IOError(f"no power for {name}")

        self.fault = cut

    def meet(self, operation: str, name: str) -> None:
        """Count an operation, and let happen what is to happen instead of it."""
        self.operations += 1
        if self.fault:
            self.fault(operation, name)

    def xOpen(  # type: ignore[override] # any object with the methods of a file will do
        self, name: apsw.URIFilename | str | None, flags: list[int]
    ) -> Handle:
        """Open a file; make it when that is wanted."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return Handle(self, "", Medium())
        self.meet("open", path)
        if path not in self.media:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self.media[path] = Medium()
        flags[1] = flags[0]
        return Handle(self, path, self.media[path])

    def xDelete(self, name: str, syncdir: bool) -> None:
        """Delete a file, for sure if its directory is synced."""
        self.meet("delete", name)
        if name not in self.media:
            raise apsw.IOError(name)
        held = self.media.pop(name).synced
        if held is not None and not syncdir:
            self.deleted[name] = held

    def xAccess(self, name: str, _flags: int) -> bool:
        """Whether a file exists."""
        return name in self.media

    def xFullPathname(self, name: str) -> str:
        """The names are full ones."""
        return name


class Handle:
    """An open file."""

    def __init__(self, disk: Disk, name: str, medium: Medium) -> None:
        self._disk = disk
        self._name = name
        self._medium = medium

    def xRead(self, amount: int, offset: int) -> bytes:
        """Read some bytes."""
        self._disk.meet("read", self._name)
        return bytes(self._medium.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write some bytes."""
        self._disk.meet("write", self._name)
        self._medium.write(offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        """Cut the file to a size."""
        self._disk.meet("truncate", self._name)
        self._medium.truncate(size)

    def xSync(self, _flags: int) -> None:
        """Put it on stable storage, and with it that the file exists."""
        self._disk.meet("sync", self._name)
        self._medium.sync()
        self._disk.deleted.pop(self._name, None)

    def xFileSize(self) -> int:
        """Its size in bytes."""
        return len(self._medium.now)

    def xLock(self, _level: int) -> None:
        """Nobody else is there."""

    def xUnlock(self, _level: int) -> None:
        """Nobody else is there."""

    def xCheckReservedLock(self) -> bool:
        """Nobody else is there."""
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:
        """Nothing is known."""
        return False

    def xSectorSize(self) -> int:
        """What is written whole or not at all."""
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        """A write that is cut short harms nothing beside it: what SQLite takes for granted of every file system."""
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xClose(self) -> None:
        """Nothing is kept."""


def _put(held: bytearray, offset: int, data: bytes) -> None:
    held.extend(bytes(max(0, offset - len(held))))
    held[offset : offset + len(data)] = data


def _sectors(offset: int, length: int) -> Iterator[tuple[int, int]]:
    start = offset
    while start < offset + length:
        end = min((start // SECTOR + 1) * SECTOR, offset + length)
        yield start, end
        start = end
