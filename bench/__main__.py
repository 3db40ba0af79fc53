"""Take all figures and print them: ``make bench``, ``python -m bench``."""

from __future__ import annotations

import sys
import tempfile
from itertools import chain
from pathlib import Path

from bench.check import check_lines
from bench.clients import client_figures
from bench.durable import durable_figures, failing_lines, history_figures
from bench.function import function_figures
from bench.measure import machine
from bench.session import session_figures

DATA = Path(__file__).resolve().parents[1] / "build"  # on the disk of the checkout: a /tmp in memory would flatter


def main() -> int:
    """Print each figure as it is taken; 1 when one misses what it must reach."""
    DATA.mkdir(exist_ok=True)
    print(f"Ratios, each the median of rounds taken in turn. Absolute figures as seen on: {machine()}\n")
    reached = True
    with tempfile.TemporaryDirectory(dir=DATA) as made:
        directory = Path(made)
        on_disk = (durable_figures(directory), client_figures(directory), history_figures(directory))
        for figure in chain(*on_disk, function_figures(), session_figures()):
            print(figure.line(), flush=True)
            reached = reached and figure.reached
        print("\nThe price of failing, local sagas on disk, as seen on this machine:\n")
        for line in failing_lines(directory):
            print(line, flush=True)
    print("\nThe checker, as seen on this machine; nothing is asserted of its speed:\n")
    for line in check_lines():
        print(line, flush=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
