"""SHIPPING: the shipments."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.shop.purchase import Purchase
from amends.shop.values import new

SHIPPING: Final = "SHIPPING"


class Shipment(NamedTuple):
    """What was shipped for an order.

    Attributes:
        customer_id: to whom.
        product_id: what.
        quantity: how many.
    """

    customer_id: str
    product_id: str
    quantity: int


def ship(before: Shipment | None, purchase: Purchase) -> Shipment:  # noqa: ARG001 - there is none before
    """ORDER_SHIPPED."""
    _order_id, customer_id, product_id, quantity, _total_amount, _short = purchase
    return new(Shipment, (customer_id, product_id, quantity))
