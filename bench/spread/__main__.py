"""Take the figures of the spread shop and print them: ``make bench``, ``python -m bench.spread``."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from amends.entrypoints.spread import WireKind
from bench.__main__ import DATA
from bench.measure import Figure, machine
from bench.peers.__main__ import file_system
from bench.spread.figures import ORDERS, spread_lines

WIRES: Final = [wire.value for wire in WireKind]


def main() -> int:
    """Print each line as it is known; 1 when a figure misses what it must reach."""
    parser = argparse.ArgumentParser(prog="python -m bench.spread", description=__doc__.partition("\n")[0])
    parser.add_argument("--wire", choices=WIRES, action="append", help="one of them; default: all")
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"of one measurement (default {ORDERS})")
    given = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    print("Four hosts, two coordinators, one PostgreSQL as it is by default; NATS syncs always.")
    print(f"All on {machine()}, {file_system(DATA)}\n", flush=True)
    reached = True
    for wire in given.wire or WIRES:
        for line in spread_lines(DATA, WireKind(wire), given.orders):
            print(line.line() if isinstance(line, Figure) else line, flush=True)
            reached = reached and (isinstance(line, str) or line.reached)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
