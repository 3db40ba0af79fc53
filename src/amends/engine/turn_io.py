"""What a turn asks of a store, as records, and the driver that asks a store for it.

A turn is sans I/O: a generator that yields these records, one at a time, and is sent what the store gave for each, or
has thrown in what the store raised. So a simulation can stop a process before and after each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from amends.storage.ports import Store
from amends.storage.rows import Changes, EntityRow, Head, KeyRow, SagaRow, Unreadable

EntityName = tuple[str, str]
"""A service, and the id of one of its entities."""


class NotAtHand(Exception):
    """A saga or an entity has to be read first: what is decided is thrown away, and decided again with it."""


class ReadDue(NamedTuple):
    """Which sagas are due: see `amends.storage.ports.Records.due`."""

    definitions: Collection[str]
    until_ms: int
    limit: int
    after: tuple[int, str]
    shards: Collection[int]

    def on(self, store: Store) -> list[tuple[int, str]]:
        """(due time, saga id), in order."""
        return store.due(self.definitions, self.until_ms, self.limit, self.after, self.shards)


class SagasAndKeys(NamedTuple):
    """Rows; those that do not exist are left out."""

    sagas: Mapping[str, SagaRow | Unreadable]
    keys: Mapping[str, KeyRow | Unreadable]


class ReadSagasAndKeys(NamedTuple):
    """What a batch is about: its sagas and client keys, each in the order of their names."""

    saga_ids: Sequence[str]
    keys: Sequence[str]

    def on(self, store: Store) -> SagasAndKeys:
        """Their rows."""
        return SagasAndKeys(
            store.sagas(self.saga_ids) if self.saga_ids else {}, store.keys(self.keys) if self.keys else {}
        )


class ReadEntities(NamedTuple):
    """Entities, in the order of their names."""

    names: Sequence[EntityName]

    def on(self, store: Store) -> Mapping[EntityName, EntityRow | Unreadable]:
        """Their rows; those that do not exist are left out."""
        return store.entity_rows(self.names)


class ReadAnyEntity(NamedTuple):
    """Whether a service has entities, which is asked when a command tells their type for the first time."""

    service: str

    def on(self, store: Store) -> bool:
        """Whether one exists, and can be read."""
        return any(isinstance(row, EntityRow) and row.body is not None for row in store.entities(self.service))


class ReadHead(NamedTuple):
    """Where a chain of the audit ends."""

    chain: str

    def on(self, store: Store) -> Head:
        """Number, hash and time of the last block."""
        return store.head(self.chain)


class ReadLastTime(NamedTuple):
    """When anything was committed last, by any engine."""

    def on(self, store: Store) -> int:
        """The time of the last block of any chain; 0 where there is none."""
        return max((store.head(chain).at_ms for chain in store.chains()), default=0)


class CommitChanges(NamedTuple):
    """Write what was decided, all of it or nothing."""

    changes: Changes

    def on(self, store: Store) -> None:
        """See `amends.storage.ports.Store.commit`."""
        store.commit(self.changes)


TurnIO = ReadDue | ReadSagasAndKeys | ReadEntities | ReadAnyEntity | ReadHead | ReadLastTime | CommitChanges

Answer = TypeVar("Answer")
Turn = Generator[TurnIO, Any, Answer]
"""A turn, or a part of one: what it yields is done on a store, and it returns its answer."""


class OnStore(Protocol):
    """What is yielded to be done on a store."""

    def on(self, store: Store) -> Any:
        """Do it, and give what the store gives."""


def drive(turn: Generator[OnStore, Any, Answer], store: Store) -> Answer:
    """Take a turn on a store, or what goes as a turn does.

    Args:
        turn: not begun.
        store: does what the turn yields.

    Raises:
        Exception: what the turn raises; what the store raised is thrown into the turn first.
    """
    try:
        wanted = next(turn)
        while True:
            try:
                given = wanted.on(store)
            except Exception as error:  # noqa: BLE001 - the turn knows what to do about it
                wanted = turn.throw(error)
            else:
                wanted = turn.send(given)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    finally:
        turn.close()
        store.abandon()
