"""The shards of one process of several on a database: its lease, and whom it takes over from.

It does what an engine does between its turns. `ShardKeeper` is the engine's own.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Final

from amends.checking.simulator.clock import HostClock
from amends.checking.simulator.environment import SECOND_MS
from amends.checking.simulator.process_letters import ProcessLetters
from amends.checking.simulator.storage import Point, ProcessStore
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.limits import LEASE_MS
from amends.engine.ownership import ShardKeeper
from amends.errors import StoreConflict, StoreFull
from amends.storage.rows import Lease
from amends.storage.shards import shard_of

DRAIN_MS: Final = 2 * LEASE_MS  # how long a shard waits for calls before it is handed over, as calls take seconds


class ProcessShards:
    """Which sagas a process moves."""

    def __init__(
        self, store: ProcessStore, coordinator: Coordinator, lease: Lease, clock: HostClock, letters: ProcessLetters
    ) -> None:
        self._store = store
        self._name = lease.engine
        self._clock = clock
        self._coordinator = coordinator
        self._keeper = ShardKeeper(coordinator, lease, clock.now_ms(), lease_ms=LEASE_MS, drain_ms=DRAIN_MS)
        self._letters = letters

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

    def lease_left_s(self) -> float:
        """For how many seconds answers count here."""
        return (self._keeper.until_ms - self._clock.now_ms()) / SECOND_MS

    def wants_turn(self) -> bool:
        """Whether it is time for the next step, or there are letters."""
        return self._clock.now_ms() >= self._keeper.next_ms or self._letters.are_there

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
