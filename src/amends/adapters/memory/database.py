"""The rows of a database in memory, and how a commit changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from threading import Condition
from typing import TypeVar

from amends.adapters.clock import SystemClock
from amends.adapters.memory.locks import LOCK_TIMEOUT_S, RowLocks
from amends.errors import LeaseLost, StoreConflict
from amends.storage.budgets import BudgetShare
from amends.storage.ports import LETTERS_MAX, WORRIED_AFTER_MS
from amends.storage.rows import Block, Changes, EntityRow, Head, KeyRow, Lease, Letter, SagaRow, ShapeRow, Unreadable

Name = TypeVar("Name")
Row = TypeVar("Row", SagaRow, EntityRow)


class MemoryDatabase:
    """Dicts. Rows are kept as they are given: they are immutable. To read or write several, hold `changed`.

    Attributes:
        changed: a lock on all of it, on which those wait who need a row that is locked.
        locks: on rows, of those who read them in a turn.
        is_shared: whether engines enter it (`amends.adapters.memory.ownership`), each with a chain of its own.
        now_ms: its time.
        letters_max: so many letters that start sagas fit into its mailbox.
        chains: the blocks of each.
        waiting: by definition, when each saga is due that is not final: there are few, however many there were.
        leases: by engine.
        owners: shard to engine; free ones are left out.
        budgets: by service and engine, who has which places.
        letters: by id, in the order in which they were posted.
        woken: what wakes each of its clients (`False`), and of its engines (`True`).
    """

    def __init__(
        self,
        now_ms: Callable[[], int] | None = None,
        *,
        is_shared: bool = True,
        letters_max: int = LETTERS_MAX,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        """It is empty.

        Args:
            now_ms: its time, milliseconds since 1970 (UTC), which never runs back; by default the machine's.
            is_shared: see above.
            letters_max: see above, >= 1.
            lock_timeout_s: how long a turn waits for a row, in seconds; 0 where all engines are in one thread.
        """
        self.changed = Condition()
        self.locks = RowLocks(self.changed, lock_timeout_s)
        self.is_shared = is_shared
        self.now_ms = now_ms or SystemClock().now_ms
        self.letters_max = letters_max
        self.sagas: dict[str, SagaRow] = {}
        self.entities: dict[tuple[str, str], EntityRow] = {}
        self.keys: dict[str, KeyRow] = {}
        self.chains: dict[str, list[Block]] = {}
        self.about: dict[str, list[Block]] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.waiting: dict[str, dict[str, int]] = {}
        self.set_aside: dict[tuple[str, str], Unreadable] = {}
        self.shapes: dict[tuple[str, str, int], ShapeRow] = {}
        self.leases: dict[str, Lease] = {}
        self.owners: dict[int, str] = {}
        self.budgets: dict[str, dict[str, BudgetShare]] = {}
        self.letters: dict[str, Letter] = {}
        self.woken: dict[bool, dict[object, Callable[[], object]]] = {False: {}, True: {}}
        self.warning = ""
        self.worried_after_ms = WORRIED_AFTER_MS

    def head(self, chain: str) -> Head:
        """Where a chain ends."""
        blocks = self.chains.get(chain)
        return blocks[-1].as_head() if blocks else Head(chain=chain)

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing.

        Raises:
            StoreConflict, LeaseLost: see `amends.storage.ports.Store.commit`.
        """
        self._check_chains(changes)
        sagas = _after(self.sagas, changes.sagas, attrgetter("saga_id"))
        entities = _after(self.entities, changes.entities, attrgetter("service", "entity_id"))
        keys = {row.key: row for row in changes.keys}
        if len(keys) < len(changes.keys) or not keys.keys().isdisjoint(self.keys):
            raise StoreConflict("a client key is there already")
        if any(self.sagas.get(row.saga_id) != row for row in changes.gone):
            raise StoreConflict("a saga is not what was archived")
        if any(self.keys.get(row.key) != row for row in changes.gone_keys):
            raise StoreConflict("a client key is not what was archived")
        self._write_rows(changes, sagas, entities, keys)
        self._write_blocks(changes)

    # Chains and shards ----------------------------------------------------------------------------------------

    def _check_chains(self, changes: Changes) -> None:
        engine = changes.block.chain
        if not (engine in self.leases if self.is_shared else not engine):
            raise LeaseLost(f"engine {engine!r} has no lease: another engine ended it, or it never entered")
        for block in (changes.block, *changes.fences):
            head = self.head(block.chain)
            if (block.number, block.before) != (head.number + 1, head.head):
                raise StoreConflict(f"block {block.number} does not follow block {head.number}")
        for fence in changes.fences:
            lease = self.leases.get(fence.chain)
            if fence.chain == engine or lease is None or lease.until_ms > self.now_ms():
                raise StoreConflict(f"engine {fence.chain!r} has no lease that ran out")
        for shard, to in changes.moved.items():
            if self.owners.get(shard) != engine or (to and to not in self.leases):
                raise StoreConflict(f"shard {shard} is not one of {engine!r}, or there is no engine {to!r}")

    def _write_blocks(self, changes: Changes) -> None:
        new = (row.saga_id for row in changes.sagas if row.version == 1)
        block = self._append(changes.block, dict.fromkeys((*new, *changes.block.subjects)))
        for fence in changes.fences:
            self._append(fence, fence.subjects)
            self.end_lease(fence.chain)
            self.owners |= {shard: block.chain for shard, owner in self.owners.items() if owner == fence.chain}
        for shard, to in changes.moved.items():
            self.owners[shard] = to
            if not to:
                del self.owners[shard]

    def end_lease(self, engine: str) -> None:
        """Take a lease away, and what its engine has of budgets."""
        self.leases.pop(engine, None)
        for shares in self.budgets.values():
            shares.pop(engine, None)

    def _append(self, block: Block, subjects: Iterable[str]) -> Block:
        stored = block._replace(subjects=())
        self.chains.setdefault(block.chain, []).append(stored)
        for subject in subjects:
            self.about.setdefault(subject, []).append(stored)
        return stored

    # Rows -----------------------------------------------------------------------------------------------------

    def _write_rows(
        self,
        changes: Changes,
        sagas: dict[str, SagaRow],
        entities: dict[tuple[str, str], EntityRow],
        keys: dict[str, KeyRow],
    ) -> None:
        for row in sagas.values():
            self._wait(self.sagas.get(row.saga_id), row)
        self.sagas.update(sagas)
        self.entities.update(entities)
        self.keys.update(keys)
        for row in changes.gone:
            self._wait(row, row._replace(due_ms=None))
            del self.sagas[row.saga_id]
        for gone in changes.gone_keys:
            del self.keys[gone.key]
        for key, sagas_more in changes.counts.items():
            self.counts[key] = self.counts.get(key, 0) + sagas_more
        self.shapes.update((row[:3], row) for row in changes.shapes)
        for unreadable in changes.set_aside:
            self.set_aside.setdefault((unreadable.kind, unreadable.name), unreadable)
        for letter_id in changes.letters:
            self.letters.pop(letter_id, None)
        for letter in changes.posted:
            self.letters.setdefault(letter.letter_id, letter)

    def _wait(self, before: SagaRow | None, after: SagaRow) -> None:
        if before is not None and before.due_ms is not None:
            del self.waiting[before.definition][before.saga_id]
        if after.due_ms is not None:
            self.waiting.setdefault(after.definition, {})[after.saga_id] = after.due_ms


def _after(before: Mapping[Name, Row], rows: Sequence[Row], name_of: Callable[[Row], Name]) -> dict[Name, Row]:
    """The rows that are written, by their names.

    Raises:
        StoreConflict: one of them does not follow the row that is there.
    """
    after: dict[Name, Row] = {}
    for row in sorted(rows, key=lambda row: row.version > 1):  # the new ones first, as a database does it
        name = name_of(row)
        there = after.get(name) or before.get(name)
        if row.version != (there.version + 1 if there else 1):
            raise StoreConflict(f"{name} is not at version {row.version - 1}")
        after[name] = row
    return after
