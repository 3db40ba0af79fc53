"""Drawing a batch: its orders with their timelines, then the customers and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Final

from rich.text import Text

from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, bar
from amends.entrypoints.drawing.tables import Rows, table
from amends.entrypoints.drawing.timeline import draw_timeline
from amends.lines import Signs
from amends.shop.views import BatchView, CustomerView, OrderView, ProductView

SHIPPED_IN_FULL_MAX: Final = 6  # two lines each and one between, beside the books: more would not fit a screen
ROWS_MAX: Final = 50  # what a person still reads; --json has them all
LINES_AT_A_TIME: Final = 500  # of a long batch, so that a person sees them come
BAR: Final = 10  # columns: a tenth each
BETWEEN_TABLES: Final = 4
ENDS: Final = {"SHIPPED": "shipped", "CANCELED": "canceled and made good", "PROCESSING": "not at an end"}
STATUS_STYLES: Final = {"SHIPPED": "bold green", "CANCELED": "bold yellow", "PROCESSING": "bold blue"}


def draw_batch(paper: Paper, batch: BatchView) -> None:
    """Draw all that a batch named."""
    lines = _orders(paper, batch.orders)
    while some := [*islice(lines, LINES_AT_A_TIME)]:
        paper.write(*some)
    if batch.customers or batch.products:
        draw_books(paper, batch.customers, batch.products)
        paper.write("")
    paper.write(_sum(batch.orders))


def draw_order(paper: Paper, order: OrderView) -> list[Text]:
    """The lines of one order: what it asks for, and its timeline."""
    return [_heading(paper.signs, order), *draw_timeline(paper, order.steps, order.reason)]


def draw_books(paper: Paper, customers: Sequence[CustomerView], products: Sequence[ProductView]) -> None:
    """Draw customers and products, side by side where there is room."""
    left, right = _customers(paper.signs, customers), _products(paper.signs, products)
    column = max((line.cell_len for line in left), default=-BETWEEN_TABLES) + BETWEEN_TABLES
    if not left or column + max((line.cell_len for line in right), default=0) > paper.width:
        paper.write(*left, *[Text()] * bool(left and right), *right)
    else:
        pairs = zip_longest(left, right, fillvalue=Text())
        paper.write(*(Text.assemble(one, " " * (column - one.cell_len), other) for one, other in pairs))


def _orders(paper: Paper, orders: Sequence[OrderView]) -> Iterator[Text]:
    in_full = sum(order.status == "SHIPPED" for order in orders) <= SHIPPED_IN_FULL_MAX
    for order in orders:
        if in_full:
            yield from (*draw_order(paper, order), Text())
        elif order.status == "SHIPPED":
            yield _heading(paper.signs, order)
        else:
            yield from draw_order(paper, order)
    if not in_full:
        yield Text()


def _heading(signs: Signs, order: OrderView) -> Text:
    wants = f"{order.customer_id} buys {order.quantity} {signs.times} {order.product_id} for {order.total_amount}"
    return Text.assemble(
        (order.order_id, "bold"), "  ", (f"{order.status:8}", STATUS_STYLES[order.status]), "  ", wants
    )


def _sum(orders: Sequence[OrderView]) -> str:
    counts = Counter(order.status for order in orders)
    parts = ", ".join(f"{counts[status]} {what}" for status, what in ENDS.items() if counts[status])
    return f"{len(orders)} order{'s' * (len(orders) != 1)}" + (f": {parts}" if parts else "")


def _customers(signs: Signs, customers: Sequence[CustomerView]) -> list[Text]:
    rows: Rows = [
        (
            Text(customer.customer_id, "bold"),
            _credit(signs, customer.credit_used, customer.credit_limit),
            Text(str(customer.credit_used)),
            Text(f"of {customer.credit_limit}"),
        )
        for customer in customers[:ROWS_MAX]
    ]
    return table(("customer", "credit", ">used", ">limit"), rows) + _rest(signs, len(customers))


def _products(signs: Signs, products: Sequence[ProductView]) -> list[Text]:
    rows: Rows = [
        (
            Text(product.product_id, "bold"),
            *(Text(str(n)) for n in (product.stock, product.reserved, product.shipped, product.price)),
        )
        for product in products[:ROWS_MAX]
    ]
    return table(("product", ">stock", ">reserved", ">shipped", ">price"), rows) + _rest(signs, len(products))


def _rest(signs: Signs, count: int) -> list[Text]:
    return [Text(f"{signs.more} {count - ROWS_MAX} more", FAINT)] if count > ROWS_MAX else []


def _credit(signs: Signs, used: int, limit: int) -> Text:
    return bar(signs, used, limit, BAR, STYLES["refused" if used > limit else "done"])
