"""The time of an engine that shares its store: the store's, so that it is the same for every owner of a saga."""

from __future__ import annotations

from typing import Final

DRIFT: Final = 1000  # of the time that passes one part in so many; NTP slews a clock by half of it, a quartz is better


class StoreClock:
    """The store's time, reckoned on a clock of elapsed time between two looks at it.

    A process may be stopped while it looks, and then takes the store's time for an earlier moment than it was of. So of
    what is seen the earliest counts, but for what two clocks may differ by in the time between.
    """

    def __init__(self, elapsed_ms: int, store_ms: int) -> None:
        """Look for the first time; see `see`."""
        self._ahead_ms = store_ms - elapsed_ms
        self._seen_ms = elapsed_ms
        self._said_ms = 0

    def see(self, elapsed_ms: int, store_ms: int) -> None:
        """Look at the store's time.

        Args:
            elapsed_ms: the clock of elapsed time, read before that.
            store_ms: what was seen, milliseconds since 1970 (UTC).
        """
        drift_ms = (elapsed_ms - self._seen_ms) // DRIFT + 1
        self._ahead_ms = min(store_ms - elapsed_ms, self._ahead_ms + drift_ms)
        self._seen_ms = elapsed_ms

    def now_ms(self, elapsed_ms: int) -> int:
        """Milliseconds since 1970 (UTC); never less than it said before.

        Args:
            elapsed_ms: the clock of elapsed time.
        """
        self._said_ms = max(self._said_ms, elapsed_ms + self._ahead_ms)
        return self._said_ms
