"""A bug of hosts, of coordinators or of what goes between them is found: each is planted, and looked for by seeds."""

from __future__ import annotations

import pytest

from tests.checking.simulator.apart_bugs import BUGS
from tests.checking.simulator.engine_bugs import Bug
from tests.checking.simulator.test_engine_bugs import expect_found


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.rule}: {bug.name}")
def test_a_bug_between_services_apart_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks the rule that says so, within so many seeds."""
    expect_found(bug, monkeypatch, apart=True)
