"""ORDER: the order rows, and the next order number."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.core.definition import Command
from amends.shop.purchase import Purchase

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


def create(_: Order | None, purchase: Purchase) -> Order:
    """ORDER_CREATED."""
    _, customer_id, product_id, quantity, total_amount, _ = purchase
    return Order(customer_id, product_id, quantity, total_amount, PROCESSING)


def cancel(order: Order, _: Purchase) -> Order:
    """ORDER_CANCELED: the row stays."""
    return order._replace(status=CANCELED)


def complete(order: Order, _: Purchase) -> Order:
    """ORDER_COMPLETED."""
    customer_id, product_id, quantity, total_amount, _ = order
    return Order(customer_id, product_id, quantity, total_amount, SHIPPED)


def left(before: Order | None, purchase: Purchase) -> Order:
    """What a compensated order leaves on purpose: its row, canceled (contract, "The order saga")."""
    return cancel(create(before, purchase), purchase)


def take_number(last: int | None, _: object) -> int:
    """ORDER_NUMBER_TAKEN: numbers count from 1, without gaps."""
    return (last or 0) + 1


NUMBER_TAKEN: Final = Command("ORDER_NUMBER_TAKEN", ORDER, take_number)
