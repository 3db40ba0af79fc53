"""What the last commit left: read from the store as batches need it, and kept at hand as far as it fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from amends.engine.definitions import Definitions
from amends.engine.in_flight import InFlight
from amends.engine.overlay import EntityCache, StoredEntity
from amends.engine.recording import Salts
from amends.engine.saga_cache import LoadedSaga, SagaCache
from amends.errors import StoreError
from amends.storage.ports import Store
from amends.storage.rows import Changes, EntityRow, Head, KeyRow, Unreadable


class BatchCommit(NamedTuple):
    """What a batch comes to.

    Attributes:
        changes: what the store is to write.
        entities: service, then id, to what then is stored.
        sagas: those that changed, by id; ``None`` for one that is over.
    """

    changes: Changes
    entities: Mapping[str, dict[str, StoredEntity]]
    sagas: Mapping[str, LoadedSaga | None]


class CommittedState:
    """What a batch decides on.

    Attributes:
        head: where the audit ends.
        entities: as they are stored; those that were used lately are at hand.
        entity_codecs: of which types entities are.
        in_flight: which requests are under way.
        new_id: gives an id that no saga has.
        value_bytes_max: of one request, answer, entity or command's body, as JSON.
        salts: where the salts of recorded values come from.
        set_aside: kind and name of the rows that turned out to be unreadable.
        immovable: sagas that this process set aside, and why.
        trouble: the last error of the store while a task read from it: it is none of the task's, though a function of
            the task may have asked for what was read.
    """

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        head: Head,
        *,
        since_ms: int,
        new_id: Callable[[], str],
        value_bytes_max: int,
        salts: Salts,
    ) -> None:
        """Hold nothing yet.

        Args:
            store: no other process writes to it.
            definitions: those that the engine knows.
            head: where the audit ends.
            since_ms: when this process took over.
            new_id: gives an id that no saga has.
            value_bytes_max: of one request, answer, entity or command's body, as JSON.
            salts: where the salts of recorded values come from.
        """
        self.head = head
        self.definitions = definitions
        self.entity_codecs = definitions.entities
        self.entities = EntityCache(self._entity, definitions.entities)
        self.in_flight = InFlight(since_ms)
        self.set_aside = {(row.kind, row.name) for row in store.set_aside()}
        self.immovable: dict[str, str] = {}
        self.trouble: StoreError | None = None
        self.new_id = new_id
        self.value_bytes_max = value_bytes_max
        self.salts = salts
        self._store = store
        self._sagas = SagaCache(store, definitions.by_name)

    def prefetch(self, saga_ids: Collection[str], keys: Collection[str]) -> Mapping[str, KeyRow | Unreadable]:
        """Read what a batch is about: its sagas, and its client keys. Gives the keys.

        Raises:
            StoreError: it could not be read.
        """
        self._sagas.prefetch(saga_ids)
        return self._store.keys(keys)

    def saga(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga; `Unreadable` when its row cannot be used, ``None`` when there is none.

        Raises:
            RequestRefused: it runs under a definition that this engine does not know, and is left alone.
            StoreError: it could not be read.
        """
        try:
            return self._sagas.get(saga_id)
        except StoreError as error:
            self.trouble = error
            raise

    def take_over(self, commit: BatchCommit) -> None:
        """The next batch decides on what this one committed."""
        block = commit.changes.block
        self.head = Head(block.number, block.head, block.at_ms)
        self.set_aside.update((row.kind, row.name) for row in commit.changes.set_aside)
        for service, stored in commit.entities.items():
            self.entities.put(service, stored)
        self._sagas.take_over(commit.sagas)

    def reread(self) -> None:
        """Forget what is at hand: another process wrote to the store."""
        self.entities.clear()
        self._sagas.clear()
        self.head = self._store.head()

    def _entity(self, service: str, entity_id: str) -> EntityRow | Unreadable | None:
        try:
            return self._store.entity(service, entity_id)
        except StoreError as error:
            self.trouble = error
            raise
