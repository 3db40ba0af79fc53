"""What may be read of a store file, by the engine that writes it as by any other process."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final

from amends.adapters.in_force import WARNING, move_mark, worried_after_ms
from amends.adapters.sqlite.database import Connection, onward
from amends.adapters.sqlite.rows import (
    NOT_FOUND,
    block_of,
    entity_of,
    head_of,
    key_of,
    letters_of,
    saga_of,
    shape_of,
    text_of,
    unreadable_of,
)
from amends.errors import StoreFailed
from amends.storage.blocks import tells_of
from amends.storage.ports import SagaFilter, nothing_after
from amends.storage.rows import (
    COMPLETED,
    WAITING,
    Block,
    EntityRow,
    Head,
    KeyRow,
    Letter,
    SagaRow,
    ShapeRow,
    Unreadable,
    sound_shape,
)
from amends.storage.shards import ALL_SHARDS, shard_of

BEYOND_ALL_ROWS: Final = 2**63 - 1  # SQLite's largest row id
PAGE: Final = 200  # ids in one query of a listing: a millisecond, so that a reader never holds the log for longer
BLOCKS_PAGE: Final = 4  # a block of a thousand sagas is some 400 KB
NEXT: Final = b"\0"  # behind a name it makes the next one in order


class RecordReader:
    """The methods of `amends.storage.ports.Records`, and the reading ones of `amends.storage.ports.Store`.

    Each query is a transaction of its own, and short: a reader that goes on never keeps the log from being taken in.
    """

    def __init__(self, database: Connection) -> None:
        self._database = database

    def saga(self, saga_id: str) -> SagaRow | Unreadable | None:
        """One saga; ``None`` when there is none."""
        return self.sagas([saga_id]).get(saga_id)

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""
        return {name: saga_of(name, tuple(values)) for name, *values in self._database.found("sagas", list(saga_ids))}

    def entity(self, service: str, entity_id: str) -> EntityRow | Unreadable | None:
        """One entity; ``None`` when there is none."""
        try:
            found = self._database.rows("entity", (service, entity_id))
        except UnicodeEncodeError:  # a name that no store can hold
            return None
        return entity_of(f"{service}/{entity_id}", found[0]) if found else None

    def entity_rows(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], EntityRow | Unreadable]:
        """These entities; those that do not exist are left out."""
        wanted = [json.dumps(name) for name in names]
        found = ((tuple(json.loads(name)), tuple(values)) for name, *values in self._database.found("entities", wanted))
        return {(name[0], name[1]): entity_of("/".join(name), values) for name, values in found if _is_there(values)}

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow | Unreadable]:
        """The entities of a service, those that ended among them; see `amends.storage.ports.Store.entities`."""
        return self.entities_of(service.encode(), first.encode())

    def entities_of(self, service: bytes, first: bytes = b"") -> Iterator[EntityRow | Unreadable]:
        """The same of a service whose name may be damaged, and no text."""
        owner = text_of(service)
        while found := self._database.rows("entity_ids", (service, first, PAGE)):
            names = [json.dumps([owner, text_of(entity_id)]) for (entity_id,) in found]
            for name, *values in self._database.found("entities", names):
                yield _entity_of("/".join(json.loads(name)), tuple(values))
            first = onward(first, found[-1][0] + NEXT)

    def all_entities(self) -> Iterator[EntityRow | Unreadable]:
        """The entities of every service, those that ended among them."""
        first = b""
        while (service := self._database.rows("next_service", (first,))[0][0]) is not None:
            yield from self.entities_of(service)
            first = onward(first, service + NEXT)

    def all_keys(self) -> Iterator[KeyRow | Unreadable]:
        """Every client key, in the order in which they came."""
        after = 0
        while found := self._database.rows("key_page", (after, PAGE)):
            names = {row: text_of(name) for row, _, name, _ in found}
            for row, *values in self._database.found("keys_of_rows", list(names)):
                yield key_of(names[row], tuple(values))
            after = onward(after, found[-1][0])

    def ended_before(self, before_ms: int) -> Iterator[str]:
        """The ids of the sagas that ended before a time; see `amends.adapters.sqlite.archive.Archivable`."""
        after = 0
        while found := self._database.rows("ended_before", (after, before_ms, PAGE)):
            yield from (text_of(name) for _, name in found)
            after = onward(after, found[-1][0])

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored.

        Raises:
            StoreFailed: one is not what was written.
        """
        return [sound_shape(row) for row in self._shapes()]

    def damaged_shapes(self) -> Iterator[Unreadable]:
        """Those of which it is not known any more."""
        return (row for row in self._shapes() if isinstance(row, Unreadable))

    def _shapes(self) -> Iterator[ShapeRow | Unreadable]:
        return map(shape_of, self._database.rows("shapes"))

    def due(
        self,
        definitions: Iterable[str],
        until_ms: int,
        limit: int,
        after: tuple[int, str] = (0, ""),
        shards: Collection[int] = ALL_SHARDS,
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next, as (due time, saga id); see `amends.storage.ports.Records.due`."""
        if len(shards) == len(ALL_SHARDS):
            return self._due(definitions, until_ms, limit, after)
        names, wanted = list(definitions), list[tuple[int, str]]()
        while len(wanted) < limit and (found := self._due(names, until_ms, PAGE, after)):
            wanted += (entry for entry in found if shard_of(entry[1]) in shards)
            after = found[-1]
        return wanted[:limit]

    def _due(
        self, definitions: Iterable[str], until_ms: int, limit: int, after: tuple[int, str]
    ) -> list[tuple[int, str]]:
        pages = [self._database.rows("due", (definition, *after, until_ms, limit)) for definition in set(definitions)]
        readable = ([entry for row in page if (entry := _due_of(row))] for page in pages)
        found = list(islice(merge(*readable), limit))
        if found:
            onward(after, found[-1])
        return found

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow | Unreadable]:
        """The sagas that are wanted, the one that started last first."""
        query = "listing_not_completed" if wanted.statuses and COMPLETED not in wanted.statuses else "listing"
        statuses = json.dumps(list(wanted.statuses))
        before = min(self._row_of_time(wanted.started_before_ms), self._row_of_saga(wanted.after))
        left = wanted.limit
        while left > 0:
            with self._database.snapshot():
                found = self._database.rows(query, (before, wanted.definition, statuses, min(left, PAGE)))
                rows = self.sagas(names := [text_of(name) for _, name in found])
            if not found:
                return
            yield from (rows.get(name) or Unreadable("saga", name, NOT_FOUND) for name in names)
            before, left = -onward(-before, -found[-1][0]), left - len(found)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0."""
        return {
            (text_of(definition), text_of(status)): sagas for definition, status, sagas in self._database.rows("counts")
        }

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""
        names = ((text_of(row[0]) for row in self._database.rows("oldest_waiting", (status,))) for status in WAITING)
        rows = (map(self.saga, found) for found in names)
        oldest = (next((row for row in of_status if isinstance(row, SagaRow)), None) for of_status in rows)
        return min((row.started_ms for row in oldest if row), default=None)

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, each once, in the order in which they were found."""
        return [unreadable_of(row) for row in self._database.rows("set_aside")]

    def chains(self) -> Sequence[str]:
        """The only chain, which has no name, once it has a block."""
        return [""] if self._database.rows("head") else []

    def block_numbers(self, before_ms: int | None = None) -> Mapping[str, int]:
        """The only chain to the number of its last block, or of the last one before a time."""
        found = self._database.rows("block_number", (BEYOND_ALL_ROWS if before_ms is None else before_ms,))
        return {"": found[0][0]} if found else {}

    def head(self, chain: str = "") -> Head:
        """Where the audit ends.

        Raises:
            StoreFailed: the last block is not what was written.
        """
        if chain:
            return Head(chain=chain)
        found = self._database.rows("head")
        head = head_of(found[0]) if found else Head()
        if head is None:
            raise StoreFailed("the last block of the audit is not what was written")
        return head

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """The blocks after a number, in order, read as they are asked for."""
        return iter(()) if chain else self._blocks("blocks", (), after)

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks that hold a record of a subject, in order."""
        return (block for block in self._blocks("blocks_about", (subject,), 0) if tells_of(block, subject))

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards that commits wrote, in the order of these; one that was damaged stays there."""
        return [*letters_of(self._database.rows("letters", (json.dumps(sorted(shards)), limit)))]

    def durability(self) -> str:
        """What a commit of the engine that opened the store last survives."""
        return self.in_force().get("durability", "unknown")

    def warning(self) -> str:
        """What the engine that opened the store last said is wrong with it, or that it has moved; empty for nothing."""
        in_force = self.in_force()
        mark = move_mark(in_force)
        return mark.refusal if mark else in_force.get(WARNING, "")

    def worried_after_ms(self) -> int:
        """For how long a step has failed that counts as failing, as the engine said that opened the store last."""
        return worried_after_ms(self.in_force())

    def in_force(self) -> dict[str, str]:
        """What the engine that opened the store last runs with."""
        return {text_of(name): text_of(value) for name, value in self._database.rows("in_force")}

    def _blocks(self, query: str, about: tuple[str, ...], after: int) -> Iterator[Block]:
        while found := self._database.rows(query, (*about, after, BLOCKS_PAGE)):
            yield from map(block_of, found)
            after = onward(after, found[-1][0])

    def _row_of_saga(self, saga_id: str) -> int:
        """The row of a saga; beyond all rows when none is named.

        Raises:
            RequestRefused: it is not there.
        """
        found = self._database.rows("row_of_saga", (saga_id,)) if saga_id else [(BEYOND_ALL_ROWS,)]
        if not found:
            raise nothing_after(saga_id)
        row: int = found[0][0]
        return row

    def _row_of_time(self, before_ms: int | None) -> int:
        """The first row that was started at a time or later, found by halving: rows are in that order."""
        if before_ms is None:
            return BEYOND_ALL_ROWS
        low, high = 0, (self._database.rows("last_row")[0][0] or 0) + 1
        while low < high:
            middle = (low + high) // 2
            found = self._database.rows("started_after_row", (middle,))
            if found and found[0][1] < before_ms:
                low = max(found[0][0], middle) + 1
            else:
                high = middle
        return high


def _due_of(row: tuple[Any, ...]) -> tuple[int, str] | None:
    """An entry of the index; ``None`` when it is damaged: then `amends.adapters.sqlite.check` finds the saga."""
    due_ms, name = row
    return (due_ms, text_of(name)) if isinstance(due_ms, int) and isinstance(name, bytes) else None


def _entity_of(name: str, values: tuple[Any, ...]) -> EntityRow | Unreadable:
    return entity_of(name, values) if _is_there(values) else Unreadable("entity", name, NOT_FOUND)


def _is_there(values: tuple[Any, ...]) -> bool:
    """Whether the row was found, of its values: those of one that cannot be read are none at all."""
    return not values or values[0] is not None
