"""Print what a document shows and no single command prints.

Usage: python tools/shown.py counterexample    what begins `amends demo`, by itself
       python tools/shown.py killed            a run that is killed half-way, finished and looked at
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from amends import check
from amends.checking import CheckFailed
from amends.entrypoints import rush
from amends.entrypoints.children import printed
from amends.entrypoints.tickets import one_sale, tickets


def show_counterexample() -> None:
    """Print the counterexample of the ticket sale."""
    try:
        check(one_sale(tickets()))
    except CheckFailed as failed:
        print(failed.answer)


def show_killed() -> None:
    """Run a file of orders, kill the run half-way, run it again, and verify what is left."""
    run = " ".join(rush.RUN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rush.write_orders(folder)
        print(f"$ wc -l < {rush.FILE}\n{len(rush.operations())}")
        print(f"$ amends {run} &  sleep 1;  kill -9 $!")
        if rush.kill_half_way(folder) == rush.ORDERS:
            sys.exit("the run was over before it could be killed")
        for words in (f"{run} | tail -1", f"audit verify --db {rush.STORE} | head -1"):
            command, _, end = words.partition(" | ")
            print(f"$ amends {words}")
            print(printed(folder, *command.split())[-1 if end == "tail -1" else 0])


SHOWS: Final = {"counterexample": show_counterexample, "killed": show_killed}


def main() -> None:
    """Print it."""
    if len(sys.argv) != 2 or sys.argv[1] not in SHOWS:  # noqa: PLR2004 - the command and what to show
        sys.exit(f"usage: python tools/shown.py {'|'.join(SHOWS)}")
    SHOWS[sys.argv[1]]()


if __name__ == "__main__":
    main()
