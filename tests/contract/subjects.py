"""The adapters that keep the contracts: for each a factory, and a hook that damages a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.one_owner import OneOwner
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.store import PostgresStore
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.storage.ports import Mailbox, Ownership, Records, Store
from amends.storage.rows import Block, Changes, Head
from tests.postgres import schema

ENGINE = "one"
LEASE_MS = 600_000

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
        ends: what is closed at the end, the last one first.
    """

    store: Store
    records: Records
    ownership: Ownership
    mailbox: Mailbox
    ends: ExitStack

    def entered(self) -> Subject:
        """Return the same, of a shared store with an engine, as an engine alone would see it."""
        self.ownership.enter(ENGINE, LEASE_MS)
        return self._replace(store=as_one_owner(self.store), records=as_one_owner(self.records))


class OneChain:
    """A shared store whose only chain has no name, as that of a store with one owner."""

    is_shared = False

    def __init__(self, records: Any) -> None:
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def head(self) -> Head:
        """Return where the chain ends."""
        head: Head = self._records.head(ENGINE)
        return head._replace(chain="")

    def block_numbers(self, before_ms: int | None = None) -> dict[str, int]:
        """Return the number of its last block."""
        found: dict[str, int] = self._records.block_numbers(before_ms)
        return dict(zip([""], found.values(), strict=False))

    def blocks(self, after: int = 0) -> Iterator[Block]:
        """Return its blocks."""
        return (block._replace(chain="") for block in self._records.blocks(after, ENGINE))

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """Return those about a subject."""
        return (block._replace(chain="") for block in self._records.blocks_about(subject))

    def commit(self, changes: Changes) -> None:
        """Commit into it."""
        self._records.commit(changes._replace(block=changes.block._replace(chain=ENGINE)))


def as_one_owner(records: Any) -> Any:
    """Return what reads or writes a shared store, as `OneChain`."""
    return OneChain(records)


def _in_memory(folder: Path) -> Subject:
    store = MemoryStore()
    return _subject(store, OneOwner(now_ms), MemoryMailbox(store.database))


def _in_shared_memory(folder: Path) -> Subject:
    database = MemoryDatabase(now_ms)
    return _subject(MemoryStore(database), MemoryOwnership(database), MemoryMailbox(database))


def _in_file(folder: Path) -> Subject:
    store = SqliteStore(folder / "store.db")
    mailbox = SqliteMailbox(folder / "store.db")
    subject = _subject(store, OneOwner(now_ms), mailbox)
    subject.ends.callback(mailbox.close)
    return subject


def _in_file_read_by_others(folder: Path) -> Subject:
    subject = _in_file(folder)
    return subject._replace(records=subject.ends.enter_context(closing(SqliteReader(folder / "store.db"))))


def _in_postgres(folder: Path) -> Subject:
    ends = ExitStack()
    store = PostgresStore(address_of(ends.enter_context(schema())))
    ends.callback(store.close)
    return Subject(store, store, store.ownership, store.mailbox, ends)


def _in_postgres_read_by_others(folder: Path) -> Subject:
    subject = _in_postgres(folder)
    return subject._replace(records=subject.ends.enter_context(closing(subject.store.reader())))


def _subject(store: Any, ownership: Ownership, mailbox: Mailbox) -> Subject:
    ends = ExitStack()
    ends.callback(store.close)
    return Subject(store, store, ownership, mailbox, ends)


def _entered(make: Callable[[Path], Subject]) -> Callable[[Path], Subject]:
    return lambda folder: make(folder).entered()


def now_ms() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000


ONE_OWNER: dict[str, Callable[[Path], Subject]] = {"memory": _in_memory, "sqlite": _in_file}
SHARED: dict[str, Callable[[Path], Subject]] = {"shared memory": _in_shared_memory, "postgres": _in_postgres}
WRITERS: dict[str, Callable[[Path], Subject]] = {
    **ONE_OWNER,
    **{name: _entered(make) for name, make in SHARED.items()},
}
OWNED = {**ONE_OWNER, **SHARED}
READERS: dict[str, Callable[[Path], Subject]] = {
    **WRITERS,
    "sqlite reader": _in_file_read_by_others,
    "postgres reader": _entered(_in_postgres_read_by_others),
}


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Subject]:
    """A store, and what reads it; both are closed at the end."""
    subject = READERS[name](folder)
    with subject.ends:
        yield subject


@contextmanager
def owned(name: str, folder: Path) -> Iterator[Subject]:
    """A store that no engine has entered; it is closed at the end."""
    subject = OWNED[name](folder)
    with subject.ends:
        yield subject


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
