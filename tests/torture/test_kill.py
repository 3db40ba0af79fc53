"""Some kills, at random and at each named point; ``make torture`` does a thousand and more (docs/torture.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT


def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    """In a process of its own, which has no threads, since it forks (A3, A5)."""
    command = [sys.executable, "-m", "tests.torture", "kill", "--kills", "20", "--per-file", "20", "--each", "1"]
    ran = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "all promises held" in ran.stdout


def test_few_files(tmp_path: Path) -> None:
    """In a process of its own, whose limit is lowered (A9)."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.torture", "limits", "--folder", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
