"""Power cuts, full disks, failing disks, and crashes at boundaries: a part of what ``make torture`` does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import boundaries, disk, planted, power
from tests.torture.boundaries import InMemory, OnDisk
from tests.torture.power import Watched


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What an engine logs when its disk fails is what is wanted here."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def nothing(line: str) -> None:
    """Nobody wants to know how far it is."""


def test_power_cuts_lose_nothing(tmp_path: Path) -> None:
    """What was answered is there, nothing else is but what was under way, and the file is sound (S1)."""
    cuts = power.run(tmp_path, 1, 120, nothing)
    assert cuts.cuts == 120
    assert cuts.opening > 5
    assert 0 < cuts.survived < cuts.unsure


def test_a_full_or_failing_disk_leaves_nothing_half_done(tmp_path: Path) -> None:
    """Refused clearly, answers are kept, and it goes on: with space at once, else at the next start (S3, S4)."""
    faults = disk.run(tmp_path, 8, nothing)
    assert min(faults.full, faults.failed, faults.openings, faults.refused, faults.stopped) > 2


def test_a_crash_at_any_boundary_changes_nothing(tmp_path: Path) -> None:
    """Nor does another one during the recovery: the final state is that of a run without crashes (A1, A2)."""
    assert boundaries.run("", InMemory, tmp_path, 2, 9, nothing).pairs > 5
    assert boundaries.run("", lambda folder: InMemory(folder, 1), tmp_path, 2, 0, nothing).singles > 20
    assert boundaries.run("", OnDisk, tmp_path, 9, 83, nothing).singles > 10


@pytest.mark.parametrize("store", planted.STORES)
def test_power_cuts_find_a_planted_bug(tmp_path: Path, store: type[Watched]) -> None:
    """Else they prove nothing."""
    assert planted.found_by_cuts(tmp_path, store)


def test_boundaries_find_a_planted_bug(tmp_path: Path) -> None:
    """A request that goes out before its saga is stored."""
    assert planted.found_at_boundaries(tmp_path)
