"""The machine's clock, made to never run backwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

NS_PER_MS: Final = 1_000_000
DAY_MS: Final = 86_400_000
AHEAD_MS: Final = 60_000
"""So far a store's times may be ahead of a machine's clock without a word: machines that keep time agree to a second,
those that are set by hand to a minute."""
BEHIND_MS: Final = 365 * DAY_MS
"""So long may a store have been left alone without a word; a clock that jumps ahead mostly jumps by years."""


if sys.platform == "linux":

    def elapsed_ns() -> int:
        """Nanoseconds since some moment, also those in which the machine was suspended."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

else:

    def elapsed_ns() -> int:
        """Nanoseconds since some moment."""
        return time.monotonic_ns()


def doubt_of(last_ms: int, now_ms: int) -> str:
    """What is odd about a machine's clock, for the log, when a store is opened; empty when nothing is.

    Args:
        last_ms: when the store was written last, milliseconds since 1970 (UTC); 0 for never.
        now_ms: what the machine's clock says.
    """
    last, now, days = _words(last_ms), _words(now_ms), abs(now_ms - last_ms) // DAY_MS
    if last_ms - now_ms > AHEAD_MS:
        return (
            f"the store was written last at {last}, and this machine's clock says {now}, {days} days before that. Its "
            "times go on from there, as they never run back; nothing is lost. If the clock is wrong, close, and set it"
        )
    if last_ms and now_ms - last_ms > BEHIND_MS:
        return (
            f"this machine's clock says {now}, {days} days after the store was written last, at {last}. If the clock "
            "is wrong, close and set it before anything is written: the store's times never run back"
        )
    return ""


def _words(at_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):  # beyond the year 9999, or what C takes
        return f"{at_ms} ms"


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

    def elapsed_ms(self) -> int:
        """Milliseconds since some moment, on Linux those in which the machine was suspended among them."""
        return self._passed_ns() // NS_PER_MS
