"""What may be read of a database, by the engines that write to it as by others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from amends.adapters.in_force import WARNING, worried_after_ms
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.rows import (
    Values,
    block_of,
    entity_of,
    head_of,
    key_of,
    letter_of,
    saga_of,
    shape_of,
    unreadable_of,
)
from amends.adapters.postgres.texts import number_array, opened, stored, text_array
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
from amends.storage.shards import ALL_SHARDS

MOST: Final = 2**63 - 1  # the largest bigint
PAGE: Final = 200  # rows in one query of a listing: a millisecond or two
NAMES_PAGE: Final = 5_000  # of names alone: some 20 ms
BLOCKS_PAGE: Final = 4  # a block of a thousand sagas is some 400 KB
DURABLE: Final = "full"
NOT_FINAL: Final = text_array(WAITING)
NEXT: Final = "\0"  # behind a name it makes the next one in order


class PostgresRecords:
    """The methods of `amends.storage.ports.Records`, and `shapes` and `entities` of `amends.storage.ports.Store`.

    Each query is a transaction of its own, and short, but in a turn. A listing that is read on sees what was committed
    meanwhile.
    """

    def __init__(self, database: PostgresConnection) -> None:
        self._database = database

    def saga(self, saga_id: str) -> SagaRow | Unreadable | None:
        """One saga; ``None`` when there is none."""
        found = self._named("see_sagas", ids=text_array([saga_id]))
        return saga_of(found[0]) if found else None

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas, as they are; those that do not exist are left out."""
        rows = map(saga_of, self._named("see_sagas", ids=text_array([*saga_ids])) if saga_ids else ())
        return {row.name if isinstance(row, Unreadable) else row.saga_id: row for row in rows}

    def entity(self, service: str, entity_id: str) -> EntityRow | Unreadable | None:
        """One entity; ``None`` when there is none."""
        found = self._named("see_entity", service=stored(service), id=stored(entity_id))
        return entity_of(found[0]) if found else None

    def key(self, key: str) -> KeyRow | Unreadable | None:
        """What a client key stands for; ``None`` when it is new."""
        found = self._named("see_key", key=stored(key))
        return key_of(found[0]) if found else None

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow | Unreadable]:
        """The entities of a service, those that ended among them; see `amends.storage.ports.Store.entities`."""
        while found := self._named("entity_page", service=stored(service), first=stored(first), limit=PAGE):
            yield from map(entity_of, found)
            first = opened(found[-1][1]) + NEXT

    def all_entities(self) -> Iterator[EntityRow | Unreadable]:
        """The entities of every service, those that ended among them."""
        first = ""
        while (service := self._database.read("next_service", first=stored(first))[0][0]) is not None:
            yield from self.entities(opened(service))
            first = opened(service) + NEXT

    def all_keys(self) -> Iterator[KeyRow | Unreadable]:
        """Every client key, in their order."""
        found = self._database.read("first_key")
        after = ""
        while True:
            yield from map(key_of, found)
            found = self._database.read("key_page", after=after, limit=PAGE)
            if not found:
                return
            after = found[-1][0]

    def ended_before(self, before_ms: int) -> Iterator[str]:
        """The ids of the sagas that ended before a time; see `amends.adapters.sqlite.archive.Archivable`."""
        after = 0
        while found := self._database.read("ended_before", after=after, before_ms=before_ms, limit=NAMES_PAGE):
            yield from (opened(saga_id) for _, saga_id in found if saga_id is not None)
            after = found[-1][0]

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored.

        Raises:
            StoreFailed: one is not what was written.
        """
        return [sound_shape(shape_of(values)) for values in self._database.read("shapes")]

    def due(
        self,
        definitions: Iterable[str],
        until_ms: int,
        limit: int,
        after: tuple[int, str] = (0, ""),
        shards: Collection[int] = ALL_SHARDS,
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next, as (due time, saga id); see `amends.storage.ports.Records.due`."""
        found = self._database.read(
            "due",
            definitions=text_array(sorted({*definitions})),
            until_ms=until_ms,
            limit=limit,
            after_ms=after[0],
            after_id=stored(after[1]),
            shards=number_array(sorted(shards)),
        )
        return [(due_ms, opened(saga_id)) for due_ms, saga_id in found]

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow | Unreadable]:
        """The sagas that are wanted, the one that started last first."""
        query = "listing_not_completed" if wanted.statuses and COMPLETED not in wanted.statuses else "listing"
        parameters = {
            "definition": stored(wanted.definition),
            "statuses": text_array([*wanted.statuses]),
            "started_before_ms": MOST if wanted.started_before_ms is None else wanted.started_before_ms,
        }
        before, left = self._position_of(wanted.after), wanted.limit
        while left > 0 and (found := self._database.read(query, before=before, limit=min(left, PAGE), **parameters)):
            yield from (saga_of(values[1:]) for values in found)
            before, left = found[-1][0], left - len(found)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0."""
        return {(opened(definition), status): sagas for definition, status, sagas in self._database.read("counts")}

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""
        oldest_ms: int | None = self._database.read("oldest_waiting", statuses=NOT_FINAL)[0][0]
        return oldest_ms

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, each once, in the order in which they were found."""
        return [unreadable_of(values) for values in self._database.read("set_aside")]

    def chains(self) -> Sequence[str]:
        """The names of the audit's chains that have a block: one for each engine that ever committed."""
        return [opened(chain) for (chain,) in self._database.read("chains")]

    def block_numbers(self, before_ms: int | None = None) -> Mapping[str, int]:
        """Each chain to the number of its last block, or of the last one before a time: as one statement sees them."""
        found = self._named("block_numbers", before_ms=MOST if before_ms is None else before_ms)
        return {opened(chain): number for chain, number in found}

    def head(self, chain: str = "") -> Head:
        """Where a chain of the audit ends.

        Raises:
            StoreFailed: its last block is not what was written.
        """
        found = self._named("head", chain=stored(chain))
        head = head_of(found[0]) if found else Head(chain=chain)
        if head is None:
            raise StoreFailed(f"the last block of the chain {chain!r} is not what was written")
        return head

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """The blocks of a chain after a number, in order, read as they are asked for."""
        while found := self._named("blocks", chain=stored(chain), after=after, limit=BLOCKS_PAGE):
            yield from map(block_of, found)
            after = found[-1][1]

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks of every chain that hold a record of a subject, in the order of their times."""
        after: dict[str, Any] = {"at_ms": -1, "chain": "", "number": 0}
        while found := self._named("blocks_about", subject=stored(subject), limit=BLOCKS_PAGE, **after):
            yield from (block for block in map(block_of, found) if tells_of(block, subject))
            after = dict(zip(("chain", "number", "at_ms"), found[-1], strict=False))

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards, those of clients among them; one that was damaged stays there."""
        found = self._database.read("letters", shards=number_array(sorted(shards)), limit=limit)
        return [letter for values in found if (letter := letter_of(values))]

    def durability(self) -> str:
        """What a commit survives: no store is opened where a setting of the server is wrong."""
        return DURABLE

    def warning(self) -> str:
        """What an engine of the store said last is wrong with it; empty for nothing."""
        return self._in_force().get(WARNING, "")

    def worried_after_ms(self) -> int:
        """For how long a step has failed that counts as failing, as an engine said last."""
        return worried_after_ms(self._in_force())

    def _in_force(self) -> dict[str, str]:
        return {name: opened(value) for name, value in self._database.read("in_force")}

    def _named(self, query: str, **parameters: Any) -> list[Values]:
        """What a query finds by a name; nothing by one that no store can hold."""
        try:
            return self._database.read(query, **parameters)
        except UnicodeEncodeError:
            return []

    def _position_of(self, saga_id: str) -> int:
        """Where a saga is in the order of their starts; beyond all when none is named.

        Raises:
            RequestRefused: it is not there.
        """
        if not saga_id:
            return MOST
        found = self._named("position_of_saga", id=stored(saga_id))
        if not found:
            raise nothing_after(saga_id)
        position: int = found[0][0]
        return position
