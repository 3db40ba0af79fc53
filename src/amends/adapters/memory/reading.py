"""What may be read of a database in memory, by the engine that writes it as by other threads."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from amends.adapters.memory.database import MemoryDatabase
from amends.storage.blocks import tells_of
from amends.storage.letters import is_start
from amends.storage.ports import SagaFilter, nothing_after
from amends.storage.rows import NEVER, Block, EntityRow, Head, KeyRow, Letter, SagaRow, ShapeRow, Unreadable
from amends.storage.shards import ALL_SHARDS, shard_of
from amends.storage.working import EngineSeen, LettersSeen

DURABILITY: Final = "none: in memory"


class MemoryReader:
    """The methods of `amends.storage.ports.Records`, and the reading ones of `amends.storage.ports.Store`.

    Attributes:
        database: that is read.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        """Read a database."""
        self.database = database

    def saga(self, saga_id: str) -> SagaRow | None:
        """One saga; ``None`` when there is none."""
        return self.database.sagas.get(saga_id)

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""
        rows = self.database.sagas
        return {saga_id: rows[saga_id] for saga_id in saga_ids if saga_id in rows}

    def entity(self, service: str, entity_id: str) -> EntityRow | None:
        """One entity; ``None`` when there is none."""
        return self.database.entities.get((service, entity_id))

    def key(self, key: str) -> KeyRow | None:
        """What a client key stands for; ``None`` when it is new."""
        return self.database.keys.get(key)

    def all_entities(self) -> Iterator[EntityRow]:
        """The entities of every service."""
        with self.database.changed:
            return iter([self.database.entities[name] for name in sorted(self.database.entities)])

    def all_keys(self) -> Iterator[KeyRow]:
        """Every client key."""
        with self.database.changed:
            return iter([*self.database.keys.values()])

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow]:
        """The sagas that are wanted, the one that started last first."""
        with self.database.changed:
            rows = iter(reversed(self.database.sagas.values()))
            if wanted.after and all(row.saga_id != wanted.after for row in rows):  # else the rows behind it are left
                raise nothing_after(wanted.after)
            found = (row for row in rows if _is_wanted(row, wanted))
            return iter(list(islice(found, wanted.limit)))

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0."""
        with self.database.changed:
            return {key: sagas for key, sagas in self.database.counts.items() if sagas}

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""
        with self.database.changed:
            waiting = (saga_id for ids in self.database.waiting.values() for saga_id in ids)
            return min((self.database.sagas[saga_id].started_ms for saga_id in waiting), default=None)

    def engines(self) -> Sequence[EngineSeen]:
        """The engines that have a lease."""
        with self.database.changed:
            leases, now_ms = sorted(self.database.leases.values()), self.database.now_ms()
            owners = dict(self.database.owners)
        return [
            EngineSeen(
                lease.engine, None, None if lease.until_ms == NEVER else lease.until_ms - now_ms,
                [shard for shard, owner in owners.items() if owner == lease.engine], lease.knows,
            )
            for lease in leases
        ]  # fmt: skip

    def letters_waiting(self) -> LettersSeen:
        """The letters that no engine has acted on yet."""
        with self.database.changed:
            letters = [*self.database.letters.values()]
        oldest = min(letters, key=lambda letter: letter.posted_ms, default=None)
        return LettersSeen(sum(map(is_start, letters)), len(letters), oldest)

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, in the order in which they were found."""
        return list(self.database.set_aside.values())

    def chains(self) -> Sequence[str]:
        """The names of the audit's chains."""
        return sorted(self.database.chains)

    def block_numbers(self, before_ms: int | None = None) -> Mapping[str, int]:
        """Each chain to the number of its last block, or of the last one before a time."""
        with self.database.changed:
            ends = {
                chain: len(blocks) if before_ms is None else bisect_left(blocks, before_ms, key=_AT_MS)
                for chain, blocks in self.database.chains.items()
            }
        return {chain: number for chain, number in ends.items() if number}

    def head(self, chain: str = "") -> Head:
        """The head of a chain of the audit."""
        return self.database.head(chain)

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """The blocks of a chain after a number, in order."""
        return islice(self.database.chains.get(chain, ()), after, None)

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks that hold a record of a subject, in the order of their times."""
        found = sorted(self.database.about.get(subject, ()), key=_AT_MS)
        return (block for block in found if tells_of(block, subject))

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards, those of clients among them, in the order in which they were posted."""
        with self.database.changed:
            return list(islice((letter for letter in self.database.letters.values() if letter.shard in shards), limit))

    def durability(self) -> str:
        """None: nothing outlives the process."""
        return DURABILITY

    def warning(self) -> str:
        """What the engine said last is wrong with it, in words; empty for nothing."""
        return self.database.warning

    def worried_after_ms(self) -> int:
        """For how long a step has failed that counts as failing; milliseconds."""
        return self.database.worried_after_ms

    def due(
        self,
        definitions: Iterable[str],
        until_ms: int,
        limit: int,
        after: tuple[int, str] = (0, ""),
        shards: Collection[int] = ALL_SHARDS,
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next, as (due time, saga id); see `amends.storage.ports.Records.due`."""
        with self.database.changed:
            waiting = (self.database.waiting.get(definition, {}) for definition in set(definitions))
            found = ((due_ms, saga_id) for ids in waiting for saga_id, due_ms in ids.items() if due_ms <= until_ms)
            later = (entry for entry in found if entry > after)
            if len(shards) < len(ALL_SHARDS):
                later = (entry for entry in later if shard_of(entry[1]) in shards)
            return heapq.nsmallest(limit, later)

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored."""
        with self.database.changed:
            return [self.database.shapes[key] for key in sorted(self.database.shapes)]

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow]:
        """The entities of a service, those that ended among them; see `amends.storage.ports.Store.entities`."""
        with self.database.changed:
            found = sorted(name for name in self.database.entities if name[0] == service and name[1] >= first)
        return (self.database.entities[name] for name in found)


_AT_MS: Final = attrgetter("at_ms")


def _is_wanted(row: SagaRow, wanted: SagaFilter) -> bool:
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and (not wanted.definition or row.definition.startswith(f"{wanted.definition}/"))
        and (wanted.started_before_ms is None or row.started_ms < wanted.started_before_ms)
    )
