"""A bug of leases, fences, shards or letters is found: each is planted in place, and looked for by seeds."""

from __future__ import annotations

import sys

import pytest

from amends.checking.simulator.runs import simulated
from amends.checking.simulator.setting import Setting
from tests.checking.simulator.engine_bugs import Bug
from tests.checking.simulator.host_bugs import BUGS
from tests.checking.simulator.sagas import SCENARIOS
from tests.checking.simulator.test_engine_bugs import plant
from tests.checking.simulator.test_hosts import HOSTS


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.rule}: {bug.name}")
def test_a_bug_of_several_hosts_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks the rule that says so, within so many seeds."""
    plant(bug, monkeypatch)
    monkeypatch.setattr("amends.checking.simulator.shrink.TRIES_MAX", 0)
    found = simulated([Setting(bug.scenario, SCENARIOS[bug.scenario], HOSTS)], bug.seeds)
    assert found.failure is not None, "it was not found"
    assert found.failure.broken.rule.split()[0] == bug.rule, found.failure.broken
    sys.stdout.write(f"{bug.name}: found by schedule {found.failure.seed}: {found.failure.broken.text}\n")
