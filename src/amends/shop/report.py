"""The report of a batch: plain dicts in the contract's order of keys, sharing nothing with anyone.

The contract is docs/contract.md, "Report".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypedDict

from amends.core.state import Compensated, Completed, Status
from amends.core.table import Entry, Way
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


class Telling(NamedTuple):
    """What the trail of a saga says, whichever order left it.

    Attributes:
        entries: the trail.
        status: of the order.
        completed: events of the contract's table.
        compensations: events of the contract's table that were undone, the last first.
        log: lines of the saga log, for any order: the id is to be filled in.
    """

    entries: tuple[Entry, ...]
    status: str
    completed: tuple[str, ...]
    compensations: tuple[str, ...]
    log: tuple[LogEntry, ...]


class PlacedOrder(NamedTuple):
    """An order's saga, as a session knows it.

    Attributes:
        purchase: what was asked.
        told: what the saga's trail says in a report.
        reason: why it was compensated; empty when it was not.
    """

    purchase: Purchase
    told: Telling
    reason: str


Row = tuple[str, str, str, int, int, bool, str, str]
"""An order's saga, as a session keeps it: a purchase's fields, the name of its trail, and the reason.

A plain tuple of strings and numbers, which the garbage collector does not keep visiting, and which packs well.
"""


def placed_of(row: Row) -> PlacedOrder:
    """What a row says."""
    trail, reason = row[-2:]
    return PlacedOrder(Purchase(*row[:-2]), TELLINGS[trail], reason)


def customer_report(account: Account) -> CustomerReport:
    """A customer's entry."""
    limit, used = account
    return {"credit_limit": limit, "credit_used": used, "status": "ACTIVE"}


def product_report(product: Product) -> ProductReport:
    """A product's entry."""
    return {"stock": product.stock, "reserved": product.reserved, "price": product.price, "status": "AVAILABLE"}


def order_report(row: Row) -> OrderReport:
    """An order's entry; read from its saga, so that an order that ORDER never had is reported too."""
    _order_id, customer_id, product_id, quantity, total_amount, _short, trail, _reason = row
    _entries, status, completed, compensations, _log = TELLINGS[trail]
    return {
        "customer_id": customer_id,
        "product_id": product_id,
        "quantity": quantity,
        "total_amount": total_amount,
        "status": status,
        "events_completed": [*completed],
        "compensation_events": [*compensations],
    }


def log_report(rows: Iterable[Row]) -> list[LogEntry]:
    """The saga log of some orders, one after the other."""
    lines = []
    for order_id, _customer_id, _product_id, _quantity, _total_amount, _short, trail, _reason in rows:
        for template in TELLINGS[trail].log:
            line = template.copy()  # takes two thirds of the time of a new dict, and there are five for an order
            line["order_id"] = order_id
            lines.append(line)
    return lines


TELLINGS: Final[dict[str, Telling]] = {}
"""What each trail says, by its name; there are few trails, so each is read once."""


def trail_name(state: object, entries: tuple[Entry, ...]) -> str:
    """The name of a trail: the order's status, and what happened, in words. What it says is read when it is new.

    Args:
        state: the saga's.
        entries: its trail.
    """
    status = SHIPPED if isinstance(state, Completed) else CANCELED if isinstance(state, Compensated) else PROCESSING
    name = "; ".join([status, *(f"{entry.event} {entry.status.value}" for entry in entries)])
    if name not in TELLINGS:
        TELLINGS[name] = _read(status, entries)
    return name


class _Ways(dict[Way, str]):
    """The name of the trail that each way leaves."""

    def __missing__(self, path: Way) -> str:
        name = self[path] = trail_name(path.node.state, path.story.entries)
        return name


WAYS: Final = _Ways()


def _read(status: str, entries: tuple[Entry, ...]) -> Telling:
    told = [entry for entry in entries if entry.event in LOGGED_EVENTS]
    return Telling(
        entries,
        status,
        tuple(entry.event for entry in told if entry.status is Status.DONE),
        tuple(entry.event for entry in told if entry.status is Status.UNDONE),
        tuple(_log_entry(entry) for entry in told),
    )


def _log_entry(entry: Entry) -> LogEntry:
    """A line of the log, for any order: its id is to be filled in."""
    return {
        "order_id": "",
        "event": entry.event,
        "service": entry.service,
        "success": entry.status in (Status.DONE, Status.UNDONE),
        "compensation": entry.status is Status.UNDONE,
    }
