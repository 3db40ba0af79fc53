"""CPU time a saga, or a check, of this tree and another commit: ``python -m bench.against COMMIT --rounds 15``.

Each measurement is a process of its own on new files; the two trees take turns, and which of them begins changes from
round to round. A ratio is the commit's CPU time by this tree's in the same round: above 1 this tree is cheaper.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.measure import Figure, machine, middle
from bench.workloads import WORKLOADS

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT / "build"  # on the disk of the checkout: a /tmp in memory would flatter
NEEDED: Final = 0.95
ROUNDS: Final = 15


def main() -> int:
    """Print a figure for each workload; 1 when one misses what it must reach."""
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="the commit to compare with, as git names it")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often both are measured (default {ROUNDS})")
    parser.add_argument("--workload", choices=sorted(WORKLOADS), action="append", help="one of them; default: all")
    parser.add_argument("--needed", type=float, default=NEEDED, help=f"what the median must reach (default {NEEDED})")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds is {given.rounds}; give at least 1")
    DATA.mkdir(exist_ok=True)
    print(f"CPU time a saga, {given.commit} / this tree, {given.rounds} rounds in turn, on: {machine()}\n")
    with tempfile.TemporaryDirectory(dir=DATA) as made:
        other = Path(made, "other")
        unpack(given.commit, other)
        figures = [compared(name, other, given.rounds, given.needed) for name in given.workload or WORKLOADS]
    return 0 if all(figure.reached for figure in figures) else 1


def unpack(commit: str, into: Path) -> None:
    """Write the sources of a commit into a new directory; end with git's own words when there is no such commit."""
    into.mkdir()
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - git, on our own repository
    if packed.returncode:
        sys.exit(packed.stderr.decode().strip())
    subprocess.run(["tar", "-x"], cwd=into, input=packed.stdout, check=True)  # noqa: S607 - what git has just packed


def compared(workload: str, other: Path, rounds: int, needed: float) -> Figure:
    """Measure one workload in both trees, and print its figure."""
    taken: list[tuple[float, float]] = []
    for number in range(rounds + 1):  # the first round does not count
        trees = [other, ROOT]
        seen = {tree: cpu_us(workload, tree) for tree in (trees if number % 2 else reversed(trees))}
        taken.append((seen[other], seen[ROOT]))
    ratio, least, most = middle([before / now for before, now in taken[1:]])
    before, now = (middle(list(times))[0] for times in zip(*taken[1:], strict=True))
    note = f"{before:.1f} and {now:.1f} µs each"
    figure = Figure(f"{workload}: before / now", ratio, least, most, f">= {needed}", ratio >= needed, note)
    print(figure.line(), flush=True)
    return figure


def cpu_us(workload: str, tree: Path) -> float:
    """CPU time a saga in one tree, microseconds."""
    with tempfile.TemporaryDirectory(dir=DATA) as made:
        command = [sys.executable, "-m", "bench.workloads", workload, made]
        search = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(ROOT)])}
        done = subprocess.run(command, cwd=ROOT, env=search, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{workload} of {tree} failed:\n{done.stderr}")
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
