"""What the last commit left: read from the store before batches decide on it, and kept at hand as far as it fits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from amends.engine.definitions import Definitions
from amends.engine.entity_cache import EntityCache, StoredEntity
from amends.engine.in_flight import InFlight
from amends.engine.limits import COMMIT_LETTERS_MAX
from amends.engine.owned_shards import OwnedShards
from amends.engine.recording import Recording, Salts
from amends.engine.saga_cache import LoadedSaga, SagaCache
from amends.engine.turn_io import (
    CommitChanges,
    EntityName,
    ReadAnyEntity,
    ReadEntities,
    ReadHead,
    ReadSagasAndKeys,
    Turn,
)
from amends.errors import Overloaded
from amends.storage.records import Cause, ChainFenced
from amends.storage.rows import NOTHING_MOVED, Block, Changes, Head, KeyRow, SagaRow, Unreadable

ROWS_PAGE: Final = 100  # sagas that are read at once, before it is looked how large they are


class SagaIds:
    """The ids of a process's sagas.

    Attributes:
        number: of the last one that was given out.
    """

    def __init__(self, prefix: str, shards: OwnedShards) -> None:
        """Begin with the first.

        Args:
            prefix: of all of them; no process before may have had it.
            shards: whose sagas this engine moves.
        """
        self.number = 0
        self._prefix = prefix
        self._shards = shards

    def __call__(self) -> str:
        """Give out the next one that is of an own shard.

        Raises:
            Overloaded: the engine has none yet.
        """
        number = self.number = self.number + 1
        return self._own() if self._shards.are_shared else f"{self._prefix}-{number}"

    def expect_shard(self) -> None:
        """See that there can be a next one.

        Raises:
            Overloaded: the engine has no shard yet.
        """
        if self._shards.are_shared and not self._shards.all:
            raise Overloaded("this engine has no shard of its store yet; try again later")

    def _own(self) -> str:
        self.expect_shard()
        while not self._shards.has(saga_id := f"{self._prefix}-{self.number}"):
            self.number += 1
        return saga_id


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
        sagas: as they are stored; those under way are at hand.
        entities: as they are stored; those that were used lately are at hand.
        entity_codecs: of which types entities are.
        shards: whose sagas this engine moves.
        in_flight: which requests are under way.
        new_id: gives an id that no saga has.
        value_bytes_max: of one request, answer, entity or command's body, as JSON.
        salts: where the salts of recorded values come from.
        set_aside: kind and name of the rows that turned out to be unreadable.
        immovable: sagas that this process set aside, and why.
    """

    def __init__(
        self,
        definitions: Definitions,
        head: Head,
        set_aside: Iterable[Unreadable],
        *,
        shards: OwnedShards,
        new_id: SagaIds,
        value_bytes_max: int,
        salts: Salts,
    ) -> None:
        """Hold nothing yet.

        Args:
            definitions: those that the engine knows.
            head: where the audit ends.
            set_aside: rows that turned out to be unreadable.
            shards: whose sagas this engine moves.
            new_id: gives an id that no saga has.
            value_bytes_max: of one request, answer, entity or command's body, as JSON.
            salts: where the salts of recorded values come from.
        """
        self.head = head
        self.definitions = definitions
        self.entity_codecs = definitions.entities
        self.entities = EntityCache(definitions.entities)
        self.shards = shards
        self.in_flight = InFlight(shards)
        self.set_aside = {(row.kind, row.name) for row in set_aside}
        self.immovable: dict[str, str] = {}
        self.new_id = new_id
        self.value_bytes_max = value_bytes_max
        self.salts = salts
        self.sagas = SagaCache(definitions.by_name)
        self._foresees = True

    def begin(self) -> None:
        """A turn begins: what was read for the last one alone is read anew, and all entities where engines share them.

        A saga of an own shard is moved by this engine alone, until the shard is handed over or its chain is ended.
        """
        self.entities.begin()
        self.sagas.begin()
        if self.shards.are_shared:
            self.entities.clear()

    def read(
        self, saga_ids: Iterable[str], keys: Iterable[str]
    ) -> Turn[tuple[Mapping[str, KeyRow | Unreadable], Collection[str]]]:
        """Read the sagas and client keys that a batch is about.

        Returns:
            What is known of the keys; and the sagas that were not read: of very large ones the first are.
        """
        self.sagas.expect(saga_ids)
        known: dict[str, KeyRow | Unreadable] = {}
        return known, (yield from self._read_sagas(sorted(set(keys)), known))

    def foresee(self, saga_ids: Iterable[str], names: Iterable[EntityName]) -> Turn[None]:
        """Read the entities that a batch names, and those that the requests of its sagas name.

        Where the last batch found all of its entities at hand, it is not looked: what is not is read when it is met. In
        a shared store it is always looked: what is read later is locked later, and two engines that do so in different
        orders wait for each other until the server ends one of them.
        """
        if self._foresees:
            self.entities.expect(chain(names, *map(self.sagas.entities_of, saga_ids)))
            self._foresees = (yield from self.read_missing()) or self.shards.are_shared

    @property
    def is_missing(self) -> bool:
        """Whether a decision met what is not at hand."""
        return bool(self.sagas.missing or self.entities.missing or self.entities.missing_services)

    def read_missing(self) -> Turn[bool]:
        """Read all that was found not to be at hand; whether that was anything."""
        if not self.is_missing:
            return False
        yield from self._read_sagas((), {})
        for service in sorted(self.entities.missing_services):
            self.entities.are_any[service] = yield ReadAnyEntity(service)
        self.entities.missing_services.clear()
        if names := sorted(self.entities.missing):
            self._foresees = True
            self.entities.missing.clear()
            rows = yield ReadEntities(names)
            self.entities.put_rows((name, rows.get(name)) for name in names)
        return True

    def _read_sagas(self, keys: Sequence[str], known: dict[str, KeyRow | Unreadable]) -> Turn[Collection[str]]:
        """Read client keys, and the sagas that are missing; gives those that are left, where they are very large."""
        names, letters = [*self.sagas.missing], 0
        self.sagas.missing.clear()
        while names or keys:
            page, names = names[:ROWS_PAGE], names[ROWS_PAGE:]
            rows = yield ReadSagasAndKeys(sorted(page), keys)
            known |= rows.keys
            self.sagas.put(page, rows.sagas)
            letters += sum(len(row.request) + len(row.body) for row in rows.sagas.values() if isinstance(row, SagaRow))
            if letters > COMMIT_LETTERS_MAX:
                break
            keys = ()
        return {*names}

    def take_over(self, commit: BatchCommit) -> None:
        """The next batch decides on what this one committed."""
        self.head = commit.changes.block.as_head()
        self.set_aside.update((row.kind, row.name) for row in commit.changes.set_aside)
        for service, stored in commit.entities.items():
            self.entities.put(service, stored)
        self.sagas.take_over(commit.sagas)

    def write(
        self, *causes: Cause, at_ms: int, fences: Sequence[Block] = (), moved: Mapping[int, str] = NOTHING_MOVED
    ) -> Turn[None]:
        """Commit what is about this engine's shards, and no saga.

        Args:
            causes: the records.
            at_ms: when it is committed, milliseconds since 1970 (UTC).
            fences: chains that end with it.
            moved: shards that are given away.
        """
        recording = Recording(at_ms, salts=self.salts)
        for cause in causes:
            recording.add(self.head.chain, 0, cause)
        block = recording.block(self.head)
        yield CommitChanges(Changes((), (), (), block, {}, fences=fences, moved=moved))
        self.head = block.as_head()

    def reread(self) -> Turn[None]:
        """Forget what is at hand: another process wrote to the store.

        What a turn met in a shared store is read again together, in one order.
        """
        met = self.entities.names() if self.shards.are_shared else ()
        self.entities.clear()
        self.sagas.clear()
        self.entities.expect(met)
        self.head = yield ReadHead(self.head.chain)


def fence_of(last: Head, by: str, at_ms: int, salts: Salts) -> Block:
    """What ends a chain.

    Args:
        last: where it ends now.
        by: the engine that takes over.
        at_ms: when; not before the last block.
        salts: where salts come from.
    """
    recording = Recording(at_ms, salts=salts)
    recording.add(last.chain, 0, ChainFenced(by))
    return recording.block(last)
