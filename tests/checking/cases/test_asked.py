"""Participants are asked as the engine asks them: with what was stored and read back."""

from __future__ import annotations

from typing import Any

import pytest

from amends import Saga, Scenario, check, local
from amends.checking import CheckFailed, simulate
from tests.checking.cases.asked import CASES, ORDER, Buy, Case, card, charge, charge_typed, read_charge, sale


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_would_come_back_as_another_value_is_found_where_it_is_met(case: Case) -> None:
    """Step, value, what it would become, and what to do are told."""
    with pytest.raises(CheckFailed) as failed:
        check(case.written, faults=1)
    shown = failed.value.answer.counterexample
    assert shown is not None
    assert shown.broken.rule == case.rule
    for words in case.told:
        assert words in shown.broken.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_twin_holds(case: Case) -> None:
    """With the type said, the same saga is fine."""
    assert check(case.meant, faults=1).verdict == "holds"


def test_a_ready_model_answers_with_receipts_of_its_own() -> None:
    """Whatever the functions declare for which it stands: they did not run."""
    typed = sale(card(charge_typed), ORDER)
    assert check(Scenario(typed.saga, {}, typed.requests), faults=1).verdict == "holds"


def test_a_typed_answer_that_a_later_step_reads_is_simulated() -> None:
    """Also where what completed is asked again at the end, from what is stored."""
    case = next(each for each in CASES if each.name.startswith("a later step reads"))
    assert simulate(case.meant, seeds=20).holds


def test_a_later_step_reads_a_ready_models_receipt_as_the_type_that_is_declared() -> None:
    """It is made up, of the receipt's text; where nobody typed it, it is text."""
    later = local("NOTE_WRITTEN", read_charge, pivot=True, entity=lambda buy: buy.who)
    typed, untyped = (Saga("sale", Buy, [card(action), later]) for action in (charge_typed, charge))
    assert check(Scenario(typed, {}, [Buy()]), faults=1).verdict == "holds"
    assert simulate(Scenario(typed, {}, [Buy()]), seeds=20).holds
    with pytest.raises(CheckFailed, match="'str' object has no"):
        check(Scenario(untyped, {}, [Buy()]), faults=1)


@pytest.mark.parametrize("models", [None, sale(card(charge_typed), ORDER).models])
def test_a_typed_answer_is_simulated(models: Any) -> None:
    """By the saga's own functions, and where a ready model stands for them."""
    typed = sale(card(charge_typed), ORDER)
    assert simulate(Scenario(typed.saga, {}, typed.requests, models or {}), seeds=20).holds
