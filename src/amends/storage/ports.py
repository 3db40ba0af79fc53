"""What the engine needs of the world around it. Each method's promise is its docstring, and tests/contract holds it.

Adapters are in `amends.adapters`; `amends.bootstrap` chooses them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from amends.storage.rows import Block, Changes, EntityRow, Head, KeyRow, SagaRow, ShapeRow, Unreadable

ALL: Final = 2**62  # more rows than a store can have
REDUCED: Final = "reduced: "
"""How a durability begins that is less than was asked for (P15)."""


class Clock(Protocol):
    """The time that is written into rows and records."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC). Never less than it said before, also when the machine's clock is set back."""
        ...


class SagaFilter(NamedTuple):
    """Which sagas to list.

    Attributes:
        statuses: of these statuses; any when empty.
        definition: of the definition of this name; any when empty.
        started_before_ms: started before that; ``None`` for any.
        limit: at most so many, >= 1; `ALL` for every one.
    """

    statuses: Collection[str] = ()
    definition: str = ""
    started_before_ms: int | None = None
    limit: int = 100


class Records(Protocol):
    """What may be read of a store from any process, also while an engine writes to it."""

    def saga(self, saga_id: str) -> SagaRow | Unreadable | None:
        """One saga; ``None`` when there is none."""
        ...

    def entity(self, service: str, entity_id: str) -> EntityRow | Unreadable | None:
        """One entity; ``None`` when there is none."""
        ...

    def all_entities(self) -> Iterator[EntityRow | Unreadable]:
        """The entities of every service, those that no longer exist among them, read as they are asked for."""
        ...

    def all_keys(self) -> Iterator[KeyRow | Unreadable]:
        """Every client key, read as they are asked for."""
        ...

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow | Unreadable]:
        """The sagas that are wanted, the one that was committed last for the first time first."""
        ...

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0; at a cost that does not grow with them."""
        ...

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""
        ...

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, each once, in the order in which they were found."""
        ...

    def head(self) -> Head:
        """The head of the audit's chain: number, hash and time of the last block."""
        ...

    def blocks(self, after: int = 0) -> Iterator[Block]:
        """The blocks after a number, in order, read as they are asked for.

        Their `Block.subjects` is empty. Of one that is not what was written, so is `Block.head`.
        """
        ...

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks that hold a record of a subject, in order."""
        ...

    def durability(self) -> str:
        """What a commit survives, in a few words: ``full``, or ``reduced: `` or ``none: `` and why."""
        ...

    def warning(self) -> str:
        """What the engine that opened the store last said is wrong with it, in words; empty for nothing."""
        ...

    def due(
        self, definitions: Iterable[str], until_ms: int, limit: int, after: tuple[int, str] = (0, "")
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next.

        Args:
            definitions: of these definitions alone.
            until_ms: due by then, that moment included.
            limit: at most so many, >= 1.
            after: (due time, saga id) of the last one of the page before.

        Returns:
            (due time, saga id), the one that is due first first; of equal times in the order of their ids.
        """
        ...


class Store(Records, Protocol):
    """Where an engine keeps everything. One engine at a time has it; it is used by one thread at a time."""

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""
        ...

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out."""
        ...

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored; of one kind and name in the order of their times.

        Raises:
            StoreFailed: one is not what was written.
        """
        ...

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow | Unreadable]:
        """The entities of a service, also those that no longer exist, read as they are asked for.

        Args:
            service: the participant.
            first: from this id on, in the order of their ids' UTF-8.
        """
        ...

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing. Once it returns, all of it is on stable storage, and the next read sees it.

        Raises:
            StoreConflict: a row, a key or a block is not what the changes were decided on. Nothing is written.
            StoreTooBig: it is more at once than the store takes. Nothing is written; parts of it may be.
            StoreFull: there is no space. Nothing is written; it may be tried again.
            StoreBusy: another program keeps the file locked. Nothing is written; it may be tried again.
            StoreFailed: the storage failed, and whether it is written is not known: `head` of a store that is opened
                anew tells. This store is not to be used any more.
        """
        ...

    def warn(self, of: str) -> None:
        """Keep in the store what is wrong with the engine, for `amends status`; empty for nothing, as after an opening.

        Raises:
            StoreFull, StoreBusy, StoreFailed: as `commit`.
        """
        ...

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        ...
