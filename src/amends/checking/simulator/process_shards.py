"""The shards of one process of several on a database: its lease, whom it takes over from, and letters to its sagas.

It does what an engine does between its turns. `ShardKeeper` and `LettersToActOn` are the engine's own.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import Any, Final

from amends.adapters.memory.mailbox import MemoryMailbox
from amends.checking.simulator.clock import HostClock
from amends.checking.simulator.storage import Point, ProcessStore
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.letters import ActOnLetter, LettersToActOn
from amends.engine.ownership import LEASE_MS, ShardKeeper
from amends.engine.task import Task
from amends.errors import StoreConflict, StoreFull
from amends.storage.rows import Lease
from amends.storage.shards import shard_of

LETTERS_MAX: Final = 20  # letters that a turn acts on: several turns have to, now and then
DRAIN_MS: Final = 2 * LEASE_MS  # how long a shard waits for calls before it is handed over, as calls take seconds


class ProcessShards:
    """Which sagas a process moves."""

    def __init__(self, store: ProcessStore, coordinator: Coordinator, lease: Lease, clock: HostClock) -> None:
        self._store = store
        self._name = lease.engine
        self._clock = clock
        self._coordinator = coordinator
        self._keeper = ShardKeeper(coordinator, lease, clock.now_ms(), drain_ms=DRAIN_MS)
        self._letters = LettersToActOn(coordinator.definitions.by_name)
        self._mailbox = MemoryMailbox(store.database)

    @property
    def all(self) -> Collection[int]:
        """Those that it has."""
        return self._coordinator.shards.all

    def must_have(self, saga_id: str) -> str:
        """What is wrong with sending for a saga now, by the database and by true time; empty for nothing."""
        database, name = self._store.database, self._name
        over_ms, owner = database.truly_ms() - database.really.get(name, 0), database.owners.get(shard_of(saga_id))
        if owner != name:
            return f"{name} sends for {saga_id}, which is {owner}'s"
        return f"{name} sends for {saga_id} {over_ms} ms after its lease" if over_ms >= 0 else ""

    def now_ms(self) -> int:
        """The time of its turns."""
        return self._keeper.clock.now_ms(self._clock.now_ms())

    def has(self, saga_id: str) -> bool:
        """Whether a saga is moved by this process."""
        return self._coordinator.shards.has(saga_id)

    def may_send(self) -> bool:
        """Whether a request may be sent now."""
        return self._keeper.may_send(self._clock.now_ms())

    def wants_turn(self) -> bool:
        """Whether it is time for the next step, or there are letters."""
        return self._clock.now_ms() >= self._keeper.next_ms or bool(self._mailbox.letters(self.all, 1))

    def keep(self) -> Generator[Point, None, list[AttemptId]]:
        """Take the next step, if it is time for it; gives attempts that are not to be sent any more."""
        elapsed_ms = self._clock.now_ms()
        if elapsed_ms < self._keeper.next_ms:
            return []
        try:
            return (yield from self._store.drive(self._keeper.step(elapsed_ms)))
        except (StoreFull, StoreConflict):  # it is taken again
            return []

    def leave(self) -> Generator[Point, None, None]:
        """Give all of them back."""
        yield from self._store.drive(self._keeper.leave())

    def tasks(self) -> list[ActOnLetter]:
        """What letters ask for."""
        return self._letters.read(self._mailbox, self.all, LETTERS_MAX)

    def remove(self, tasks: Sequence[Task], replies: Sequence[Any]) -> None:
        """Remove the letters that a turn acted on."""
        for task, reply in zip(tasks, replies, strict=True):
            if isinstance(task, ActOnLetter):
                self._mailbox.remove(self._letters.removable([task], [reply]))
