"""The clock of a host: wrong when a process starts, and from then on too fast or too slow."""

from __future__ import annotations

from typing import Final, Protocol

MILLION: Final = 1_000_000  # what a drift is a part of
DRIFT_PPM: Final = 500  # as much as NTP slews a clock by; a quartz is wrong by a tenth of it


class TrueTime(Protocol):
    """Time as it is.

    Attributes:
        now_ms: milliseconds since 1970 (UTC).
    """

    now_ms: int


class HostClock:
    """What a process takes for the time, as `amends.adapters.clock.SystemClock` gives it."""

    def __init__(self, truth: TrueTime, error_ms: int, drift_ppm: int, not_before_ms: int) -> None:
        """Start the clock.

        Args:
            truth: the time as it is.
            error_ms: by how much the clock is wrong when it starts.
            drift_ppm: how many millionths it is faster than time is; below 0 where it is slower.
            not_before_ms: when it starts at the earliest.
        """
        self._truth = truth
        self._born_ms = truth.now_ms
        self._drift_ppm = drift_ppm
        self.start_ms = max(truth.now_ms + error_ms, not_before_ms)

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC), by this clock."""
        passed_ms = self._truth.now_ms - self._born_ms
        return self.start_ms + passed_ms + passed_ms * self._drift_ppm // MILLION

    def truly_ms(self, pause_ms: int) -> int:
        """How long it really takes until so many milliseconds have passed by this clock."""
        return -(-pause_ms * MILLION // (MILLION + self._drift_ppm))
