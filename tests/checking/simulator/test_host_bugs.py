"""A bug of leases, fences, shards or letters is found: each is planted in place, and looked for by seeds."""

from __future__ import annotations

import pytest

from tests.checking.simulator.engine_bugs import Bug
from tests.checking.simulator.host_bugs import BUGS
from tests.checking.simulator.test_engine_bugs import expect_found
from tests.checking.simulator.test_hosts import HOSTS


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.rule}: {bug.name}")
def test_a_bug_of_several_hosts_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks the rule that says so, within so many seeds."""
    expect_found(bug, monkeypatch, HOSTS)
