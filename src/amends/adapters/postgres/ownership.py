"""Which engine has which shards: leases on the time of the server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.partitions import keep_partitions
from amends.adapters.postgres.rows import Values
from amends.adapters.postgres.texts import number_array, opened, stored, text_array
from amends.core.waiting import HOUR_MS
from amends.errors import LeaseLost, StoreBusy, StoreInUse
from amends.storage.budgets import BudgetGrant, BudgetShare, granted
from amends.storage.rows import Lease

NAMES: Final = ("engine", "service")
"""The fields of a share that are texts; all others are numbers."""


class PostgresOwnership:
    """Rows of the database, each changed by one statement; see `amends.storage.ports.Ownership`."""

    def __init__(self, database: PostgresConnection) -> None:
        """Look after a database.

        Args:
            database: a connection beside that of the turns, so that a lease is renewed while one waits.
        """
        self._database = database
        self._look_ms = 0  # by the lease's end, when it is looked next whether partitions are to be made

    def now_ms(self) -> int:
        """The time of the server."""
        now_ms: int = self._database.read("now_ms")[0][0]
        return now_ms

    def enter(self, engine: str, lease_ms: int, knows: Collection[str] = ()) -> Lease:
        """Begin a lease.

        Raises:
            StoreInUse: there is an engine of that name, or was one.
        """
        found = self._run("enter", engine=stored(engine), lease_ms=lease_ms, knows=text_array(sorted({*knows})))
        if not found:
            raise StoreInUse(f"{engine!r} is no name for another engine of this store: give one that is new")
        self._keep_partitions(found[0][0])
        return Lease(engine, found[0][0], frozenset(knows))

    def renew(self, engine: str, lease_ms: int) -> Lease:
        """Prolong a lease.

        Raises:
            LeaseLost: there is none any more.
        """
        found = self._run("renew", engine=stored(engine), lease_ms=lease_ms)
        if not found:
            raise without_lease(engine)
        self._keep_partitions(found[0][0])
        return Lease(engine, found[0][0])

    def leave(self, engine: str) -> None:
        """End an own lease; the shards are free."""
        parameters = {"engine": stored(engine)}
        self._database.run(("leave", parameters), ("leave_shards", parameters))

    def leases(self) -> Sequence[Lease]:
        """The leases of all engines."""
        found = self._database.read("leases")
        return [Lease(opened(engine), until_ms, frozenset(map(opened, knows))) for engine, until_ms, knows in found]

    def definitions_in(self, shards: Collection[int], besides: Collection[str]) -> Mapping[int, Collection[str]]:
        """Which definitions sagas have that are not final, shard by shard."""
        wanted = {"shards": number_array(sorted(shards)), "besides": text_array(sorted(besides))}
        found: dict[int, list[str]] = {}
        for shard, definition in self._database.read("definitions_in", **wanted):
            found.setdefault(shard, []).append(opened(definition))
        return found

    def owners(self) -> Mapping[int, str]:
        """Each shard to the engine that has it."""
        return {shard: opened(engine) for shard, engine in self._database.read("owners")}

    def claim(self, engine: str, shards: Collection[int]) -> Sequence[int]:
        """Take free shards.

        Raises:
            LeaseLost: the engine has no lease.
        """
        own = {"engine": stored(engine), "shards": number_array(sorted(shards))}
        leases, got = self._database.run(("hold_own_lease", own), ("claim", own))
        if not leases.rows:
            raise without_lease(engine)
        return sorted(shard for (shard,) in got.rows)

    def share_places(self, engine: str, asks: Sequence[BudgetShare]) -> Sequence[BudgetGrant]:
        """Ask for places of some budgets: one engine of a schema at a time. Where nothing changes, nothing is written.

        Raises:
            LeaseLost: the engine has no lease.
        """
        services = text_array([each.service for each in asks])
        lease, budgets = ("has_lease", {"engine": stored(engine)}), ("budgets", {"services": services})
        try:
            answers = self._database.work([("wait_briefly", {}), ("hold_budgets", {}), lease, ("now_ms", {}), budgets])
            has_lease, now_ms, rows = (answer.rows for answer in answers[2:])
            if not has_lease[0][0]:
                raise without_lease(engine)
            shares = [*map(share_of, rows)]
            grants = [granted(each, _of(each.service, shares), now_ms[0][0]) for each in asks]
            self._write({grant.share for grant in grants}.difference(shares))
        finally:
            self._database.abandon()
        return grants

    def _keep_partitions(self, until_ms: int) -> None:
        """Once an hour, by the end of the lease."""
        if until_ms >= self._look_ms:
            self._look_ms = until_ms + HOUR_MS
            keep_partitions(self._database)

    def _write(self, shares: Collection[BudgetShare]) -> None:
        if not shares:
            return
        self._database.work([("put_budgets", _columns([*shares]))])
        try:
            self._database.commit()
        except CommitUnknown as error:
            raise StoreBusy(f"whether places were given is not known: {error}") from error

    def _run(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._database.run((query, parameters))[0].rows


def without_lease(engine: str) -> LeaseLost:
    """The error of an engine that has no lease."""
    return LeaseLost(f"engine {engine!r} has no lease: another engine ended it, or it left, or never entered")


def share_of(values: Values) -> BudgetShare:
    """A share, of the values of its row."""
    owner, service, *rest = values
    return BudgetShare(opened(owner), opened(service), *rest)


def _of(service: str, shares: Sequence[BudgetShare]) -> list[BudgetShare]:
    return [share for share in shares if share.service == service]


def _columns(shares: Sequence[BudgetShare]) -> dict[str, str]:
    """Shares as arrays, one for each field."""
    fields = zip(BudgetShare._fields, zip(*shares, strict=True), strict=True)
    return {name: text_array(column) if name in NAMES else number_array(column) for name, column in fields}
