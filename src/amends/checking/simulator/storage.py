"""A database that fails: no space, a commit of which it is unknown whether it took effect, rows that others hold.

It outlives every process of its schedule. Each process has a store of its own on it, and where several share it, a turn
waits for the rows that another one has locked; a server ends the transaction of a process that has stood still for too
long.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.locks import RowLocks, RowName
from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.memory.store import MemoryStore
from amends.checking.simulator.view import ShardOwners
from amends.engine.ownership import Keeping, OwnershipIO
from amends.engine.turn_io import CommitChanges, ReadEntities, ReadSagasAndKeys, TurnIO
from amends.errors import StoreConflict, StoreFailed, StoreFull
from amends.storage.rows import Changes, Lease

DISK_FAILED: Final = "the disk failed"
FULL: Final = 1
FAILED_BEFORE: Final = 2
FAILED_AFTER: Final = 3
IDLE_LIMIT_MS: Final = 1_500  # of a transaction that does nothing: a third of a lease
LOCK_LIMIT_MS: Final = 700  # of a wait for a row: less than half of that, so that turns that wait go on in time
LOCKED_MS: Final = 20  # until a locked row is looked at again

LOCKING: Final = (ReadSagasAndKeys, ReadEntities)
Answer = TypeVar("Answer")
Point = str | int
"""Where a process may be stopped: what is interrupted there; or for how many milliseconds it waits there."""


class ProcessKilled(BaseException):
    """The process is gone; nothing that it could still catch."""


class RowIsLocked(Exception):
    """Another process has locked a row."""


class WaitingLocks(RowLocks):
    """Locks of processes that are all in one thread: who has to wait is told so, and comes again."""

    def take(self, holder: object, names: Iterable[RowName]) -> None:
        """Lock rows, one after the other in the order of their names, up to the first that another one has.

        Raises:
            RowIsLocked: one is not free; those before it are locked.
        """
        for name in sorted(names):
            if self.held_by_others(holder, [name]):
                raise RowIsLocked(name)
            super().take(holder, [name])


class SimulatedDatabase(MemoryDatabase):
    """What is stored in a schedule.

    Attributes:
        truly_ms: the time as it is.
        process_stores: of the processes that run.
        really: engine to when its lease really ends.
    """

    def __init__(self, now_ms: Callable[[], int], *, is_shared: bool) -> None:
        super().__init__(now_ms, is_shared=is_shared)
        self.truly_ms = now_ms
        self.locks = WaitingLocks(self.changed, 0)
        self.process_stores: list[ProcessStore] = []
        self.really: dict[str, int] = {}


class Hooks(NamedTuple):
    """What a database tells the world, and asks of it.

    Attributes:
        fate: `FULL`, `FAILED_BEFORE`, `FAILED_AFTER`, or 0 when a commit goes well.
        committed: told what has just been written, and who has which shards.
        failed: told that a commit failed, and whether it is written.
        saw: told of rare things.
    """

    fate: Callable[[], int]
    committed: Callable[[Changes, ShardOwners], None]
    failed: Callable[[bool], None]
    saw: Callable[[str], None]


class ProcessStore(MemoryStore):
    """The store of one process: its connection to the database.

    Attributes:
        ownership: who has which shards.
    """

    database: SimulatedDatabase

    def __init__(self, database: SimulatedDatabase, hooks: Hooks) -> None:
        super().__init__(database)
        self._hooks = hooks
        self.ownership = WatchedOwnership(database)
        self._used_ms = 0
        self._is_open = False  # whether a transaction holds rows
        self._is_ended = False  # whether the server has ended it
        database.process_stores.append(self)

    def commit(self, changes: Changes) -> None:
        """See `amends.storage.ports.Store.commit`."""
        before = dict(self.database.owners)
        super().commit(changes)
        owners = ShardOwners(self.database.truly_ms(), before, dict(self.database.owners), self.database.really)
        self._hooks.committed(changes, owners)

    def close(self) -> None:
        """The process is gone, and its connection with it."""
        super().close()
        self.database.process_stores.remove(self)

    def drive(self, turn: Keeping[Answer]) -> Generator[Point, None, Answer]:
        """Take a turn on the database, or a step for the shards; the process may be stopped before each thing of it.

        Args:
            turn: not begun.
        """
        self._is_ended = self._is_open = False
        try:
            wanted = next(turn)
            while True:
                try:
                    given = yield from self._done(wanted)
                except Exception as error:  # noqa: BLE001 - the turn knows what to do about it
                    wanted = turn.throw(error)
                else:
                    wanted = turn.send(given)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        finally:
            turn.close()
            self.abandon()

    def _done(self, wanted: OwnershipIO | TurnIO) -> Generator[Point, None, Any]:
        if isinstance(wanted, CommitChanges):
            return (yield from self._written(wanted))
        if isinstance(wanted, OwnershipIO):
            yield "before a look at the shards"
            return wanted.on(self)
        if self.is_shared:
            yield "before a read"
        return (yield from self._carried_out(wanted))

    def _written(self, wanted: CommitChanges) -> Generator[Point, None, None]:
        yield "before a commit"
        fate = self._hooks.fate()
        if fate == FULL:
            raise StoreFull("there is no space")
        if fate == FAILED_BEFORE:
            self._hooks.failed(False)
            raise StoreFailed(DISK_FAILED)
        yield from self._carried_out(wanted)
        if fate == FAILED_AFTER:
            self._hooks.failed(True)
            raise StoreFailed(DISK_FAILED)
        yield "after a commit"

    # Rows that others hold ------------------------------------------------------------------------------------

    def _carried_out(self, wanted: TurnIO) -> Generator[Point, None, Any]:
        """Do it, once the rows that it needs are free."""
        until_ms = self.database.truly_ms() + LOCK_LIMIT_MS
        while True:
            self._end_all_idle()
            if self._is_ended:
                self._is_ended = False
                self._hooks.saw("a transaction was ended by its server")
                raise StoreConflict("the server ended the transaction: it had done nothing for too long")
            self._used_ms = self.database.truly_ms()
            self._is_open = self.is_shared and isinstance(wanted, LOCKING)
            try:
                return wanted.on(self)
            except RowIsLocked as locked:
                self._hooks.saw("a turn waited for a row")
                if self.database.truly_ms() > until_ms:
                    self.abandon()
                    self._is_open = False
                    self._hooks.saw("a row was not free in time")
                    raise StoreConflict(f"another engine has locked {locked}") from locked
            yield LOCKED_MS

    def _end_all_idle(self) -> None:
        """Let the server end the transactions that have done nothing for too long."""
        for store in self.database.process_stores:
            store.end_idle()

    def end_idle(self) -> None:
        """End the transaction, if it has done nothing for too long."""
        if self._is_open and self.database.truly_ms() - self._used_ms > IDLE_LIMIT_MS:
            self.abandon()
            self._is_open, self._is_ended = False, True


class WatchedOwnership(MemoryOwnership):
    """Who has which shards, and how long each lease really lasts: reckoned from when it was begun or renewed."""

    _database: SimulatedDatabase

    def _prolonged(self, engine: str, lease_ms: int, knows: frozenset[str]) -> Lease:
        self._database.really[engine] = self._database.truly_ms() + lease_ms
        return super()._prolonged(engine, lease_ms, knows)
