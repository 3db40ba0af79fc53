"""What sagas do to each other is found, and what they may do to each other is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amends.checking.explore import explore
from tests.checking.cases.case import Case
from tests.checking.cases.together import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_sagas_do_to_each_other_is_found(case: Case) -> None:
    """By the rule that it breaks, with the order that was tried and what would help."""
    found = explore(case.buggy, faults=1).counterexample
    assert found is not None
    assert found.broken.rule == case.rule
    assert "tried" in found.broken.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_without_the_bug_holds(case: Case) -> None:
    """Also where one saga holds for a while what another then does without."""
    assert explore(case.twin, faults=1).held


@pytest.mark.parametrize("case", [case for case in CASES if case.rule != "no dirty read"], ids=lambda case: case.name)
def test_a_saga_alone_shows_nothing(case: Case) -> None:
    """It takes others: each by itself holds."""
    for request in case.buggy.requests:
        assert explore(replace(case.buggy, requests=[request]), faults=1).held
