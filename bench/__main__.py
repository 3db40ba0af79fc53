"""Take all figures and print them: ``make bench``, ``python -m bench``."""

from __future__ import annotations

import sys

from bench.check import check_lines
from bench.function import function_figures
from bench.measure import machine
from bench.session import session_figures


def main() -> int:
    """Print each figure as it is taken; 1 when one misses what it must reach."""
    print(f"Ratios, each the median of rounds taken in turn. Absolute figures as seen on: {machine()}\n")
    reached = True
    for take in (function_figures, session_figures):
        for figure in take():
            print(figure.line(), flush=True)
            reached = reached and figure.reached
    print("\nThe checker, as seen on this machine; nothing is asserted of its speed:\n")
    for line in check_lines():
        print(line, flush=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
