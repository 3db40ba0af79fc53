"""Locks on rows, by their names: what a turn has read is its own until it ends."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from threading import Condition
from typing import Final

from amends.errors import StoreConflict

LOCK_TIMEOUT_S: Final = 1.5
"""How long a turn waits for a row that another engine has locked: a third of a lease, so that a turn which waits
still lets its engine renew the lease in time."""

RowName = tuple[str, ...]
"""The kind of a row, and what it is called: ``("saga", "S1")``, ``("entity", "STOCK", "P1")``, ``("key", "K1")``."""


class RowLocks:
    """Who has locked which rows. A row need not exist to be locked."""

    def __init__(self, changed: Condition, timeout_s: float) -> None:
        """Nothing is locked.

        Args:
            changed: held by the caller of every method; notified when rows are free again.
            timeout_s: how long to wait for a row, in seconds; 0 where all engines are in one thread.
        """
        self._changed = changed
        self._timeout_s = timeout_s
        self._holders: dict[RowName, object] = {}

    def take(self, holder: object, names: Iterable[RowName]) -> None:
        """Lock rows, one after the other in the order of their names; wait for those that another one has.

        Raises:
            StoreConflict: one was not free in time. The holder has no lock any more: its turn is over.
        """
        until = time.monotonic() + self._timeout_s
        for name in sorted(names):
            while self._holders.setdefault(name, holder) is not holder:
                if not self._changed.wait(until - time.monotonic()):
                    self.release(holder)
                    raise StoreConflict(f"another engine has locked {' '.join(name)}")

    def held_by_others(self, holder: object, names: Collection[RowName]) -> bool:
        """Whether `take` would have to wait."""
        return any(self._holders.get(name, holder) is not holder for name in names)

    def release(self, holder: object) -> None:
        """Free all that a holder has locked."""
        freed = [name for name, other in self._holders.items() if other is holder]
        for name in freed:
            del self._holders[name]
        if freed:
            self._changed.notify_all()
