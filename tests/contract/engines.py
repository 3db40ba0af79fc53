"""Engines of one shared database, each as its store sees it: a chain of its own, into which it commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import psycopg

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.postgres.address import Address, address_of
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.mailbox import PostgresMailbox
from amends.adapters.postgres.settings import Timeouts
from amends.adapters.postgres.store import PostgresStore
from amends.storage.ports import Mailbox, Ownership, Store
from amends.storage.rows import Block, Changes, EntityRow, KeyRow, SagaRow
from tests.contract.rows import START_MS, Writer, block
from tests.postgres import schema

LEASE_MS = 6_000
LOCK_MS = 50  # which is as good as not at all


class Clock:
    """A time that a test sets."""

    def __init__(self, told: Callable[[int], object] = lambda _: None) -> None:
        """Begin, and have each time that is set told."""
        self._told = told
        self.ms = START_MS

    @property
    def ms(self) -> int:
        """The time."""
        return self._ms

    @ms.setter
    def ms(self, ms: int) -> None:
        self._ms = ms
        self._told(ms)

    def now_ms(self) -> int:
        """Return it."""
        return self._ms


class Shared:
    """A shared database, and a clock that it goes by."""

    clock: Clock
    ownership: Ownership
    mailbox: Mailbox

    def store(self) -> Store:
        """Return another door to it."""
        raise NotImplementedError

    def engine(self, name: str, shards: Sequence[int] = ()) -> SharedEngine:
        """Return an engine that has entered, with the shards that it could get."""
        self.ownership.enter(name, LEASE_MS)
        self.ownership.claim(name, shards)
        return SharedEngine(name, self.store())


class SharedMemory(Shared):
    """In memory."""

    def __init__(self, letters_max: int, lock_timeout_s: float) -> None:
        self.clock = Clock()
        self._database = MemoryDatabase(self.clock.now_ms, letters_max=letters_max, lock_timeout_s=lock_timeout_s)
        self.ownership = MemoryOwnership(self._database)
        self.mailbox = MemoryMailbox(self._database)

    def store(self) -> Store:
        """Return another door to it."""
        return MemoryStore(self._database)


class SharedPostgres(Shared):
    """In a schema of a PostgreSQL, whose function `now_ms` gives the time of the test."""

    def __init__(self, address: Address, letters_max: int, lock_timeout_s: float, ends: ExitStack) -> None:
        lock_ms = round(lock_timeout_s * 1000) or LOCK_MS
        self._address, self._timeouts = address, Timeouts(lock_ms, 60_000, 60_000)
        self._ends = ends
        self.ownership = self.store().ownership
        self._database = psycopg.connect(**address.connection, autocommit=True)
        ends.callback(self._database.close)
        self.clock = Clock(self._set)
        connection = PostgresConnection(address, self._timeouts)
        self.mailbox = PostgresMailbox(connection, letters_max=letters_max)
        ends.callback(self.mailbox.close)

    def store(self) -> Store:
        """Return another door to it."""
        store = PostgresStore(self._address, self._timeouts)
        self._ends.callback(store.close)
        return store

    def _set(self, ms: int) -> None:
        kind = "FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE"
        name = kind.replace("now_ms", f"{self._address.schema}.now_ms")
        self._database.execute(f"CREATE OR REPLACE {name} AS 'SELECT {ms}::bigint'".encode())


@contextmanager
def _in_memory(*, letters_max: int = 100, lock_timeout_s: float = 0) -> Iterator[Shared]:
    yield SharedMemory(letters_max, lock_timeout_s)


@contextmanager
def _in_postgres(*, letters_max: int = 100, lock_timeout_s: float = 0) -> Iterator[Shared]:
    with ExitStack() as ends:
        address = address_of(ends.enter_context(schema()))
        yield SharedPostgres(address, letters_max, lock_timeout_s, ends)


SHARED: dict[str, Callable[..., AbstractContextManager[Shared]]] = {"memory": _in_memory, "postgres": _in_postgres}
"""Each kind of a shared database, for so many letters, and with how long a turn waits for a row; not at all by default,
or as good as."""


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
