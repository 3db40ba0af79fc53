"""A store in memory: the same promises as any other, but that nothing outlives the process."""

from __future__ import annotations

from collections.abc import Collection

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.locks import RowName
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.memory.reading import MemoryReader
from amends.adapters.memory.wakeup import MemoryWakeup
from amends.adapters.one_owner import OneOwner
from amends.storage.ports import Ownership
from amends.storage.rows import Changes, EntityRow, KeyRow, SagaRow, Unreadable


class MemoryStore(MemoryReader):
    """The store of one engine: its connection to a database in memory.

    Attributes:
        is_shared: whether it is; see `amends.storage.ports.Store`.
        ownership: who has which of its shards.
        mailbox: the letters to its engines.
        wakeup: of this engine by its clients, and of them by it.
    """

    ownership: Ownership

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        """Open a database.

        Args:
            database: several engines enter; a new one of its own when it is left out.
        """
        super().__init__(MemoryDatabase(is_shared=False) if database is None else database)
        self.is_shared = self.database.is_shared
        self.mailbox, self.wakeup = MemoryMailbox(self.database), MemoryWakeup(self.database, is_engine=True)
        self.ownership = MemoryOwnership(self.database) if self.is_shared else OneOwner(self.database.now_ms)

    # A turn ---------------------------------------------------------------------------------------------------

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""
        self._lock([("saga", saga_id) for saga_id in saga_ids] if self.is_shared else [])
        return super().sagas(saga_ids)

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out."""
        self._lock([("key", key) for key in keys] if self.is_shared else [])
        rows = self.database.keys
        return {key: rows[key] for key in keys if key in rows}

    def entity_rows(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], EntityRow | Unreadable]:
        """These entities; those that do not exist are left out."""
        self._lock([("entity", *name) for name in names] if self.is_shared else [])
        rows = self.database.entities
        return {name: rows[name] for name in names if name in rows}

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing; see `amends.storage.ports.Store.commit`."""
        with self.database.changed:
            self._lock(_names(changes) if self.is_shared else [])
            try:
                self.database.commit(changes)
            finally:
                self.abandon()

    def abandon(self) -> None:
        """End the turn without a commit."""
        if self.is_shared:
            with self.database.changed:
                self.database.locks.release(self)

    def reader(self) -> MemoryStore:
        """The same database, to be read beside the turns."""
        return MemoryStore(self.database)

    def worry_after(self, worried_after_ms: int) -> None:
        """Keep for how long a step has failed that counts as failing."""
        self.database.worried_after_ms = worried_after_ms

    def warn(self, of: str) -> None:
        """Tell what is wrong with the engine; empty for nothing."""
        self.database.warning = of

    def close(self) -> None:
        """Give back what a turn has locked, and a store that one engine has for itself."""
        self.abandon()
        if not self.is_shared:
            self.ownership.leave("")

    def _lock(self, names: Collection[RowName]) -> None:
        if names:
            with self.database.changed:
                self.database.locks.take(self, names)


def _names(changes: Changes) -> list[RowName]:
    """The rows that a commit writes: it waits for those that it has not read."""
    return [
        *(("saga", row.saga_id) for row in (*changes.sagas, *changes.gone)),
        *(("entity", row.service, row.entity_id) for row in changes.entities),
        *(("key", row.key) for row in (*changes.keys, *changes.gone_keys)),
    ]
