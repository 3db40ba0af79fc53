"""What was green and said nothing is found now, and the same without the bug is green."""

from __future__ import annotations

import pytest

from amends.checking.explore import explore
from tests.checking.cases.case import Case
from tests.checking.cases.verdicts import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_green_is_found(case: Case) -> None:
    """By the rule that it breaks, with as few faults as it takes."""
    found = explore(case.buggy, faults=2).counterexample
    assert found is not None
    assert found.broken.rule == case.rule
    assert sum(seen.move.cost for seen in found.trace) == case.faults


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_without_the_bug_holds(case: Case) -> None:
    """With two faults."""
    found = explore(case.twin, faults=2)
    assert found.held, found.counterexample and found.counterexample.broken
