"""What people look at: the orders, customers and products that a batch named, as plain frozen values.

Every door that shows something to a person reads these, so that all of them show the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amends.core.definition import Step
from amends.core.state import Debt, Status
from amends.shop.batch import NamedEntities
from amends.shop.checkout import TABLE
from amends.shop.inventory import Product
from amends.shop.payments import Account
from amends.shop.report import PlacedOrder, placed_of


@dataclass(frozen=True, slots=True)
class StepView:
    """A step on the timeline of one saga.

    Attributes:
        event: its name.
        service: the participant.
        outcome: ``done``, ``refused`` or ``unknown``; empty when it was never asked.
        undone: the event of its compensation, once that took place; else empty.
    """

    event: str
    service: str
    outcome: str
    undone: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order and its timeline.

    Attributes:
        order_id: ``O001``, ``O002``, ...
        customer_id: who ordered.
        product_id: what.
        quantity: how many.
        total_amount: for how much.
        status: ``SHIPPED``, ``CANCELED`` or ``PROCESSING``.
        steps: those of the contract's table, in its order.
        reason: why it went back; empty when it did not.
    """

    order_id: str
    customer_id: str
    product_id: str
    quantity: int
    total_amount: int
    status: str
    steps: tuple[StepView, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer's credit."""

    customer_id: str
    credit_used: int
    credit_limit: int


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product's stock and price; `shipped` pieces have left for good."""

    product_id: str
    stock: int
    reserved: int
    shipped: int
    price: int


@dataclass(frozen=True, slots=True)
class BatchView:
    """What a batch named, as it stands after it, each in the order of first naming."""

    orders: tuple[OrderView, ...]
    customers: tuple[CustomerView, ...]
    products: tuple[ProductView, ...]


def batch_view(named: NamedEntities) -> BatchView:
    """What a batch named, for people.

    Args:
        named: `Session.named`.
    """
    return BatchView(
        tuple(order_view(placed_of(row)) for row in named.orders.values()),
        tuple(customer_view(*customer) for customer in named.customers.items()),
        tuple(product_view(*product) for product in named.products.items()),
    )


def order_view(placed: PlacedOrder) -> OrderView:
    """An order, read from its saga."""
    asked = placed.purchase
    steps = timeline(TABLE, placed.told.entries)
    return OrderView(
        asked.order_id, asked.customer_id, asked.product_id, asked.quantity, asked.total_amount,
        placed.told.status, steps, placed.reason,
    )  # fmt: skip


def customer_view(customer_id: str, account: Account) -> CustomerView:
    """A customer, as PAYMENT keeps it."""
    return CustomerView(customer_id, account.credit_used, account.credit_limit)


def product_view(product_id: str, product: Product) -> ProductView:
    """A product, as INVENTORY keeps it."""
    return ProductView(product_id, product.stock, product.reserved, product.settled, product.price)


def timeline(steps: Iterable[Step], entries: Iterable[tuple[str, str, Status | Debt]]) -> tuple[StepView, ...]:
    """Each step with what became of it.

    Args:
        steps: in their order.
        entries: a saga's trail: event, service and status, in the order in which they happened.
    """
    outcomes = {event: status.value for event, _, status in entries if isinstance(status, Status)}
    return tuple(
        StepView(step.event, step.service, outcomes.get(step.event, ""), step.undone if step.undone in outcomes else "")
        for step in steps
    )
