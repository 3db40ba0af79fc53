"""SHIPPING: for each order that was shipped, how many pieces."""

from __future__ import annotations

from typing import Final

from amends.shop.purchase import Purchase

SHIPPING: Final = "SHIPPING"


def ship(shipped: int | None, purchase: Purchase) -> int:  # noqa: ARG001 - there is no shipment before
    """ORDER_SHIPPED."""
    return purchase.quantity
