"""Ownership of a store that one engine has for itself: every shard is its own, for as long as the store is open."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from amends.errors import StoreInUse
from amends.storage.budgets import BudgetGrant, BudgetShare, granted
from amends.storage.rows import NEVER, Lease
from amends.storage.shards import ALL_SHARDS

LEASE: Final = Lease("", NEVER)
"""It ends with the process: what keeps another engine away is the lock of the store (`amends.adapters.sqlite.lock`)."""


class OneOwner:
    """Nothing to renew, to claim or to take over; see `amends.storage.ports.Ownership`."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        """No engine has entered.

        Args:
            now_ms: the store's time, milliseconds since 1970 (UTC).
        """
        self.now_ms = now_ms
        self._leases: list[Lease] = []

    def enter(self, engine: str, lease_ms: int, knows: Collection[str] = ()) -> Lease:  # noqa: ARG002 - no other asks
        """Begin the lease of the only engine, whose chain has no name.

        Raises:
            StoreInUse: one has entered.
        """
        if self._leases:
            raise StoreInUse(f"this store has one owner, and {engine!r} would be a second")
        self._leases.append(LEASE)
        return LEASE

    def renew(self, engine: str, lease_ms: int) -> Lease:  # noqa: ARG002 - as above
        """There is nothing to prolong."""
        return LEASE

    def leave(self, engine: str) -> None:  # noqa: ARG002 - there is one
        """End the lease."""
        self._leases.clear()

    def leases(self) -> Sequence[Lease]:
        """The only one, if the engine has entered."""
        return [*self._leases]

    def owners(self) -> Mapping[int, str]:
        """Every shard to the engine, if it has entered."""
        return dict.fromkeys(sorted(ALL_SHARDS), "") if self._leases else {}

    def definitions_in(self, shards: Collection[int], besides: Collection[str]) -> Mapping[int, Collection[str]]:  # noqa: ARG002 - see the port
        """Nothing: no shard is given away."""
        return {}

    def claim(self, engine: str, shards: Collection[int]) -> Sequence[int]:  # noqa: ARG002 - none is free
        """None: all of them are the engine's."""
        return []

    def share_places(self, engine: str, asks: Sequence[BudgetShare]) -> Sequence[BudgetGrant]:  # noqa: ARG002 - as above
        """All places are this engine's."""
        return [granted(each, (), self.now_ms()) for each in asks]
