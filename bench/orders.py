"""The orders that stores and engines are measured with: 1000 customers, 1000 products, each tenth order fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

CUSTOMERS: Final = 1000
PRODUCTS: Final = 1000
STOCK: Final = 1_000_000  # of each product: it never runs out


class Order(NamedTuple):
    """One order; `fails` says that there is no stock for it."""

    number: int
    customer: int
    product: int
    amount: int
    quantity: int
    fails: bool


class Totals(NamedTuple):
    """What the orders come to: money owed, pieces taken, orders shipped, orders canceled."""

    money: int
    taken: int
    shipped: int
    canceled: int


def order(number: int) -> Order:
    """The order of a number."""
    return Order(
        number, number % CUSTOMERS, number * 7 % PRODUCTS, 10 + number % 7, 1 + number % 3, fails=number % 10 == 9
    )


def totals(numbers: Iterable[int]) -> Totals:
    """What must hold once these orders ran."""
    orders = [order(number) for number in numbers]
    shipped = [one for one in orders if not one.fails]
    money, taken = sum(one.amount for one in shipped), sum(one.quantity for one in shipped)
    return Totals(money, taken, len(shipped), len(orders) - len(shipped))
