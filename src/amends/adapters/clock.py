"""The machine's clock, made to never run backwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

NS_PER_MS: Final = 1_000_000


if sys.platform == "linux":

    def elapsed_ns() -> int:
        """Nanoseconds since some moment, also those in which the machine was suspended."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

else:

    def elapsed_ns() -> int:
        """Nanoseconds since some moment."""
        return time.monotonic_ns()


class SystemClock:
    """The wall clock at the start, and what has passed since: setting the machine's clock changes nothing."""

    def __init__(
        self,
        not_before_ms: int = 0,
        wall_ns: Callable[[], int] = time.time_ns,
        passed_ns: Callable[[], int] = elapsed_ns,
    ) -> None:
        """Start the clock.

        Args:
            not_before_ms: it starts then at the earliest, milliseconds since 1970 (UTC): when the store that it is
                for was written last, whatever the machine's clock says now.
            wall_ns: the wall clock, nanoseconds since 1970 (UTC); read once.
            passed_ns: nanoseconds since some moment; never less than it said before.
        """
        self._passed_ns = passed_ns
        self._start_ns = max(wall_ns(), not_before_ms * NS_PER_MS) - passed_ns()

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC). Never less than it said before."""
        return (self._start_ns + self._passed_ns()) // NS_PER_MS
