"""What the scripts of all engines share: how they are asked, how sagas are started, and the line of the answer.

Standard library only: it is imported by the Python of each engine's own environment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

STEPS: Final = ("FIRST_DONE", "SECOND_DONE", "THIRD_DONE", "FOURTH_DONE")  # of the sagas whose steps do nothing
DATABASE: Final = (
    "AMENDS_BENCH_DATABASE"  # the variable that tells a script which PostgreSQL it is to use; none: SQLite
)
WARM_UP_SHARE: Final = 5  # one saga in five more, before the time is taken


class Asked(NamedTuple):
    """What a script was asked for.

    Attributes:
        sagas: how many are measured.
        concurrency: how many are on their way at the same time.
        directory: where its files go.
        workload: ``steps`` or ``orders``.
        partitions: of the log, where an engine has them.
    """

    sagas: int
    concurrency: int
    directory: Path
    workload: str
    partitions: int

    @property
    def warm_up(self) -> range:
        """The sagas that do not count."""
        return range(max(self.sagas // WARM_UP_SHARE, self.concurrency))

    @property
    def measured(self) -> range:
        """The sagas that count."""
        first = len(self.warm_up)
        return range(first, first + self.sagas)

    @property
    def all(self) -> range:
        """Both."""
        return range(self.measured.stop)


class Driven(NamedTuple):
    """How long all sagas took, and how long each took from its start to its result. Seconds."""

    wall_s: float
    each_s: list[float]


def asked(*workloads: str) -> Asked:
    """Read the command line of a script that knows these workloads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sagas", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--workload", choices=workloads, default=workloads[0])
    parser.add_argument("--partitions", type=int, default=4)
    given = parser.parse_args()
    return Asked(given.sagas, given.concurrency, given.dir.resolve(), given.workload, given.partitions)


async def drive(saga: Callable[[int], Awaitable[object]], numbers: range, concurrency: int) -> Driven:
    """Run sagas in so many tasks; each starts the next one when its last one has ended."""
    waiting, each_s = iter(numbers), list[float]()

    async def one_after_the_other() -> None:
        for number in waiting:
            begin_s = time.perf_counter()
            await saga(number)
            each_s.append(time.perf_counter() - begin_s)

    begin_s = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(concurrency)))
    return Driven(time.perf_counter() - begin_s, each_s)


def drive_in_threads(saga: Callable[[int], object], numbers: range, concurrency: int) -> Driven:
    """The same in threads. A saga that fails is missing in the count, which is looked at."""
    waiting, each_s = iter(numbers), list[float]()  # taking from a range's iterator is one step for the interpreter

    def one_after_the_other() -> None:
        for number in waiting:
            begin_s = time.perf_counter()
            saga(number)
            each_s.append(time.perf_counter() - begin_s)

    threads = [threading.Thread(target=one_after_the_other) for _ in range(concurrency)]
    begin_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Driven(time.perf_counter() - begin_s, each_s)


def answer(driven: Driven, wanted: Asked, version: str) -> None:
    """Print the line. Whatever the script looked at has held, or it would not be here."""
    assert len(driven.each_s) == wanted.sagas, "some sagas failed"
    each_s = sorted(driven.each_s)
    say(wanted.sagas / driven.wall_s, each_s[len(each_s) // 2], each_s[len(each_s) * 99 // 100], version)


def say(sagas_per_s: float, p50_s: float, p99_s: float, version: str) -> None:
    """Print the line of what was looked at, and has held."""
    line = {
        "sagas_per_s": sagas_per_s,
        "p50_ms": p50_s * 1e3,
        "p99_ms": p99_s * 1e3,
        "checked": True,
        "version": version,
    }
    print(json.dumps(line), flush=True)
