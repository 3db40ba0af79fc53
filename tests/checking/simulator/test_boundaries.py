"""Every crash there is: before each I/O by number, and again before each of what follows (faults A1 and A2)."""

from __future__ import annotations

import pytest

from amends.checking.simulator.schedule import ScheduleResult, by_list
from amends.checking.simulator.setting import Setting
from tests.checking.simulator.sagas import SCENARIOS

CALM = {("clients", 0): 1, ("client 1", 1): 1, ("client 2", 1): 1}  # two clients; both have a key


def crashes(played: ScheduleResult) -> int:
    """Return how many processes crashed."""
    return sum(times for what, times in played.seen.items() if what.startswith("crash ") and what != RECOVERING)


RECOVERING = "crash while a process takes over"  # counted beside where it was


@pytest.mark.parametrize("name", ["shop", "outside", "together"])
def test_a_crash_before_every_io(name: str) -> None:
    """Whatever crashes, everything ends as it should; and the last one comes after the last I/O."""
    setting = Setting(name, SCENARIOS[name])
    place = 1
    while crashes(played := by_list(setting, {**CALM, ("crash", 0): place})):
        assert played.broken is None, (place, played.broken)
        place += 1
    assert place > 4


@pytest.mark.parametrize("name", ["shop", "outside"])
def test_a_crash_before_every_io_of_every_recovery(name: str) -> None:
    """All pairs."""
    setting = Setting(name, SCENARIOS[name])
    first = 1
    while True:
        second = 1
        while crashes(played := by_list(setting, {**CALM, ("crash", 0): first, ("crash", 1): second})) > 1:
            assert played.broken is None, (first, second, played.broken)
            second += 1
        assert played.broken is None
        if not crashes(played):
            break
        first += 1
    assert first > 4
