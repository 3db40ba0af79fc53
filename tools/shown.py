"""Print what a document shows and no single command prints.

Usage: python tools/shown.py counterexample    what begins `amends demo`, by itself
       python tools/shown.py killed            a run that is killed half-way, finished and looked at
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from amends import check
from amends.bootstrap import records
from amends.checking import CheckFailed
from amends.entrypoints.tickets import one_sale, tickets
from amends.errors import StoreError, StoreUnusable

ORDERS: Final = 6_000


def show_counterexample() -> None:
    """Print the counterexample of the ticket sale."""
    try:
        check(one_sale(tickets()))
    except CheckFailed as failed:
        print(failed.answer)


def show_killed() -> None:
    """Run a file of orders, kill the run half-way, run it again, and verify what is left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "orders.jsonl").write_text("".join(f"{json.dumps(operation)}\n" for operation in operations()))
        print(f"$ wc -l < orders.jsonl\n{len(operations())}")
        print("$ amends run --db shop.db orders.jsonl &  sleep 1;  kill -9 $!")
        kill_half_way(folder)
        for words in ("run --db shop.db orders.jsonl | tail -1", "audit verify --db shop.db | head -1"):
            command, _, end = words.partition(" | ")
            print(f"$ amends {words}")
            print(printed(folder, command.split())[-1 if end == "tail -1" else 0])


def operations() -> list[Any]:
    """Return the orders; each tenth fails when it is shipped."""
    made: list[Any] = [["CREATE_CUSTOMER", f"C{number}", 1_000_000] for number in range(10)]
    made += [["ADD_PRODUCT", f"P{number}", 10_000, 5] for number in range(10)]
    made += [["PLACE_ORDER", f"C{number % 10}", f"P{number * 7 % 10}", 1 + number % 3] for number in range(ORDERS)]
    return made + [["INJECT_FAILURE", "SHIPPING", f"O{number:03d}"] for number in range(10, ORDERS + 1, 10)]


def kill_half_way(folder: Path) -> None:
    """Start the run, and kill it when it has done some of it."""
    with subprocess.Popen(
        command("run", "--db", "shop.db", "orders.jsonl"), cwd=folder, stdout=subprocess.DEVNULL
    ) as run:
        while run.poll() is None and sagas_in(folder / "shop.db") < ORDERS // 4:
            time.sleep(0.01)
        run.kill()
    if run.returncode == 0:
        sys.exit("the run was over before it could be killed")


def sagas_in(path: Path) -> int:
    """Return how many sagas a store has; 0 while there is none."""
    with suppress(StoreUnusable, StoreError):
        store: Any = records(path)
        with closing(store):
            return sum(store.counts().values())
    return 0


def printed(folder: Path, words: list[str]) -> list[str]:
    """Return the lines that a command prints on standard output."""
    ran = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True)
    return ran.stdout.splitlines()


def command(*words: str) -> list[str]:
    """Return the words that start our command."""
    return [sys.executable, "-m", "amends", *words]


SHOWS: Final = {"counterexample": show_counterexample, "killed": show_killed}


def main() -> None:
    """Print it."""
    if len(sys.argv) != 2 or sys.argv[1] not in SHOWS:  # noqa: PLR2004 - the command and what to show
        sys.exit(f"usage: python tools/shown.py {'|'.join(SHOWS)}")
    SHOWS[sys.argv[1]]()


if __name__ == "__main__":
    main()
