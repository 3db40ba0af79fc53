"""What an engine has of the budgets of participants: asked for now and then, sans I/O, and used by its slots.

In the thread of the calls `Budgets.asks` says what is needed, and `Budgets.take` takes in what was granted; between
them the store is asked, in the thread that is the store's. What this engine is to give back, it does without first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from amends.engine.limits import LEASE_MS, Limit
from amends.engine.ownership import RENEWALS, RETRIES, SharePlaces
from amends.engine.slots import Slots
from amends.storage.budgets import NO_PLACES, BudgetGrant, BudgetShare, Places
from amends.storage.rows import NEVER

ASK_MS: Final = LEASE_MS // RENEWALS  # between two times that an engine asks: as often as it renews its lease
ASK_SOON_MS: Final = LEASE_MS // RETRIES  # where requests wait, or others wait for what this engine gives back


class Budget:
    """What one engine has of the budget of one participant."""

    def __init__(self, service: str, limit: Limit, slots: Slots) -> None:
        """Have no place yet.

        Args:
            service: the participant.
            limit: for all engines together.
            slots: of the engine's calls; they are none until it has a place.
        """
        self._service = service
        self._limit = limit
        self._slots = slots
        self._has = self._goal = NO_PLACES
        self._per_place: float | None = 0.0

    @property
    def is_pressing(self) -> bool:
        """Whether requests wait, or other engines may have what this one gives back."""
        return len(self._slots) > 0 or self._has != self._may_use

    @property
    def _may_use(self) -> Places:
        return Places(*map(min, self._has, self._goal))

    def asks(self, engine: str) -> BudgetShare:
        """What it keeps, and what it needs. It counts on nothing more from now on."""
        amends, actions = self._slots.amends, self._slots.actions
        running, common = len(amends.calls) + len(actions.calls), max(self._may_use.common, len(actions.calls))
        reserved = min(self._has.reserved, max(self._may_use.reserved, running - common))
        self._have(Places(max(common, running - reserved), reserved))
        most = self._limit.at_once
        wanted, urgent = min(actions.wanted, most), min(amends.wanted, most)
        return BudgetShare(engine, self._service, most, self._limit.per_s, *self._has, wanted, urgent)

    def take(self, grant: BudgetGrant) -> None:
        """Use what was granted."""
        self._goal, self._per_place = grant.goal, grant.per_place
        self._have(Places(grant.share.common, grant.share.reserved))

    def _have(self, places: Places) -> None:
        self._has = places
        per_s = None if self._per_place is None else self._per_place * sum(places)
        self._slots.resize(self._may_use, per_s)


class Budgets:
    """What one engine has of every budget that it was told of."""

    def __init__(self, engine: str, budgets: Sequence[Budget], *, is_shared: bool) -> None:
        """Ask at once.

        Args:
            engine: with whose lease what it has ends.
            budgets: of the participants that have a limit for all engines together.
            is_shared: whether other engines may want some of them.
        """
        self._engine = engine
        self._budgets = budgets
        self._is_shared = is_shared
        self._asked_ms: int | None = None

    def next_ms(self) -> int:
        """When to ask next, on the engine's clock of elapsed time."""
        if not self._budgets or (self._asked_ms is not None and not self._is_shared):
            return NEVER
        is_pressing = any(budget.is_pressing for budget in self._budgets)
        return 0 if self._asked_ms is None else self._asked_ms + (ASK_SOON_MS if is_pressing else ASK_MS)

    def asks(self, elapsed_ms: int) -> SharePlaces | None:
        """What to ask for; ``None`` where it is not time to.

        Args:
            elapsed_ms: the engine's clock of elapsed time.
        """
        if elapsed_ms < self.next_ms():
            return None
        self._asked_ms = elapsed_ms
        return SharePlaces(self._engine, [budget.asks(self._engine) for budget in self._budgets])

    def take(self, grants: Sequence[BudgetGrant]) -> None:
        """Use what was granted, in the order in which it was asked for."""
        for budget, grant in zip(self._budgets, grants, strict=True):
            budget.take(grant)
