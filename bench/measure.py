"""How the figures are taken: two things in turn, many times, and the median of the ratios.

Machines are shared and noisy; what was measured next to each other met the same noise.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """A measured ratio.

    Attributes:
        what: what was compared with what.
        ratio: the median over all rounds.
        least: the smallest ratio of a round.
        most: the largest.
        needed: what it must reach, in words.
        reached: whether it did.
        note: absolute figures, as seen on this machine.
    """

    what: str
    ratio: float
    least: float
    most: float
    needed: str
    reached: bool
    note: str

    def line(self) -> str:
        """The figure on one line."""
        verdict = "reached" if self.reached else "MISSED"
        spread = f"{self.least:.2f} to {self.most:.2f}"
        return f"{self.what:58} {self.ratio:5.2f}  ({spread})  {self.needed:>8} {verdict:8} {self.note}"


def seconds(task: Callable[[], object]) -> float:
    """How long one call takes, on the process's own clock, so that what others do counts less."""
    begin = time.process_time()
    task()
    return time.process_time() - begin


def in_turn(first: Callable[[], float], second: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    """Take two measurements in turn, after one round that does not count."""
    first(), second()
    return [(first(), second()) for _ in range(rounds)]


def middle(ratios: list[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(ratios), min(ratios), max(ratios)


def machine() -> str:
    """What the absolute figures were seen on."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}"
