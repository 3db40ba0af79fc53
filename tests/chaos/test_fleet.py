"""An engine may end by itself for one reason: another one took over."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.chaos.fleet import Fleet
from tests.torture.broken import BrokenPromise

LOST = "engine 'a' has no lease; its sagas go on there, and this engine takes nothing more"


def _stops(link: Connection, reason: str) -> None:
    """Be an engine that runs, and stops; a process that was forked finds this by its name."""
    link.send(["runs", "a"])
    link.send(["stopped", "a", reason])


def _ended(folder: Path, reason: str) -> Fleet:
    fleet = Fleet(folder, {"engine 0": (_stops, reason)}, "", "", 1, {})
    first = fleet.start_engine("engine 0")
    try:
        first.wait()
        fleet.tend(0)
    finally:
        first.end()
        fleet.end()
    return fleet


def test_an_engine_that_lost_its_lease_is_replaced(tmp_path: Path) -> None:
    """It is counted."""
    assert _ended(tmp_path, LOST).counted["stopped"] == 1


def test_an_engine_that_stops_for_another_reason_breaks_a_promise(tmp_path: Path) -> None:
    """It is named, with the reason."""
    with pytest.raises(BrokenPromise, match="engine 0 stopped: the storage failed: no such table"):
        _ended(tmp_path, "the storage failed: no such table")
