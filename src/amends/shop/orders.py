"""ORDER: the order rows, and the next order number."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.core.definition import Command
from amends.shop.purchase import Purchase
from amends.shop.values import new

ORDER: Final = "ORDER"
NUMBERING: Final = "numbering"  # the id of the counter's entity; an order's id begins with O and a digit

PROCESSING: Final = "PROCESSING"
SHIPPED: Final = "SHIPPED"
CANCELED: Final = "CANCELED"


class Order(NamedTuple):
    """An order as ORDER keeps it.

    Attributes:
        customer_id: who ordered.
        product_id: what.
        quantity: how many.
        total_amount: for how much.
        status: `PROCESSING`, `SHIPPED` or `CANCELED`.
    """

    customer_id: str
    product_id: str
    quantity: int
    total_amount: int
    status: str


def create(before: Order | None, purchase: Purchase) -> Order:  # noqa: ARG001 - there is none before
    """ORDER_CREATED."""
    _order_id, customer_id, product_id, quantity, total_amount, _short = purchase
    return new(Order, (customer_id, product_id, quantity, total_amount, PROCESSING))


def cancel(order: Order, _: Purchase) -> Order:
    """ORDER_CANCELED: the row stays."""
    return order._replace(status=CANCELED)


def complete(order: Order, _: Purchase) -> Order:
    """ORDER_COMPLETED."""
    customer_id, product_id, quantity, total_amount, _status = order
    return new(Order, (customer_id, product_id, quantity, total_amount, SHIPPED))


def left(before: Order | None, purchase: Purchase) -> Order:
    """What a compensated order leaves on purpose: its row, canceled (contract, "The order saga")."""
    return cancel(create(before, purchase), purchase)


def order_id_of(number: int) -> str:
    """``O001``, ``O002``, ... ``O999``, ``O1000``."""
    return "O%03d" % number  # noqa: UP031 - takes two thirds of an f-string's time


def take_numbers(last: int | None, count: int) -> int:
    """ORDER_NUMBERS_TAKEN: numbers count from 1, without gaps; a batch takes its numbers together."""
    return (last or 0) + count


NUMBERS_TAKEN: Final = Command("ORDER_NUMBERS_TAKEN", ORDER, take_numbers)
