"""The order saga's small worlds: they hold, and show what they are there to show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amends import Refused, Scenario, check
from amends.checking import CheckFailed, explore
from amends.core.state import Compensated, Completed
from amends.shop.inventory import INVENTORY, Product
from amends.shop.payments import PAYMENT, Account
from amends.shop.scenarios import (
    ONE_ORDER,
    TWO_ORDERS_ONE_CREDIT,
    TWO_ORDERS_ONE_STOCK,
    credit_is_negative,
    stock_does_not_add_up,
)

TWO = {"stock": TWO_ORDERS_ONE_STOCK, "credit": TWO_ORDERS_ONE_CREDIT}


def test_an_order_alone_holds_with_two_faults() -> None:
    """Whatever goes wrong with it."""
    assert check(ONE_ORDER, faults=2).states > 1000


@pytest.mark.parametrize("scenario", TWO.values(), ids=list(TWO))
def test_two_orders_hold(scenario: Scenario) -> None:
    """With one fault."""
    assert check(scenario, faults=1).states > 5_000


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (TWO_ORDERS_ONE_STOCK, "2 wanted, 1 in stock"),
        (TWO_ORDERS_ONE_CREDIT, "200 exceeds the credit left: 100 of 300"),
    ],
    ids=list(TWO),
)
def test_they_compete(scenario: Scenario, reason: str) -> None:
    """One of them may be refused for what the other has; either may complete."""
    stage = explore(scenario, faults=0).moves.layout
    said = {message.outcome for message in map(stage.messages.__getitem__, range(len(stage.messages)))}
    assert Refused(reason) in said
    ended = {type(run.state) for run in map(stage.runs.__getitem__, range(len(stage.runs)))}
    assert {Completed, Compensated} <= ended


@pytest.mark.parametrize(
    ("product", "wrong"),
    [
        (Product(3, 0, 0, 3, 100), ""),
        (Product(1, 2, 0, 3, 100), ""),
        (Product(3, 2, 0, 3, 100), "P001: stock 3 + reserved 2 + settled 0, and 3 came in"),
        (Product(-1, 4, 0, 3, 100), "P001: stock -1 + reserved 4 + settled 0, and 3 came in"),
    ],
)
def test_stock_adds_up(product: Product, wrong: str) -> None:
    """And none of it is negative."""
    assert stock_does_not_add_up({INVENTORY: {"P001": product}}) == wrong


@pytest.mark.parametrize(("used", "wrong"), [(0, ""), (1, ""), (-1, "C001: -1 of 9 is used")])
def test_credit_is_never_negative(used: int, wrong: str) -> None:
    """Nobody is refunded more than was taken."""
    assert credit_is_negative({PAYMENT: {"C001": Account(9, used)}}) == wrong


def test_what_must_never_be_is_found_when_it_is() -> None:
    """A saga that sells what it does not have breaks the rule."""

    def oversell(product: Product, purchase: object) -> Product:
        return product._replace(stock=product.stock - 9)

    broken = replace(ONE_ORDER, saga=ONE_ORDER.saga.replacing("INVENTORY_RESERVED", oversell))
    with pytest.raises(CheckFailed, match="never: stock_does_not_add_up"):
        check(broken, faults=0)
