"""The same seed gives the same bytes: under every hash seed, on every Python at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.house.interpreters import others
from tests.house.source import ROOT

SEEDS = [2, pytest.param(10, marks=pytest.mark.torture)]  # in each of nine scenarios, of a thousand moments each
SCRIPT = """
import hashlib
import sys
from amends.checking.simulator.schedule import by_seed
from amends.checking.simulator.setting import Setting
from tests.checking.simulator.sagas import SCENARIOS

digest = hashlib.sha256()
for name, scenario in SCENARIOS.items():
    setting = Setting(name, scenario)
    for seed in range(int(sys.argv[1])):
        played = by_seed(setting, seed, traced=True)
        digest.update("\\n".join(played.trace).encode() + played.head)
print(digest.hexdigest())
"""


def said_by(python: Path, hash_seed: str, seeds: int) -> str:
    """Play schedules in a process of its own, and return a digest of all their traces."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [str(python), "-B", "-W", "error", "-c", SCRIPT, str(seeds)]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if "No module named 'msgspec'" in ran.stderr:
        pytest.skip(f"{python} has no msgspec, which the engine needs")
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout.strip()


@cache
def said_here(seeds: int) -> str:
    """Return what this Python says."""
    return said_by(Path(sys.executable), "0", seeds)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("hash_seed", ["1", pytest.param("4711", marks=pytest.mark.torture)])
def test_nothing_depends_on_the_order_of_a_set(hash_seed: str, seeds: int) -> None:
    """Every line of every trace."""
    assert said_by(Path(sys.executable), hash_seed, seeds) == said_here(seeds)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("version", others())
def test_every_other_python_says_the_same(version: str, seeds: int) -> None:
    """From 3.11 up, where the engine's one package is there."""
    assert said_by(others()[version], "random", seeds) == said_here(seeds)
