"""The store of an engine: the one writer of an SQLite file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from itertools import compress, repeat
from operator import add, itemgetter, ne, not_
from pathlib import Path
from typing import Any, Final, TypeVar

from amends.adapters.clock import SystemClock
from amends.adapters.in_force import WARNING, WORRIED_AFTER
from amends.adapters.one_owner import OneOwner
from amends.adapters.sqlite.client_keys import ClientKeys
from amends.adapters.sqlite.database import Connection, close
from amends.adapters.sqlite.files import Files
from amends.adapters.sqlite.lock import EngineLock
from amends.adapters.sqlite.mailbox import LOOK_WITHIN_MS, EngineMailbox, SqliteMailbox
from amends.adapters.sqlite.mounts import FULL, durability_of, is_alone, kind_of
from amends.adapters.sqlite.opening import check_writable, checked_path, open_writer
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.reading import RecordReader
from amends.adapters.sqlite.rows import STARTS, block_values
from amends.adapters.sqlite.wakeup import WakeupServer
from amends.errors import LeaseLost, StoreConflict, StoreError, StoreFull, StoreUnusable
from amends.storage.rows import Block, Changes, EntityRow, KeyRow, SagaRow, Unreadable, checksums

Row = TypeVar("Row", SagaRow, EntityRow)

_VERSION: Final[Callable[[Any], int]] = itemgetter(-1)  # the last of a row's values
NO_BLOCK: Final = 0
"""Of a saga that was taken over: the blocks stay in the store in which it ran."""


class SqliteStore(RecordReader):
    """An SQLite file. Its promises are those of `amends.storage.ports.Store`.

    Attributes:
        is_shared: never: no other engine writes to it.
        ownership: this engine has every shard, for as long as it has the lock of the file.
        mailbox: the letters to it: of clients, in a file of their own, and of its own commits.
        wakeup: of this engine by its clients, and of them by it.
    """

    is_shared: Final = False

    def __init__(self, path: str | os.PathLike[str], vfs: str = "", *, is_moving: bool = False) -> None:
        """Open a store; make it, or bring it up to date, where that is needed.

        Args:
            path: of the file.
            vfs: the SQLite VFS to use, for tests that cut the power; the system's when empty.
            is_moving: whether it is opened to move its shop to another database, and may be marked as one that does.

        Raises:
            StoreUnusable: another engine has it, or there is no store that this version can use; one line says why.
        """
        file = self._file = checked_path(path)
        check_writable(file)
        with ExitStack() as opened:
            self._lock = EngineLock(file)
            opened.callback(self._lock.release)
            connection = open_writer(file, vfs, is_moving=is_moving)
            opened.callback(close, connection)
            super().__init__(Connection(connection, None if vfs else _files_of(file)))
            opened.callback(self._database.close)
            self._check(file, FULL if vfs else durability_of(kind_of(file), is_alone=is_alone(file)))
            opened.pop_all()
        clients = SqliteMailbox(file, busy_ms=LOOK_WITHIN_MS)
        self.ownership, self.mailbox = OneOwner(SystemClock().now_ms), EngineMailbox(clients, self)
        self.wakeup = WakeupServer(file)

    def key(self, key: str) -> KeyRow | Unreadable | None:
        """What a client key stands for; ``None`` when it is new."""
        return self.keys([key]).get(key)

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out."""
        return self._client_keys.find(keys)

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing; see `amends.storage.ports.Store.commit`."""
        try:
            with self._database.transaction():
                self._write(changes)
        except StoreError as error:
            if not self._is_written_all_the_same(error, changes.block):
                self._client_keys.revoke()
                raise
        self._client_keys.settle()

    def abandon(self) -> None:
        """There is nothing that a turn has locked."""

    def take(self, sagas: Sequence[SagaRow], keys: Sequence[KeyRow]) -> None:
        """Take over final sagas of another store and their client keys; see `amends.engine.archiving.Archive.take`.

        One that went on after it was copied, as it had not left, takes the place of its copy.
        """
        there = self.sagas([row.saga_id for row in sagas])
        new = [row for row in sagas if there.get(row.saga_id) != row]
        copies = [(there[row.saga_id], row) for row in new if row.saga_id in there]
        former = [copy for copy, row in copies if isinstance(copy, SagaRow) and _has_become(copy, row)]
        if len(former) < len(copies):
            raise StoreConflict("another saga of the same id is there")
        counts = Counter((row.definition, row.status) for row in new)
        counts.subtract((row.definition, row.status) for row in former)
        with self._database.transaction():
            self._database.write("delete_saga", [(row.saga_id, row.version) for row in former])
            self._database.write("insert_saga", _checked(new, NO_BLOCK))
            self._client_keys.add(self._client_keys.missing(keys))
            self._database.write("add_count", [(*key, more) for key, more in counts.items()])
        self._client_keys.settle()

    def reader(self) -> SqliteReader:
        """The same file by another connection, to be read beside the turns."""
        return SqliteReader(self._file)

    def worry_after(self, worried_after_ms: int) -> None:
        """Keep for how long a step has failed that counts as failing; see `amends.storage.ports.Store.worry_after`."""
        if worried_after_ms != self.worried_after_ms():
            with self._database.transaction():
                self._database.write("put_in_force", [(WORRIED_AFTER, str(worried_after_ms))])

    def warn(self, of: str) -> None:
        """Tell other processes what is wrong with the engine; see `amends.storage.ports.Store.warn`."""
        with self._database.transaction():
            self._database.write("put_in_force", [(WARNING, of)])

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self.mailbox.close()
        self._database.close()
        self._lock.release()

    def _check(self, file: Path, durability: str) -> None:
        """Check what every decision rests on, and say to other processes what this one runs with."""
        in_force = {"durability": durability, WARNING: ""}
        try:
            self.head()
            self.shapes()
            self._client_keys = ClientKeys(self._database)
            if (
                not in_force.items() <= self.in_force().items()
            ):  # a full disk does not keep a store from being opened again
                with self._database.transaction():
                    self._database.write("put_in_force", in_force.items())
        except StoreError as error:
            raise StoreUnusable(f"{file}: {error}") from error

    def _is_written_all_the_same(self, error: StoreError, block: Block) -> bool:
        """Whether the log took it, and there was only no space in the file that takes in the log by and by.

        SQLite itself keeps that quiet; not every VFS does.
        """
        return isinstance(error, StoreFull) and self.head() == block.as_head()

    def _write(self, changes: Changes) -> None:
        write, block = self._database.write, changes.block
        if block.chain or changes.fences or changes.moved:
            refusal = LeaseLost if block.chain else StoreConflict
            raise refusal("this store has one owner, and one chain, without a name")
        if not write("insert_block", [block_values(block)]):
            raise StoreConflict(f"block {block.number} does not follow the last one")
        new, changed = _parted(changes.sagas)
        write("insert_saga", _checked(new, block.number))
        self._update("saga", changed)
        self._write_entities(changes.entities)
        self._client_keys.change(changes.keys, changes.gone_keys)
        write("keep_first_block", [(row.saga_id,) for row in changes.gone])
        if write("delete_saga", [(row.saga_id, row.version) for row in changes.gone]) != len(changes.gone):
            raise StoreConflict("a saga is not what was archived")
        write("insert_subject", [(subject, block.number) for subject in block.subjects])
        write("add_count", [(*key, more) for key, more in changes.counts.items()])
        write("insert_set_aside", _checked(changes.set_aside))
        write("put_shape", _checked(changes.shapes))
        write("remove_letter", [(letter_id,) for letter_id in changes.letters])
        write("post_letter", _checked(changes.posted, *STARTS))

    def _write_entities(self, rows: Sequence[EntityRow]) -> None:
        new, changed = _parted(rows)
        self._database.write("insert_entity", _checked(new))
        self._update("entity", changed)

    def _update(self, kind: str, rows: Sequence[SagaRow | EntityRow]) -> None:
        if self._database.write(f"update_{kind}", _checked(rows)) != len(rows):
            raise StoreConflict(f"{kind}: a row is not the one that its change was decided on")


def _files_of(file: Path) -> Files:
    try:
        return Files(file)
    except OSError as error:
        raise StoreUnusable(f"{file}: {error.strerror}: {error.filename}") from error


def _has_become(copy: SagaRow, row: SagaRow) -> bool:
    """Whether both are of one saga, and the copy is the earlier one."""
    return (copy.started_ms, copy.request) == (row.started_ms, row.request) and copy.version < row.version


def _parted(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Those that are new, and those that replace a row."""
    versions = [*map(_VERSION, rows)]
    if {1}.issuperset(versions):
        return rows, ()
    are_changed = list(map(ne, versions, repeat(1)))
    return list(compress(rows, map(not_, are_changed))), list(compress(rows, are_changed))


def _checked(rows: Collection[tuple[Any, ...]], *more: object) -> list[tuple[Any, ...]]:
    """Each row, its checksum, and more that is the same for each; a loop in C: a commit has several thousand rows."""
    return list(map(add, rows, zip(checksums(rows), *map(repeat, more), strict=False)))
