"""A scenario in which hardly anything happens is not green: it has a verdict of its own."""

from __future__ import annotations

from typing import Any

import pytest

from amends import Call, Done, Refused, Saga, Scenario, check, external, local
from amends.checking import CheckFailed, CheckResult, CheckShowsTooLittle, adapter, explore
from amends.errors import UnusableInput
from tests.checking.planted.participant_bugs import (
    LOOKED_UP,
    Bank,
    Buy,
    Shelf,
    card,
    charged,
    give_back,
    keys_of,
    nothing,
    refunded,
    shelf,
    ship,
    small,
    take,
)

EMPTY = Shelf(stock=0)


def missing(scenario: Scenario, faults: int = 1) -> tuple[str, ...]:
    """Return what a check misses, which must hold otherwise."""
    with pytest.raises(CheckShowsTooLittle) as caught:
        check(scenario, faults=faults)
    assert caught.value.answer.verdict == "shows too little"
    assert caught.value.answer.counterexample is None
    assert "shows too little" in str(caught.value)
    return caught.value.answer.missing


def with_field(scenario: Scenario, **more: Any) -> Scenario:
    """Return the scenario with more said of it."""
    return Scenario(scenario.saga, scenario.given, scenario.requests, scenario.models, **more)


def test_no_saga_completes() -> None:
    """It is told what was refused in place of that, and that the rest was never asked."""
    told = missing(small(shelf(take, give_back), ship(), kept=EMPTY))
    assert told == (
        "no saga ever completes; instead, SHELF_TAKEN/do was refused: sold out",
        "SHELF_TAKEN/undo (give_back) is never asked",
        "PARCEL_SHIPPED/do (shipped) is never asked",
    )


def test_no_saga_completes_since_a_function_raises() -> None:
    """For one customer it raises, and the other one is refused: what was raised is told."""

    def charged_but_ann(bank: Any, buy: Buy, call: Call) -> Done | Refused:
        if buy.who == "Ann":
            raise KeyError("Ann")
        return Refused("no money")

    bank = adapter(Bank, (), keys_of)
    buys = (Buy("Ann"), Buy("Bob"))
    scenario = small(shelf(take, give_back), card(charged_but_ann, refunded, **LOOKED_UP), ship(), buys=buys, CARD=bank)
    told = missing(scenario, 0)[0]
    assert told.startswith(
        "no saga ever completes; instead, CARD_CHARGED/do raised KeyError: 'Ann' (test_coverage_gaps.py:"
    )
    assert "CARD_CHARGED/do was refused: no money" in told


def test_none_is_compensated() -> None:
    """With no fault nothing turns a saga back; with one, somebody cancels."""
    scenario = small(shelf(take, give_back), ship())
    told = missing(scenario, 0)
    assert told == (
        "none is ever compensated: nothing that can be undone was ever turned back; with one fault, somebody cancels",
        "SHELF_TAKEN/undo (give_back) is never asked",
    )
    assert check(scenario, faults=1).verdict == "holds"


def test_what_has_no_undo_needs_no_compensation() -> None:
    """A definition in which nothing can be undone shows all that it has."""
    scenario = small(local("SHELF_TAKEN", take, pivot=True, entity=lambda _: "shelf"))
    assert check(scenario, faults=0).verdict == "holds"


def test_a_function_that_nobody_asks() -> None:
    """A probe that no fault reaches; a ready model stands for it, and then it is listed."""
    bank = adapter(Bank, (), keys_of)
    asked = card(charged, refunded, **LOOKED_UP)
    alone = Scenario(Saga("buy", Buy, [asked, ship()]), {}, [Buy()], {"CARD": bank})
    assert "CARD_CHARGED/probe (looked_up) is never asked" in missing(alone, 0)
    assert check(alone, faults=1).verdict == "holds"
    modelled = Scenario(alone.saga, {}, [Buy()])
    assert dict(check(modelled, faults=1).bound())["did not run"] == (
        "CARD_CHARGED do charged(), undo refunded(), probe looked_up()"
    )


def test_a_scenario_says_what_is_meant() -> None:
    """By name; what is not named is missed still, and a name that nothing has is refused."""
    sold_out = small(shelf(take, give_back), ship(), kept=EMPTY)
    meant = ["completed", "SHELF_TAKEN/undo", "PARCEL_SHIPPED/do"]
    answer = check(with_field(sold_out, not_shown=meant), faults=1)
    assert answer.verdict == "holds"
    assert "NO SAGA EVER COMPLETED" in dict(answer.bound())["explored"]
    assert missing(with_field(sold_out, not_shown=meant[:2])) == ("PARCEL_SHIPPED/do (shipped) is never asked",)
    with pytest.raises(
        UnusableInput, match="not_shown names 'complete', which is none of: completed, compensated, SHE"
    ):
        check(with_field(sold_out, not_shown=["complete"]))


def test_a_rule_on_the_way_to_a_refusal_is_enough() -> None:
    """A scenario of what must not be may end in a refusal; it says that no saga completed."""

    def negative(given: Any) -> bool:
        return bool(given["SHELF"]["shelf"].stock < 0)

    sold_out = small(shelf(take, give_back), ship(), kept=EMPTY)
    answer = check(with_field(sold_out, never=[negative]), faults=1)
    assert answer.verdict == "holds"
    assert "NO SAGA EVER COMPLETED" in dict(answer.bound())["explored"]


def test_it_fails_a_test_and_is_told_after_what_is_broken() -> None:
    """A counterexample comes first, and a search that was cut says nothing of what it would have shown."""
    assert issubclass(CheckShowsTooLittle, CheckFailed)
    broken = small(shelf(take, take), ship())
    assert CheckResult("x", broken, explore(broken, faults=1)).verdict == "counterexample"
    cut = small(shelf(take, give_back), ship(), kept=EMPTY)
    assert CheckResult("x", cut, explore(cut, faults=1, max_states=1)).verdict == "cut"
    plain = small(shelf(take, give_back), card(nothing, nothing), ship(), kept=EMPTY)
    assert not any("CARD_CHARGED" in text for text in missing(plain))


def test_a_probe_from_the_pivot_on_need_not_be_asked() -> None:
    """It is for what nothing else can tell, such as a key that is dead; that nothing asked it is in the answer."""
    bank = adapter(Bank, (), keys_of)
    pivot = external("CARD_CHARGED", charged, pivot=True, service="CARD", **LOOKED_UP)
    answer = check(small(shelf(take, give_back), pivot, CARD=bank), faults=1)
    assert answer.verdict == "holds"
    assert "CARD_CHARGED probe" in dict(answer.bound())["did not run"]
