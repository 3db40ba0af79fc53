"""Whatever a function of the scenario raises is drawn: who raised what, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from amends import Call, Done, Refused, Saga, Scenario, Step, local
from amends.checking import CheckFailed, CheckResult, Model, SystemReply, adapter, check, explore
from amends.checking.api import replayed
from tests.checking.planted.participant_bugs import (
    BANK,
    LOOKED_UP,
    Bank,
    Buy,
    card,
    charged,
    give_back,
    refunded,
    shelf,
    ship,
    shipped,
    small,
    take,
)


def boom(*_: Any) -> Any:
    """Raise, with a text."""
    raise KeyError("row 7")


def failed(scenario: Scenario, faults: int = 1) -> CheckResult:
    """Return the answer of a check that fails, drawn, and shown again by its token."""
    with pytest.raises(CheckFailed) as caught:
        check(scenario, faults=faults)
    answer = caught.value.answer
    assert "boom" in str(caught.value)
    again = replayed(scenario, answer.token)
    assert again is not None
    assert again.counterexample is not None
    assert answer.counterexample is not None
    assert again.counterexample.broken == answer.counterexample.broken
    return answer


def rule_and_text(answer: CheckResult) -> tuple[str, str]:
    """Return what is broken."""
    assert answer.counterexample is not None
    return answer.counterexample.broken[:2]


def outside(*steps: Step, **models: Model) -> Scenario:
    """Return a scenario in which nothing is kept on a shelf."""
    return Scenario(Saga("buy", Buy, list(steps)), {}, [Buy()], models)


def raising_model() -> Model:
    """Return a model whose own function raises."""

    def replies(books: Any, request: Any, step: Any) -> Iterator[SystemReply]:
        yield SystemReply(boom(), Done())

    return Model("raises", (), replies, None)


def raising_never(given: Any) -> str:
    """Raise where something must not be."""
    return boom() if given["SHELF"]["shelf"].stock < 3 else ""


PLAIN = small(shelf(take, give_back), ship())
NAMELESS = local("SHELF_TAKEN", take, undo=give_back, undone="SHELF_GIVEN_BACK", entity=boom)
SHIP_NAMELESS = local("PARCEL_SHIPPED", shipped, pivot=True, entity=boom)
RAISING = {
    "a decider": (small(shelf(boom, give_back), ship()), "a decider raises", "SHELF_TAKEN/do (boom)"),
    "an entity": (small(NAMELESS, ship()), "an entity has a name", "SHELF_TAKEN's entity= (boom)"),
    "a later entity": (
        small(shelf(take, give_back), SHIP_NAMELESS),
        "an entity has a name",
        "PARCEL_SHIPPED's entity=",
    ),
    "never": (
        Scenario(PLAIN.saga, PLAIN.given, PLAIN.requests, never=[raising_never]),
        "never: raising_never",
        "raising_never",
    ),
    "leaves": (small(shelf(take, give_back, leaves=boom), ship()), "what is compensated is as before", "leaves="),
    "a model": (
        outside(card(charged, refunded), ship(), CARD=raising_model()),
        "a model raises",
        "CARD (raises), asked",
    ),
    "standing": (
        outside(card(charged, refunded), ship(), CARD=adapter(Bank, standing=boom)),
        "a model raises",
        "CARD's standing= (boom)",
    ),
    "a client": (
        outside(card(charged, refunded), ship(), CARD=adapter(boom)),
        "a model raises",
        "CARD (the saga's own",
    ),
    "an adapter's undo": (outside(card(charged, boom), ship(), CARD=BANK), "every saga ends", "CARD_CHARGED/undo"),
    "a probe": (
        outside(card(charged, refunded, **{**LOOKED_UP, "probe": boom}), ship(), CARD=BANK),
        "every saga ends",
        "CARD_CHARGED/probe",
    ),
    "an adapter's action": (
        small(shelf(take, give_back), card(boom, refunded), ship(), CARD=BANK),
        "a function does not always raise",
        "CARD_CHARGED/do",
    ),
}


@pytest.mark.parametrize("who", RAISING)
def test_an_exception_is_drawn(who: str) -> None:
    """Who raised what, and where; the token shows it again."""
    scenario, rule, name = RAISING[who]
    found = rule_and_text(failed(scenario))
    assert found[0] == rule
    assert name in found[1]
    assert "KeyError: 'row 7'" in found[1]
    assert "test_exceptions_of_functions.py:" in found[1]
    assert "in boom" in found[1]


def test_a_function_that_raises_now_and_then_is_not_broken() -> None:
    """Only one that raises whatever it is asked with is."""

    def charged_but_ann(bank: Any, buy: Buy, call: Call) -> Done:
        return boom() if buy.who == "Ann" else charged(bank, buy, call)

    scenario = small(card(charged_but_ann, refunded, **LOOKED_UP), ship(), buys=(Buy("Ann"), Buy("Bob")), CARD=BANK)
    assert explore(scenario, faults=0).held


def test_a_rule_that_changes_what_it_looks_at_is_told() -> None:
    """It would change what is explored."""

    def spoils(given: Any) -> None:
        given["SHELF"].clear()

    never = Scenario(PLAIN.saga, PLAIN.given, PLAIN.requests, never=[spoils])
    with pytest.raises(CheckFailed, match="spoils changed what it looks at"):
        check(never, faults=0)


class Ledger:
    """Books as many write them: without ``==``, and with a list that invites to be changed in place."""

    def __init__(self, cents: int = 0) -> None:
        self.cents = cents


class Till:
    """A client that keeps a ledger."""

    def __init__(self, books: Ledger) -> None:
        self.books = books

    def add(self, cents: int) -> None:
        """Make a new ledger."""
        self.books = Ledger(self.books.cents + cents)


class InPlace(Till):
    """A client that writes into the very ledger that it was given."""

    def add(self, cents: int) -> None:
        """Write it down."""
        self.books.cents += cents


def paid(till: Till, buy: Buy, call: Call) -> Done:
    """Pay, once."""
    if till.books.cents < buy.pieces:
        till.add(buy.pieces)
    return Done(call.key)


def paid_back(till: Till, buy: Buy, call: Call) -> None:
    """Pay back, once."""
    if call.answer and till.books.cents >= buy.pieces:
        till.add(-buy.pieces)


def half_paid_back(till: Till, buy: Buy, call: Call) -> None:
    """Pay half of it back, once."""
    if call.answer and till.books.cents >= buy.pieces:
        till.add(-buy.pieces // 2)


def known(till: Till, buy: Buy, call: Call) -> Done | Refused:
    """Look whether it was paid."""
    return Done(call.key) if till.books.cents else Refused("nothing was paid")


def ledger(undo: Any, client: Any = Till) -> Scenario:
    """Return a sale whose books are a ledger."""
    paying = card(paid, undo, probe=known, settles_within_s=60)
    return outside(paying, ship(), CARD=adapter(client, Ledger()))


def test_books_that_are_changed_in_place_are_told() -> None:
    """Of an adapter, too: the books before are what other histories go on from."""
    spoilt = r"changed its books in place: Ledger\(cents=0\) became Ledger\(cents=2\)"
    with pytest.raises(CheckFailed, match=spoilt):
        check(ledger(paid_back, InPlace), faults=0)


def test_books_without_equality_are_compared_by_their_fields() -> None:
    """And their class is named as one that has none."""
    assert explore(ledger(paid_back), faults=1).held
    with pytest.raises(
        CheckFailed, match=r"has Ledger\(cents=1\); it was to have Ledger\(cents=0\) \(Ledger\s+has no =="
    ):
        check(ledger(half_paid_back), faults=1)


def test_mutable_sets_do_not_change_what_is_explored() -> None:
    """Nor does the order in which they came to be."""

    def add(names: set[str], buy: Buy) -> set[str]:
        return {*names, buy.who}

    def remove(names: set[str], buy: Buy) -> set[str]:
        return names - {buy.who}

    buys = (Buy("Ann"), Buy("Bob"))
    with_sets = explore(small(shelf(add, remove), ship(), kept={"Zoe", "Cleo"}, buys=buys), faults=1)

    def add_sorted(names: tuple[str, ...], buy: Buy) -> tuple[str, ...]:
        return tuple(sorted({*names, buy.who}))

    def remove_sorted(names: tuple[str, ...], buy: Buy) -> tuple[str, ...]:
        return tuple(sorted({*names} - {buy.who}))

    kept = ("Cleo", "Zoe")
    with_tuples = explore(small(shelf(add_sorted, remove_sorted), ship(), kept=kept, buys=buys), faults=1)
    assert with_sets.held
    assert with_sets.progress[:3] == with_tuples.progress[:3]
