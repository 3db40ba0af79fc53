"""Sagas that leave a store for an archive: gone in one commit, with a record of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeGuard

from amends.core.messages import worded
from amends.engine.recording import Recording
from amends.storage.ports import Store
from amends.storage.records import KeysArchived, SagaArchived
from amends.storage.rows import Changes, Head, KeyRow, SagaRow, Unreadable


class Archive(Protocol):
    """Where they go."""

    def take(self, sagas: Sequence[SagaRow], keys: Sequence[KeyRow]) -> None:
        """Put sagas and their client keys on stable storage, as they are; what is there already stays.

        Raises:
            StoreConflict: another saga of such an id is there. Nothing is written.
            StoreBusy, StoreFull, StoreFailed: they are not there, or not known to be.
        """


class Departure(NamedTuple):
    """How sagas leave.

    Attributes:
        into: the archive's name, for people who look for them.
        before_ms: those that ended before it leave, milliseconds since 1970 (UTC).
        now_ms: the store's clock.
        chain: of the audit, that gets the records; no other process writes to it.
    """

    into: str
    before_ms: int
    now_ms: Callable[[], int]
    chain: str = ""

    def take(self, store: Store, archive: Archive, saga_ids: Sequence[str], keys: Sequence[str]) -> int:
        """Move some sagas in one turn of the store: what is read stays as it is until the commit that it is gone.

        Two stores cannot be written at once. So sagas are copied first, and leave when the copy is on stable storage: a
        process that is killed between finds them in both, and goes on by doing the same again.

        Args:
            store: that they leave.
            archive: that they go to.
            saga_ids: those that ended. One that moved since, that is gone or cannot be read is left alone.
            keys: the client keys that started them.

        Returns:
            How many left.

        Raises:
            StoreError: of one of the two. What has not left is to be moved again.
        """
        rows = store.sagas(saga_ids)
        sagas = [row for row in map(rows.get, saga_ids) if self._is_over(row)]
        leaving = {row.saga_id for row in sagas}
        found = store.keys(keys).values()
        gone_keys = [row for row in found if isinstance(row, KeyRow) and row.saga_id in leaving]
        if not sagas:
            store.abandon()
            return 0
        archive.take(sagas, gone_keys)
        store.commit(self._changes(sagas, gone_keys, store.head(self.chain)))
        return len(sagas)

    def let_keys_go(self, store: Store, keys: Sequence[str]) -> None:
        """Remove client keys in one turn, with a record of them: those that started no saga.

        Args:
            store: that they leave.
            keys: of which a file has the records by now.

        Raises:
            StoreError: they are there, or not known not to be.
        """
        found = store.keys(keys).values()
        gone = sorted(row for row in found if isinstance(row, KeyRow) and not row.saga_id)
        if not gone:
            store.abandon()
            return
        head = store.head(self.chain)
        recording = Recording(max(self.now_ms(), head.at_ms))
        recording.add("", 0, KeysArchived(tuple(row.key for row in gone)))
        store.commit(Changes([], [], [], recording.block(head), {}, gone_keys=gone))

    def _is_over(self, row: SagaRow | Unreadable | None) -> TypeGuard[SagaRow]:
        return isinstance(row, SagaRow) and row.due_ms is None and row.changed_ms < self.before_ms

    def _changes(self, sagas: Sequence[SagaRow], keys: Sequence[KeyRow], head: Head) -> Changes:
        """What is committed: after the last change of each saga, also by an engine whose clock is ahead."""
        last_ms = max(row.changed_ms for row in sagas)
        recording, cause = Recording(max(self.now_ms(), head.at_ms, last_ms + 1)), SagaArchived(worded(self.into))
        for row in sagas:
            recording.add(row.saga_id, 0, cause)
        counts = Counter[tuple[str, str]]()
        counts.subtract((row.definition, row.status) for row in sagas)
        return Changes([], [], [], recording.block(head), counts, gone=sagas, gone_keys=keys)
