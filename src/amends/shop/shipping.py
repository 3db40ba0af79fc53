"""SHIPPING: the shipments."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.shop.purchase import Purchase

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


def ship(_: Shipment | None, purchase: Purchase) -> Shipment:
    """ORDER_SHIPPED."""
    return Shipment(purchase.customer_id, purchase.product_id, purchase.quantity)
