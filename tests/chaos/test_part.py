"""A part of what ``make chaos`` does (docs/chaos.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT
from tests.postgres import server

# the others need a machine that mounts
SHARED = ("kill", "all", "server", "session", "stop", "places", "proxy", "deploy")
SPREAD = ("mixed-nats",)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("phases", [SHARED, SPREAD], ids=["shared", "spread"])
def test_a_part_of_the_chaos_loses_doubles_and_leaves_nothing(tmp_path: Path, phases: tuple[str, ...]) -> None:
    """Kills, crashes, sessions that are ended, engines that stand still, a bad network, deploys; wires that forget."""
    server()  # which skips where none can be had
    command = [sys.executable, "-m", "tests.chaos", *phases, "--share", "0", "--folder", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=270)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 lost, 0 doubled, 0 stuck" in ran.stdout
