"""What goes wrong with the world outside is found, and what is right there is not told as wrong."""

from __future__ import annotations

import pytest

from amends.checking.explore import explore
from amends.core.definition import external
from amends.core.messages import Done
from tests.checking.cases import outside, vouchers
from tests.checking.cases.case import Case

CASES = [*outside.CASES, *vouchers.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_goes_wrong_outside_is_found(case: Case) -> None:
    """By the rule that it breaks."""
    found = explore(case.buggy, faults=case.faults).counterexample
    assert found is not None
    assert found.broken.rule == case.rule


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_without_the_bug_holds(case: Case) -> None:
    """Whatever its client remembers, counts or says later."""
    found = explore(case.twin, faults=case.faults)
    assert found.held, found.counterexample and found.counterexample.broken


def test_a_function_that_reckons_with_a_receipt_is_told_of_the_ready_model() -> None:
    """A ready model answers a question whose function asks a client with a text, which nobody can reckon with."""
    rate = external("RATE_ASKED", lambda rates, order, call: Done(rates.of(order)), service="RATES", asks=True)
    scenario = outside.paid(rate, outside.card(outside.charge_rounded))
    found = explore(scenario, faults=0).counterexample
    assert found is not None
    assert "of RATE_ASKED it is handed a ready model's receipt; with adapter(...) its own answer" in found.broken.text


def test_what_is_said_to_happen_again_may_happen_as_often_as_there_are_faults() -> None:
    """A step that says `at_least_once` is done once more for each fault, and its books show it."""
    assert explore(vouchers.retried(at_least_once=True), faults=3).held
