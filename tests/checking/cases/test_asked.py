"""Participants are asked as the engine asks them: with what was stored and read back."""

from __future__ import annotations

import pytest

from amends import check
from amends.checking import CheckFailed
from amends.checking.trip import READ_BACK
from tests.checking.cases.asked import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_would_come_back_as_another_value_is_found_where_it_is_met(case: Case) -> None:
    """Step, value, what it would become, and what to do are told."""
    with pytest.raises(CheckFailed) as failed:
        check(case.written, faults=1)
    shown = failed.value.answer.counterexample
    assert shown is not None
    assert shown.broken.rule == READ_BACK
    for words in case.told:
        assert words in shown.broken.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_twin_holds(case: Case) -> None:
    """With the type said, the same saga is fine."""
    assert check(case.meant, faults=1).verdict == "holds"
