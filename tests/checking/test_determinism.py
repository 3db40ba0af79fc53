"""The same input gives the same worlds, in the same order, and the same answer: everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.house.interpreters import others
from tests.house.source import ROOT

SCRIPT = """
import hashlib
import sys
from amends.checking.explore import explore
from amends.checking.layout import WorldLayout
from amends.checking.successors import Successors
from amends.shop.scenarios import ONE_ORDER, TWO_ORDERS_ONE_STOCK
from tests.checking.drawn import drawn
from tests.checking.planted.participant_bugs import BUGS
from tests.checking.planted.sagas import SCENARIOS

head = hashlib.sha256()
looked_at = [(ONE_ORDER, 2), (TWO_ORDERS_ONE_STOCK, 0)]
looked_at += [(made(), 1) for made in SCENARIOS.values()]
looked_at += [(bug.written, bug.faults) for bug in BUGS]
for scenario, faults in looked_at[:: int(sys.argv[1])]:
    moves = Successors(WorldLayout(scenario))
    found = explore(scenario, faults=faults)
    for world in (seen.after for seen in (found.counterexample.trace if found.counterexample else ())):
        head.update(repr(tuple(world)).encode())
    todo, met = [moves.layout.first(faults)], {}
    while todo and len(met) < 300:
        for move, world, broken in moves.after(todo.pop()):
            if world not in met:
                met[world] = None
                todo.append(world)
            head.update(repr((tuple(move), tuple(world), broken)).encode())
    head.update(f"{found.progress[:3]} {drawn(found)}".encode())
print(head.hexdigest())
"""


SHARES = [4, pytest.param(1, marks=pytest.mark.torture)]  # of the scenarios one in so many


def said_by(python: Path, hash_seed: str, share: int) -> str:
    """Explore in a process of its own, without any package, and return the head of everything that was met."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [str(python), "-S", "-B", "-W", "error", "-c", SCRIPT, str(share)]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout.strip()


@cache
def said_here(share: int) -> str:
    """Return what this Python says."""
    return said_by(Path(sys.executable), "0", share)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("hash_seed", ["1", *(pytest.param(seed, marks=pytest.mark.torture) for seed in ("2", "4711"))])
def test_nothing_depends_on_the_order_of_a_set(hash_seed: str, share: int) -> None:
    """Worlds, moves, order and answers are the same under any hash seed."""
    assert said_by(Path(sys.executable), hash_seed, share) == said_here(share)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("version", others())
def test_every_other_python_says_the_same(version: str, share: int) -> None:
    """From 3.11 up, with the standard library alone."""
    assert said_by(others()[version], "random", share) == said_here(share)
