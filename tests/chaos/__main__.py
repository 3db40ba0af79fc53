"""Break everything on purpose: ``python -m tests.chaos [phase ...]`` (docs/chaos.md)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.disks import CannotMount
from tests.chaos.phases import LEASE_S, PHASES, Phase
from tests.chaos.spread_phases import SPREAD_PHASES
from tests.chaos.wires import NoBroker
from tests.chaos.world import Seen
from tests.postgres import NoServer, Server, postgres
from tests.torture.broken import BrokenPromise

TAKEN_OVER_WITHIN_S = LEASE_S + 1.0
PARTS = {"shared": PHASES, "spread": SPREAD_PHASES}
"""By the name of a part of a run, its phases."""
ALL = [phase for part in PARTS.values() for phase in part]
PERCENT = 99
WIDE = 130  # columns, of the table at the end
MEASURED_LEAST = 50  # of fewer takeovers one that a busy machine held up is a percent, or more


class Result(NamedTuple):
    """What a phase came to.

    Attributes:
        phase: which.
        faults: how many there were.
        seen: of all its worlds.
        seconds: how long it took.
    """

    phase: Phase
    faults: int
    seen: list[Seen]
    seconds: float

    @property
    def taken_s(self) -> list[float]:
        """How long takeovers took, the shortest one first."""
        return sorted(seconds for one in self.seen for seconds in one.taken_s)

    @property
    def is_late(self) -> bool:
        """Whether takeovers took longer than they may."""
        taken = self.taken_s
        return len(taken) >= MEASURED_LEAST and _percentile(taken, PERCENT) > TAKEN_OVER_WITHIN_S


def main() -> int:
    """Run the phases that are named, or all; 1 when a promise was broken."""
    given = _parser().parse_args()
    wanted = [phase for phase in PARTS.get(given.part, ALL) if phase.name in (given.phases or [phase.name])]
    console, results = Console(), list[Result]()
    with _folder(given.folder) as folder:
        try:
            with postgres() as server, _progress(console) as progress:
                for phase in wanted:
                    try:
                        results.append(_run(phase, folder, server, given.seed, given.share, progress))
                    except (CannotMount, NoBroker) as reason:
                        console.print(f"{phase.name}: NOT DONE, as this machine has not what it needs: {reason}")
        except NoServer as reason:
            console.print(f"no PostgreSQL can be had here, so nothing was done: {reason}")
            return 1
        except BrokenPromise as error:
            _show(console, results)
            console.print(f"BROKEN, seed {given.seed}: {error}", markup=False, soft_wrap=True)
            return 1
    _show(console, results)
    console.print("0 lost, 0 doubled, 0 stuck; money and stock exact; every chain verifies")
    late = [one.phase.name for one in results if one.is_late]
    if late:
        console.print(f"MISSED: takeovers of {', '.join(late)} may take {TAKEN_OVER_WITHIN_S} s, 99 of 100 of them")
    return 1 if late else 0


def _run(phase: Phase, folder: Path, server: Server, seed: int, share: float, progress: Progress) -> Result:
    """Run a phase.

    Raises:
        BrokenPromise: something does not hold.
    """
    began, faults = time.monotonic(), max(phase.least, round(phase.faults * share))
    chance, seen = random.Random(f"{seed}/{phase.name}"), list[Seen]()
    bar = progress.add_task(phase.what, total=faults)
    with phase.disk(folder) if phase.disk else nullcontext(server) as own:
        for first in range(0, faults, phase.a_world):
            place = folder / f"{phase.name}-{first}"
            try:
                with phase.world(place, own, seed + first, phase) as (shop, settle):
                    for number in range(first, min(first + phase.a_world, faults)):
                        phase.fault(shop, chance, number)
                        progress.advance(bar)
                    seen.append(settle())
            except BrokenPromise as error:
                raise BrokenPromise(f"{phase.name}, {place}: {error}") from error
    return Result(phase, faults, seen, time.monotonic() - began)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="amends-chaos-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)  # a server that root starts runs as another user, and has its disks below
        yield Path(made)


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description:50}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console)


def _percentile(values: list[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0


def _show(console: Console, results: list[Result]) -> None:
    Console(width=max(console.width, WIDE)).print(_table(results))


def _table(results: list[Result]) -> Table:
    table = Table("what was done", "times", "sagas", "answers", "takeovers", "p50", "p99", "longest", "minutes")
    for one in results:
        table.add_row(one.phase.what, *_columns([one]))
    table.add_section()
    table.add_row("all of it", *_columns(results))
    return table


def _columns(results: list[Result]) -> list[str]:
    seen, taken = [each for one in results for each in one.seen], sorted(s for one in results for s in one.taken_s)
    times = [f"{_percentile(taken, percent):.2f} s" if taken else "" for percent in (50, PERCENT, 100)]
    counts = sum(one.faults for one in results), sum(each.sagas for each in seen), sum(each.answers for each in seen)
    return [*map(str, counts), str(len(taken)), *times, f"{sum(one.seconds for one in results) / 60:.1f}"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("phases", nargs="*", choices=[[], *(phase.name for phase in ALL)], help="all by default")
    parser.add_argument("--part", choices=[*PARTS], help="the phases of one kind of shop alone")
    parser.add_argument("--share", type=float, default=1.0, help="of all faults of a run, 0 to 1")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--folder", type=Path, help="where files are, and are left when something is broken")
    return parser


if __name__ == "__main__":
    sys.exit(main())
