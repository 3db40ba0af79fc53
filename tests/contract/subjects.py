"""The adapters that keep the contracts: for each a factory, and a hook that damages a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.one_owner import OneOwner
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.storage.ports import Mailbox, Ownership, Records, Store

DAMAGE = {
    "saga": "UPDATE sagas SET body = body || ' ' WHERE id = ?",
    "entity": "UPDATE entities SET checksum = checksum + 1024 WHERE service || '/' || id = ?",
    "key": "UPDATE client_keys SET answer = CAST(x'ff' AS TEXT) WHERE key = ?",
}


class Subject(NamedTuple):
    """A store under test.

    Attributes:
        store: writes.
        records: reads the store.
        ownership: says which engine has which shards.
        mailbox: takes letters.
    """

    store: Store
    records: Records
    ownership: Ownership
    mailbox: Mailbox


def _in_memory(folder: Path) -> Subject:
    store = MemoryStore()
    return Subject(store, store, OneOwner(now_ms), MemoryMailbox(store.database))


def _in_shared_memory(folder: Path) -> Subject:
    database = MemoryDatabase(now_ms)
    store = MemoryStore(database)
    return Subject(store, store, MemoryOwnership(database), MemoryMailbox(database))


def _in_file(folder: Path) -> Subject:
    store = SqliteStore(folder / "store.db")
    return Subject(store, store, OneOwner(now_ms), SqliteMailbox(folder / "store.db"))


def _in_file_read_by_others(folder: Path) -> Subject:
    return _in_file(folder)._replace(records=SqliteReader(folder / "store.db"))


def now_ms() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000


ONE_OWNER: dict[str, Callable[[Path], Subject]] = {"memory": _in_memory, "sqlite": _in_file}
WRITERS = ONE_OWNER
OWNED: dict[str, Callable[[Path], Subject]] = {**ONE_OWNER, "shared memory": _in_shared_memory}
READERS: dict[str, Callable[[Path], Subject]] = {**WRITERS, "sqlite reader": _in_file_read_by_others}


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Subject]:
    """A store, and what reads it; both are closed at the end."""
    subject = READERS[name](folder)
    try:
        yield subject
    finally:
        if isinstance(subject.records, SqliteReader):
            subject.records.close()
        subject.store.close()


def damage(file: Path, kind: str, name: str) -> None:
    """Change a row behind the back of its store, as a flipped bit would.

    Args:
        file: of the store, which may be open.
        kind: ``saga``, ``entity`` or ``key``.
        name: its saga id, ``SERVICE/entity id``, or key.
    """
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute(DAMAGE[kind], (name,))
        assert connection.changes() == 1
