"""The report of a batch: plain dicts in the contract's order of keys, sharing nothing with anyone.

The contract is docs/contract.md, "Report".
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict

from amends.core.state import Compensated, Completed, State, Status
from amends.core.table import Entry, Path
from amends.shop.checkout import LOGGED_EVENTS
from amends.shop.inventory import Product
from amends.shop.orders import CANCELED, PROCESSING, SHIPPED
from amends.shop.payments import Account
from amends.shop.purchase import Purchase


class CustomerReport(TypedDict):
    """A customer."""

    credit_limit: int
    credit_used: int
    status: str


class ProductReport(TypedDict):
    """A product."""

    stock: int
    reserved: int
    price: int
    status: str


class OrderReport(TypedDict):
    """An order, as its saga tells it."""

    customer_id: str
    product_id: str
    quantity: int
    total_amount: int
    status: str
    events_completed: list[str]
    compensation_events: list[str]


class LogEntry(TypedDict):
    """A line of the saga log."""

    order_id: str
    event: str
    service: str
    success: bool
    compensation: bool


class Report(TypedDict):
    """What a batch gives: the entities that it named, each in the order of first naming, and its orders' log."""

    customers: dict[str, CustomerReport]
    products: dict[str, ProductReport]
    orders: dict[str, OrderReport]
    saga_log: list[LogEntry]


class Placed(NamedTuple):
    """An order's saga, as a session keeps it.

    Attributes:
        purchase: what was asked.
        path: the way that the saga took; it ends in its state.
        reason: why it was compensated; empty when it was not.
    """

    purchase: Purchase
    path: Path
    reason: str


class Telling(NamedTuple):
    """What a way through the saga says in a report, whichever order took it."""

    status: str
    completed: tuple[str, ...]
    compensations: tuple[str, ...]
    log: tuple[tuple[str, str, bool, bool], ...]


def customer_report(account: Account) -> CustomerReport:
    """A customer's entry."""
    limit, used = account
    return {"credit_limit": limit, "credit_used": used, "status": "ACTIVE"}


def product_report(product: Product) -> ProductReport:
    """A product's entry."""
    return {"stock": product.stock, "reserved": product.reserved, "price": product.price, "status": "AVAILABLE"}


def order_report(placed: Placed) -> OrderReport:
    """An order's entry; read from its saga, so that an order that ORDER never had is reported too."""
    _, customer_id, product_id, quantity, total_amount, _ = placed.purchase
    status, completed, compensations, _ = telling(placed.path)
    return {
        "customer_id": customer_id,
        "product_id": product_id,
        "quantity": quantity,
        "total_amount": total_amount,
        "status": status,
        "events_completed": list(completed),
        "compensation_events": list(compensations),
    }


def log_entries(placed: Placed) -> list[LogEntry]:
    """The lines of an order's saga in the saga log."""
    order_id = placed.purchase.order_id
    return [
        {"order_id": order_id, "event": event, "service": service, "success": success, "compensation": compensation}
        for event, service, success, compensation in telling(placed.path).log
    ]


_TELLINGS: Final[dict[Path, Telling]] = {}


def telling(path: Path) -> Telling:
    """What a way says; there are few ways, so each is read once."""
    known = _TELLINGS.get(path)
    if known is None:
        known = _TELLINGS[path] = _read(path.node.state, path.story.entries)
    return known


def _read(state: State, entries: tuple[Entry, ...]) -> Telling:
    told = [entry for entry in entries if entry.event in LOGGED_EVENTS]
    return Telling(
        SHIPPED if isinstance(state, Completed) else CANCELED if isinstance(state, Compensated) else PROCESSING,
        tuple(entry.event for entry in told if entry.status is Status.DONE),
        tuple(entry.event for entry in told if entry.status is Status.UNDONE),
        tuple((e.event, e.service, e.status is not Status.REFUSED, e.status is Status.UNDONE) for e in told),
    )
