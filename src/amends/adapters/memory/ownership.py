"""Which engine has which shards of a database in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from amends.adapters.memory.database import MemoryDatabase
from amends.errors import LeaseLost, StoreInUse
from amends.storage.budgets import BudgetGrant, BudgetShare, granted
from amends.storage.rows import Lease
from amends.storage.shards import ALL_SHARDS, shard_of


class MemoryOwnership:
    """Leases on the time of the database; see `amends.storage.ports.Ownership`."""

    def __init__(self, database: MemoryDatabase) -> None:
        """Look after a database.

        Args:
            database: of several engines.
        """
        self._database = database

    def now_ms(self) -> int:
        """The time of the database."""
        return self._database.now_ms()

    def enter(self, engine: str, lease_ms: int, knows: Collection[str] = ()) -> Lease:
        """Begin a lease.

        Raises:
            StoreInUse: there is an engine of that name, or was one.
        """
        with self._database.changed:
            if not engine or engine in self._database.leases or engine in self._database.chains:
                raise StoreInUse(f"{engine!r} is no name for another engine of this store: give one that is new")
            return self._prolonged(engine, lease_ms, frozenset(knows))

    def renew(self, engine: str, lease_ms: int) -> Lease:
        """Prolong a lease.

        Raises:
            LeaseLost: there is none any more.
        """
        with self._database.changed:
            self._expect(engine)
            return self._prolonged(engine, lease_ms, self._database.leases[engine].knows)

    def leave(self, engine: str) -> None:
        """End an own lease; the shards are free."""
        with self._database.changed:
            self._database.end_lease(engine)
            for shard in [shard for shard, owner in self._database.owners.items() if owner == engine]:
                del self._database.owners[shard]

    def leases(self) -> Sequence[Lease]:
        """The leases of all engines."""
        with self._database.changed:
            return sorted(self._database.leases.values())

    def owners(self) -> Mapping[int, str]:
        """Each shard to the engine that has it."""
        with self._database.changed:
            return dict(sorted(self._database.owners.items()))

    def claim(self, engine: str, shards: Collection[int]) -> Sequence[int]:
        """Take free shards.

        Raises:
            LeaseLost: the engine has no lease.
        """
        with self._database.changed:
            self._expect(engine)
            free = sorted(ALL_SHARDS.intersection(shards) - self._database.owners.keys())
            self._database.owners |= dict.fromkeys(free, engine)
            return free

    def definitions_in(self, shards: Collection[int], besides: Collection[str]) -> Mapping[int, Collection[str]]:
        """Which definitions sagas have that are not final, shard by shard."""
        found: dict[int, set[str]] = {}
        with self._database.changed:
            for definition in self._database.waiting.keys() - {*besides}:
                for shard in {*map(shard_of, self._database.waiting[definition])}.intersection(shards):
                    found.setdefault(shard, set()).add(definition)
        return found

    def share_places(self, engine: str, asks: Sequence[BudgetShare]) -> Sequence[BudgetGrant]:
        """Ask for places of some budgets.

        Raises:
            LeaseLost: the engine has no lease.
        """
        with self._database.changed:
            self._expect(engine)
            return [self._granted(each) for each in asks]

    def _granted(self, asks: BudgetShare) -> BudgetGrant:
        shares = self._database.budgets.setdefault(asks.service, {})
        grant = granted(asks, [*shares.values()], self._database.now_ms())
        shares[asks.engine] = grant.share
        return grant

    def _prolonged(self, engine: str, lease_ms: int, knows: frozenset[str]) -> Lease:
        lease = self._database.leases[engine] = Lease(engine, self._database.now_ms() + lease_ms, knows)
        return lease

    def _expect(self, engine: str) -> None:
        if engine not in self._database.leases:
            raise LeaseLost(f"engine {engine!r} has no lease: another engine ended it, or it left, or never entered")
