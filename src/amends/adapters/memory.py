"""A store in memory: the same promises as any other, but that nothing outlives the process."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from amends.errors import StoreConflict
from amends.storage.ports import SagaFilter
from amends.storage.rows import Block, Changes, EntityRow, Head, KeyRow, SagaRow, ShapeRow, Unreadable

DURABILITY: Final = "none: in memory"

Name = TypeVar("Name")
Row = TypeVar("Row", SagaRow, EntityRow)


class MemoryStore:
    """Dicts. Rows are kept as they are given: they are immutable."""

    def __init__(self) -> None:
        self._sagas: dict[str, SagaRow] = {}
        self._entities: dict[tuple[str, str], EntityRow] = {}
        self._keys: dict[str, KeyRow] = {}
        self._blocks: list[Block] = []
        self._about: dict[str, list[int]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._waiting: dict[str, dict[str, int]] = {}
        self._set_aside: dict[tuple[str, str], Unreadable] = {}
        self._warning = ""
        self._shapes: dict[tuple[str, str, int], ShapeRow] = {}

    def saga(self, saga_id: str) -> SagaRow | None:
        """One saga; ``None`` when there is none."""
        return self._sagas.get(saga_id)

    def entity(self, service: str, entity_id: str) -> EntityRow | None:
        """One entity; ``None`` when there is none."""
        return self._entities.get((service, entity_id))

    def all_entities(self) -> Iterator[EntityRow]:
        """The entities of every service."""
        return (self._entities[name] for name in sorted(self._entities))

    def all_keys(self) -> Iterator[KeyRow]:
        """Every client key."""
        return iter([*self._keys.values()])

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow]:
        """The sagas that are wanted, the one that started last first."""
        found = (row for row in reversed(self._sagas.values()) if _is_wanted(row, wanted))
        return iter(list(islice(found, wanted.limit)))

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0."""
        return {key: sagas for key, sagas in self._counts.items() if sagas}

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""
        waiting = (self._sagas[saga_id].started_ms for ids in self._waiting.values() for saga_id in ids)
        return min(waiting, default=None)

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, in the order in which they were found."""
        return list(self._set_aside.values())

    def head(self) -> Head:
        """The head of the audit's chain."""
        if not self._blocks:
            return Head()
        last = self._blocks[-1]
        return Head(last.number, last.head, last.at_ms)

    def blocks(self, after: int = 0) -> Iterator[Block]:
        """The blocks after a number, in order."""
        return islice(self._blocks, after, None)

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks that hold a record of a subject, in order."""
        return (self._blocks[number - 1] for number in self._about.get(subject, ()))

    def durability(self) -> str:
        """None: nothing outlives the process."""
        return DURABILITY

    def warning(self) -> str:
        """What the engine said last is wrong with it, in words; empty for nothing."""
        return self._warning

    def warn(self, of: str) -> None:
        """Tell what is wrong with the engine; empty for nothing."""
        self._warning = of

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""
        return {saga_id: self._sagas[saga_id] for saga_id in saga_ids if saga_id in self._sagas}

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out."""
        return {key: self._keys[key] for key in keys if key in self._keys}

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored."""
        return [self._shapes[key] for key in sorted(self._shapes)]

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow]:
        """The entities of a service, those that ended among them; see `amends.storage.ports.Store.entities`."""
        found = sorted(name for name in self._entities if name[0] == service and name[1] >= first)
        return (self._entities[name] for name in found)

    def due(
        self, definitions: Iterable[str], until_ms: int, limit: int, after: tuple[int, str] = (0, "")
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next, as (due time, saga id); see `amends.storage.ports.Store.due`."""
        waiting = (self._waiting.get(definition, {}) for definition in set(definitions))
        found = ((due_ms, saga_id) for ids in waiting for saga_id, due_ms in ids.items() if due_ms <= until_ms)
        return heapq.nsmallest(limit, (entry for entry in found if entry > after))

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing.

        Raises:
            StoreConflict: a row, a key or a block is not what the changes were decided on. Nothing is written.
        """
        head = self.head()
        if (changes.block.number, changes.block.before) != (head.number + 1, head.head):
            raise StoreConflict(f"block {changes.block.number} does not follow block {head.number}")
        sagas = _after(self._sagas, changes.sagas, _saga_id)
        entities = _after(self._entities, changes.entities, _entity_name)
        keys = {row.key: row for row in changes.keys}
        if len(keys) < len(changes.keys) or not keys.keys().isdisjoint(self._keys):
            raise StoreConflict("a client key is there already")
        if any(self._sagas.get(row.saga_id) != row for row in changes.gone):
            raise StoreConflict("a saga is not what was archived")
        if any(self._keys.get(row.key) != row for row in changes.gone_keys):
            raise StoreConflict("a client key is not what was archived")
        self._write(changes, sagas, entities, keys)

    def close(self) -> None:
        """There is nothing to give back."""

    def _write(
        self,
        changes: Changes,
        sagas: dict[str, SagaRow],
        entities: dict[tuple[str, str], EntityRow],
        keys: dict[str, KeyRow],
    ) -> None:
        for row in sagas.values():
            self._wait(self._sagas.get(row.saga_id), row)
        self._sagas.update(sagas)
        self._entities.update(entities)
        self._keys.update(keys)
        for row in changes.gone:
            self._wait(row, row._replace(due_ms=None))
            del self._sagas[row.saga_id]
        for gone in changes.gone_keys:
            del self._keys[gone.key]
        new = (row.saga_id for row in changes.sagas if row.version == 1)
        for subject in dict.fromkeys((*new, *changes.block.subjects)):
            self._about.setdefault(subject, []).append(changes.block.number)
        self._blocks.append(changes.block._replace(subjects=()))
        for key, sagas_more in changes.counts.items():
            self._counts[key] = self._counts.get(key, 0) + sagas_more
        self._shapes.update((row[:3], row) for row in changes.shapes)
        for unreadable in changes.set_aside:
            self._set_aside.setdefault((unreadable.kind, unreadable.name), unreadable)

    def _wait(self, before: SagaRow | None, after: SagaRow) -> None:
        """Keep at hand which sagas are not final: there are few of them, however many there were."""
        if before is not None and before.due_ms is not None:
            del self._waiting[before.definition][before.saga_id]
        if after.due_ms is not None:
            self._waiting.setdefault(after.definition, {})[after.saga_id] = after.due_ms


def _after(before: Mapping[Name, Row], rows: Sequence[Row], name_of: Callable[[Row], Name]) -> dict[Name, Row]:
    """The rows that are written, by their names.

    Raises:
        StoreConflict: one of them does not follow the row that is there.
    """
    after: dict[Name, Row] = {}
    for row in sorted(rows, key=_is_change):  # the new ones first, as a database does it
        name = name_of(row)
        there = after.get(name) or before.get(name)
        if row.version != (there.version + 1 if there else 1):
            raise StoreConflict(f"{name} is not at version {row.version - 1}")
        after[name] = row
    return after


def _is_change(row: SagaRow | EntityRow) -> bool:
    return row.version > 1


def _saga_id(row: SagaRow) -> str:
    return row.saga_id


def _entity_name(row: EntityRow) -> tuple[str, str]:
    return row.service, row.entity_id


def _is_wanted(row: SagaRow, wanted: SagaFilter) -> bool:
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and (not wanted.definition or row.definition.startswith(f"{wanted.definition}/"))
        and (wanted.started_before_ms is None or row.started_ms < wanted.started_before_ms)
    )
