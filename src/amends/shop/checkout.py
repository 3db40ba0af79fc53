"""The order saga, on one screen: what happens to an order, and what makes amends for each part of it.

The contract is docs/contract.md, "The order saga".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from amends.core.definition import Saga, local
from amends.core.messages import Refused
from amends.shop.inventory import INVENTORY, release, reserve, settle
from amends.shop.orders import cancel, complete, create, left
from amends.shop.payments import PAYMENT, process, refund
from amends.shop.purchase import Purchase
from amends.shop.shipping import SHIPPING, ship
from amends.shop.values import new

ORDER_OF: Final = attrgetter("order_id")
CUSTOMER_OF: Final = attrgetter("customer_id")
PRODUCT_OF: Final = attrgetter("product_id")


def place(entities: Mapping[str, Mapping[str, Any]], order_id: str, asked: Sequence[Any]) -> Purchase | Refused:
    """Freeze what an order asks for: its amount, and whether it is short.

    Args:
        entities: only read.
        order_id: the number that ORDER gives it, if it is placed.
        asked: the operation: its name, customer, product and quantity.
    """
    _name, customer_id, product_id, quantity = asked
    if customer_id not in entities[PAYMENT]:
        return Refused("no such customer (yet)")
    product = entities[INVENTORY].get(product_id)
    if product is None:
        return Refused("no such product (yet)")
    amount, short = quantity * product.price, quantity > product.stock
    return new(Purchase, (order_id, customer_id, product_id, quantity, amount, short))


CHECKOUT: Final = Saga(
    "checkout",
    Purchase,
    [
        local("ORDER_CREATED", create, entity=ORDER_OF, undo=cancel, undone="ORDER_CANCELED", leaves=left),
        local("PAYMENT_PROCESSED", process, entity=CUSTOMER_OF, undo=refund, undone="PAYMENT_REFUNDED"),
        local(
            "INVENTORY_RESERVED",
            reserve,
            entity=PRODUCT_OF,
            undo=release,
            undone="INVENTORY_RELEASED",
            holds=["reserved"],
        ),
        local("ORDER_SHIPPED", ship, entity=ORDER_OF, service=SHIPPING, pivot=True),
        local("INVENTORY_SETTLED", settle, entity=PRODUCT_OF),
        local("ORDER_COMPLETED", complete, entity=ORDER_OF),
    ],
    prepare=place,
    reads=lambda asked: ((PAYMENT, asked[1]), (INVENTORY, asked[2])),
)

TABLE: Final = tuple(CHECKOUT.every_step())[: CHECKOUT.pivot + 1]
SERVICES: Final = tuple(step.service for step in TABLE)
"""The services, in the order of the contract's table."""

LOGGED_EVENTS: Final = {event for step in TABLE for event in (step.event, step.undone)}
"""The events of the contract's table; all others are in the audit alone."""


def inject(*_: object) -> Refused:
    """The failure that a batch injects, in the place of any action."""
    return Refused("injected failure")


def failing_at(saga: Saga) -> tuple[Saga, ...]:
    """A saga of the orders with a failure injected at each service of `SERVICES`; no decider knows of it.

    Each has a name of its own: one that is under way when the process ends goes on to fail where it was to fail.
    """
    return tuple(
        replace(saga.replacing(step.event, inject), name=f"{saga.name} failing at {step.service}") for step in TABLE
    )


FAILING_AT: Final = failing_at(CHECKOUT)
