"""One large exploration, exhausted twice: ``make check-full``, ``python -m bench.check_full``.

Two orders that compete for the stock, with two faults: in every order, and reduced to what stands for it
(docs/adr/0017). Both have to hold.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Final

from amends.checking.explore import ExplorationProgress, WorldSearch
from amends.checking.layout import WorldLayout
from amends.checking.successors import Successors
from amends.shop.scenarios import TWO_ORDERS_ONE_STOCK
from bench.measure import machine

FAULTS: Final = 2
REPORT_EVERY_S: Final = 10.0
KIB_PER_GIB: Final = 1 << 20


class Reports:
    """Prints the progress every few seconds."""

    def __init__(self) -> None:
        self.last_s = 0.0

    def __call__(self, progress: ExplorationProgress) -> None:
        """Print, when it is time."""
        if progress.seconds >= self.last_s + REPORT_EVERY_S:
            self.last_s = progress.seconds
            print(
                f"  {progress.seconds:4.0f} s  {in_words(progress)}, {progress.frontier:,} not yet looked at",
                flush=True,
            )


def in_words(progress: ExplorationProgress) -> str:
    """Return the counts of a progress."""
    return f"{progress.states:,} worlds, {progress.transitions:,} moves"


def memory_gib() -> float:
    """Return the most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB


def explored(*, reduced: bool) -> bool:
    """Explore, and print what that took; whether everything was looked at and held."""
    print("reduced:" if reduced else "in every order:")
    begin_s = time.process_time()
    found = WorldSearch(Successors(WorldLayout(TWO_ORDERS_ONE_STOCK), reduced=reduced), FAULTS, report=Reports()).run()
    seconds = time.process_time() - begin_s
    progress = found.progress
    print(f"  {in_words(progress)}, in {seconds:.0f} s of one core, with at most {memory_gib():.2f} GiB so far")
    print(f"  {progress.transitions / seconds:,.0f} moves/s, {progress.states / seconds:,.0f} distinct worlds/s")
    print("  every rule held" if found.held else f"  it did not hold: {found.counterexample or found.cut_by}")
    return found.held


def main() -> int:
    """Explore; 0 when it held both times."""
    print(f"Two orders for one stock, up to {FAULTS} faults. {machine()}", flush=True)
    return 0 if all([explored(reduced=True), explored(reduced=False)]) else 1


if __name__ == "__main__":
    sys.exit(main())
