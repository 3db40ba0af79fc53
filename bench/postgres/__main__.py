"""Take the figures on PostgreSQL and print them: ``make bench``, ``python -m bench.postgres``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Final

from bench.__main__ import DATA
from bench.measure import Figure, machine
from bench.peers.__main__ import file_system
from bench.postgres.figures import history_figure, order_figures
from bench.postgres.held import held_figures
from bench.postgres.server import Measured, measured
from bench.postgres.wire import wire_figures
from tests.postgres import NoServer

MINUTES: Final = 2.0


def main() -> int:
    """Print each figure as it is taken; 1 when one misses what it must reach."""
    parser = argparse.ArgumentParser(prog="python -m bench.postgres", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--part", choices=["orders", "held", "history", "wire"], action="append", help="one of them; default: all"
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"a transaction is held for so long (default {MINUTES:g})"
    )
    given = parser.parse_args()
    parts: dict[str, Callable[[Measured], Iterator[Figure]]] = {
        "orders": order_figures,
        "held": lambda server: held_figures(server, given.minutes),
        "history": history_figure,
        "wire": wire_figures,
    }
    DATA.mkdir(exist_ok=True)
    reached = True
    try:
        with measured(DATA) as server:
            print(
                f"PostgreSQL, as it is by default, and engines on {machine()}, {file_system(server.data)}\n", flush=True
            )
            for name in given.part or parts:
                for figure in parts[name](server):
                    print(figure.line(), flush=True)
                    reached = reached and figure.reached
    except NoServer as reason:
        print(f"no PostgreSQL can be had here, and none is measured: {reason}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
