"""What follows from a saga, in a check: the functions that say so are pure, and give what is to be started."""

from __future__ import annotations

import random
import time
from typing import Any, NamedTuple

import pytest

from amends import Call, Child, Saga, Scenario, check, external, local
from amends.checking import CheckFailed, explore


class Bill(NamedTuple):
    """What an invoice is asked for."""

    cents: int


INVOICE = Saga("invoice", Bill, [local("BILL_WRITTEN", lambda _, bill: bill.cents, entity=lambda _: "b", pivot=True)])


def scenario(request_of: Any) -> Scenario:
    """Return a saga of a seat and a card, from which an invoice follows."""
    hold = local(
        "SEATS_HELD", lambda seats, _: seats + 1, undo=lambda seats, _: seats - 1, undone="SEATS_FREED",
        entity=lambda _: "s",
    )  # fmt: skip
    charge = external("CARD_CHARGED", lambda client, request, call: None, pivot=True)
    return Scenario(
        Saga("sale", dict, [hold, charge], starts=[Child(INVOICE, request_of)]), {"SEATS": {"s": 0}}, [{"seats": [1]}]
    )


def receipt(request: Any, call: Call) -> Bill:
    """Bill by what the card's company answered."""
    assert call.key == "s1/invoice"
    assert "CARD_CHARGED" in call.answers
    return Bill(len(call.answers["CARD_CHARGED"]))


@pytest.mark.parametrize("request_of", [receipt, lambda _: None, lambda request: Bill(request["seats"][0])])
def test_what_follows_by_a_pure_function_holds(request_of: Any) -> None:
    """With the answers or without; also where nothing follows."""
    assert explore(scenario(request_of)).counterexample is None


def spoils(request: Any) -> Bill:
    """Write into what it is given."""
    request["seats"].append(2)
    return Bill(1)


def by_the_clock(_: Any) -> Bill:
    """Give what is the same for a while."""
    return Bill(int(time.time()) // 10**7)


def by_chance(_: Any) -> Bill:
    """Give something else each time."""
    return Bill(random.randint(1, 10**9))


COUNTED: list[int] = []
OTHERWISE = "what differs between two calls does not matter"


def counts(_: Any) -> Bill:
    """Give something else each time."""
    COUNTED.append(1)
    return Bill(len(COUNTED))


@pytest.mark.parametrize(
    ("request_of", "rule", "text"),
    [
        (lambda request: request["price"], "what follows from a saga can be asked for", "raised KeyError: 'price'"),
        (spoils, "a decider is pure", "(spoils) changed what it was given: {'seats': [1]} became {'seats': [1, 2]}"),
        (counts, "a decider is deterministic", "(counts) gave Bill(cents="),
        (by_the_clock, OTHERWISE, "reads the clock"),
        (by_chance, "a decider is deterministic", "(by_chance) gave"),
        (lambda _, call: Bill(call.attempt), OTHERWISE, "reads call.attempt"),
        (lambda _: "a bill", "what is stored is read back as it was", "sale: the request of invoice"),
    ],
)  # fmt: skip
def test_a_function_that_does_not_say_the_same_each_time_is_found(request_of: Any, rule: str, text: str) -> None:
    """And one that raises, or gives what the saga to start cannot take: which, and what it gave."""
    with pytest.raises(CheckFailed) as failed:
        check(scenario(request_of))
    found = failed.value.answer.counterexample
    assert found is not None
    assert found.broken.rule == rule
    assert text in found.broken.text


def test_a_trace_says_what_follows_where_a_saga_has_completed() -> None:
    """In the line in which it completes; in none in which it turned back."""
    with pytest.raises(CheckFailed) as failed:
        check(scenario(lambda _: "a bill"))
    assert "invoice follows" in " ".join(str(failed.value.answer).split())
