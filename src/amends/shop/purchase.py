"""The request of the order saga: what was asked, with everything that is frozen when the order is placed."""

from __future__ import annotations

from typing import NamedTuple


class Purchase(NamedTuple):
    """One order, as each service is asked for its part of it.

    Attributes:
        order_id: ``O001``, ``O002``, ...; also the saga's id.
        customer_id: who orders.
        product_id: what.
        quantity: how many, 0 to 1000.
        total_amount: quantity times the price at that moment.
        short: the quantity exceeded the stock at that moment, so that INVENTORY refuses it (contract, "Short").
    """

    order_id: str
    customer_id: str
    product_id: str
    quantity: int
    total_amount: int
    short: bool
