"""Print what a document shows and no single command prints.

Usage: python tools/shown.py counterexample    what begins `amends demo`, by itself
       python tools/shown.py killed            a run that is killed half-way, finished and looked at
       python tools/shown.py bug NAME [FUNCTION]   what examples/bugs.py has of this name: the function, its harm
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from inspect import getsource
from pathlib import Path
from typing import Any, Final

from amends import Scenario, check
from amends.checking import CheckFailed
from amends.core.messages import Kind
from amends.entrypoints.cli.definitions import load_scenarios
from amends.entrypoints.demo import rush
from amends.entrypoints.demo.children import printed
from amends.entrypoints.demo.tickets import one_sale, tickets


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


def show_bug(name: str, *functions: str) -> None:
    """Print functions of a buggy saga, and the counterexample as far as the rule that it breaks."""
    (scenario,) = load_scenarios(f"examples/bugs.py:{name}").values()
    theirs = functions_of(scenario)
    print("".join(f"{getsource(theirs[function])}\n" for function in functions), end="")
    try:
        check(scenario)
    except CheckFailed as failed:
        print(re.split(r"\n\n +(?:not as at the start|shortest):", str(failed.answer))[0])


def functions_of(scenario: Scenario) -> dict[str, Callable[..., Any]]:
    """What a scenario's steps ask, by name."""
    asked = (step.function(kind) for step in scenario.saga.every_step() for kind in Kind)
    return {function.__name__: function for function in asked if function}


SHOWS: Final[dict[str, Callable[..., None]]] = {
    "counterexample": show_counterexample,
    "killed": show_killed,
    "bug": show_bug,
}


def main() -> None:
    """Print it."""
    what, *words = sys.argv[1:] or [""]
    if what not in SHOWS:
        sys.exit(f"usage: python tools/shown.py {'|'.join(SHOWS)}")
    SHOWS[what](*words)


if __name__ == "__main__":
    main()
