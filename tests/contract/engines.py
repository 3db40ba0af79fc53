"""Engines of one shared database, each as its store sees it: a chain of its own, into which it commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.storage.ports import Mailbox, Ownership, Store
from amends.storage.rows import Block, Changes, EntityRow, KeyRow, SagaRow
from tests.contract.rows import START_MS, Writer, block

LEASE_MS = 6_000


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        """Return it."""
        return self.ms


class Shared:
    """A shared database, and a clock that it goes by."""

    def __init__(self, *, letters_max: int = 100) -> None:
        self.clock = Clock()
        self._database = MemoryDatabase(self.clock.now_ms, letters_max=letters_max, lock_timeout_s=0)
        self.ownership: Ownership = MemoryOwnership(self._database)
        self.mailbox: Mailbox = MemoryMailbox(self._database)

    def store(self) -> Store:
        """Return another door to it."""
        return MemoryStore(self._database)

    def engine(self, name: str, shards: Sequence[int] = ()) -> SharedEngine:
        """Return an engine that has entered, with the shards that it could get."""
        self.ownership.enter(name, LEASE_MS)
        self.ownership.claim(name, shards)
        return SharedEngine(name, self.store())


class SharedEngine:
    """An engine of a shared database: its name, and its store."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.store = store

    def changes(
        self,
        *rows: SagaRow | EntityRow | KeyRow,
        letters: Sequence[str] = (),
        fences: Sequence[Block] = (),
        moved: Mapping[int, str] | None = None,
    ) -> Changes:
        """Return what would be committed into its chain."""
        changes = Writer(self.store).changes(*rows)
        return changes._replace(block=self.next_block(), letters=letters, fences=fences, moved=moved or {})

    def commit(
        self,
        *rows: SagaRow | EntityRow | KeyRow,
        letters: Sequence[str] = (),
        fences: Sequence[Block] = (),
        moved: Mapping[int, str] | None = None,
    ) -> Changes:
        """Commit into its chain, and return what was committed."""
        changes = self.changes(*rows, letters=letters, fences=fences, moved=moved)
        self.store.commit(changes)
        return changes

    def next_block(self, chain: str = "") -> Block:
        """Return the next block of its own chain, or of another one."""
        return block(self.store.head(chain or self.name), [f"subject of {self.name}"])
