"""A saga that waits inside the engine, for a participant of ours that raised, is no finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import amends
from amends import Saga, local
from tests.house.source import ROOT


def raises(before: int | None, request: int) -> Any:
    """Raise, whatever is asked."""
    raise ValueError("boom")


def test_a_step_that_raised_is_told_as_it_stands(tmp_path: Path) -> None:
    """By both verifiers: its records say that it was asked, since its row does."""
    file = tmp_path / "shop.db"
    saga = Saga("rooms", int, [local("ROOM_HELD", raises, entity=lambda room: f"r{room}", pivot=True)])
    with amends.open(f"sqlite:///{file}", sagas=[saga]) as engine:
        engine.submit(saga, 1)
    for command in (
        ["-m", "amends", "audit", "verify", "--db", str(file)],
        [str(ROOT / "docs/verify_audit.py"), str(file)],
    ):
        verified = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        assert verified.returncode == 0, verified.stdout + verified.stderr
