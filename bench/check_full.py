"""One large exploration, exhausted: ``make check-full``, ``python -m bench.check_full``.

Two orders that compete for the stock, with two faults: over a million distinct worlds, each with all that can happen
next.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Final

from amends.checking.explore import Progress, explore
from amends.shop.scenarios import TWO_ORDERS_ONE_STOCK
from bench.measure import machine

FAULTS: Final = 2
WORLDS_MIN: Final = 1_000_000  # what the run is for
REPORT_EVERY_S: Final = 10.0
KIB_PER_GIB: Final = 1 << 20


class Reports:
    """Prints the progress every few seconds."""

    def __init__(self) -> None:
        self.last_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Print, when it is time."""
        if progress.seconds >= self.last_s + REPORT_EVERY_S:
            self.last_s = progress.seconds
            print(
                f"  {progress.seconds:4.0f} s  {in_words(progress)}, {progress.frontier:,} not yet looked at",
                flush=True,
            )


def in_words(progress: Progress) -> str:
    """Return the counts of a progress."""
    return f"{progress.states:,} worlds, {progress.transitions:,} moves"


def memory_gib() -> float:
    """Return the most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB


def main() -> int:
    """Explore; 0 when it held, was exhausted, and was large enough."""
    print(f"Two orders for one stock, up to {FAULTS} faults. {machine()}", flush=True)
    begin_s = time.process_time()
    found = explore(TWO_ORDERS_ONE_STOCK, faults=FAULTS, max_states=20 * WORLDS_MIN, report=Reports())
    seconds = time.process_time() - begin_s
    progress = found.progress
    print(f"{in_words(progress)}, in {seconds:.0f} s of one core")
    print(f"{progress.transitions / seconds:,.0f} moves/s, {progress.states / seconds:,.0f} distinct worlds/s")
    bytes_each = memory_gib() * 2**30 / progress.states
    print(f"{memory_gib():.2f} GiB, {bytes_each:.0f} bytes a world: memory limits how far it can go, one core how fast")
    print(
        "every rule held in every world" if found.held else f"it did not hold: {found.counterexample or found.cut_by}"
    )
    return 0 if found.held and progress.states >= WORLDS_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
