"""Drawing a batch: its orders with their timelines, then the customers and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Final

from rich.text import Text

from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, bar
from amends.entrypoints.drawing.tables import Rows, table
from amends.entrypoints.drawing.timeline import draw_timeline, timeline
from amends.lines import Signs
from amends.shop.batch import NamedEntities
from amends.shop.checkout import TABLE
from amends.shop.inventory import Product
from amends.shop.payments import Account
from amends.shop.report import PlacedOrder, placed_of

SHIPPED_IN_FULL_MAX: Final = 6  # two lines each and one between, beside the books: more would not fit a screen
ROWS_MAX: Final = 50  # what a person still reads; --json has them all
LINES_AT_A_TIME: Final = 500  # of a long batch, so that a person sees them come
BAR: Final = 10  # columns: a tenth each
BETWEEN_TABLES: Final = 4
ENDS: Final = {"SHIPPED": "shipped", "CANCELED": "canceled and made good", "PROCESSING": "not at an end"}
STATUS_STYLES: Final = {"SHIPPED": "bold green", "CANCELED": "bold yellow", "PROCESSING": "bold blue"}


def draw_batch(paper: Paper, named: NamedEntities) -> None:
    """Draw all that a batch named."""
    orders = [*map(placed_of, named.orders.values())]
    lines = _orders(paper, orders)
    while some := [*islice(lines, LINES_AT_A_TIME)]:
        paper.write(*some)
    if named.customers or named.products:
        draw_books(paper, named.customers, named.products)
        paper.write("")
    paper.write(_sum(orders))


def draw_order(paper: Paper, order: PlacedOrder) -> list[Text]:
    """The lines of one order: what it asks for, and its timeline."""
    return [_heading(paper.signs, order), *draw_timeline(paper, timeline(TABLE, order.told.entries), order.reason)]


def draw_books(paper: Paper, customers: Mapping[str, Account], products: Mapping[str, Product]) -> None:
    """Draw customers and products, side by side where there is room."""
    left, right = _customers(paper.signs, customers), _products(paper.signs, products)
    column = max((line.cell_len for line in left), default=-BETWEEN_TABLES) + BETWEEN_TABLES
    if not left or column + max((line.cell_len for line in right), default=0) > paper.width:
        paper.write(*left, *[Text()] * bool(left and right), *right)
    else:
        pairs = zip_longest(left, right, fillvalue=Text())
        paper.write(*(Text.assemble(one, " " * (column - one.cell_len), other) for one, other in pairs))


def _orders(paper: Paper, orders: Sequence[PlacedOrder]) -> Iterator[Text]:
    in_full = sum(order.told.status == "SHIPPED" for order in orders) <= SHIPPED_IN_FULL_MAX
    for order in orders:
        if in_full:
            yield from (*draw_order(paper, order), Text())
        elif order.told.status == "SHIPPED":
            yield _heading(paper.signs, order)
        else:
            yield from draw_order(paper, order)
    if not in_full:
        yield Text()


def _heading(signs: Signs, order: PlacedOrder) -> Text:
    asked, status = order.purchase, order.told.status
    wants = f"{asked.customer_id} buys {asked.quantity} {signs.times} {asked.product_id} for {asked.total_amount}"
    return Text.assemble((asked.order_id, "bold"), "  ", (f"{status:8}", STATUS_STYLES[status]), "  ", wants)


def _sum(orders: Sequence[PlacedOrder]) -> str:
    counts = Counter(order.told.status for order in orders)
    parts = ", ".join(f"{counts[status]} {what}" for status, what in ENDS.items() if counts[status])
    return f"{len(orders)} order{'s' * (len(orders) != 1)}" + (f": {parts}" if parts else "")


def _customers(signs: Signs, customers: Mapping[str, Account]) -> list[Text]:
    rows: Rows = [
        (Text(name, "bold"), _credit(signs, used, limit), Text(str(used)), Text(f"of {limit}"))
        for name, (limit, used) in islice(customers.items(), ROWS_MAX)
    ]
    return table(("customer", "credit", ">used", ">limit"), rows) + _rest(signs, len(customers))


def _products(signs: Signs, products: Mapping[str, Product]) -> list[Text]:
    rows: Rows = [
        (Text(name, "bold"), *(Text(str(n)) for n in (stock, reserved, shipped, price)))
        for name, (stock, reserved, shipped, _, price) in islice(products.items(), ROWS_MAX)
    ]
    return table(("product", ">stock", ">reserved", ">shipped", ">price"), rows) + _rest(signs, len(products))


def _rest(signs: Signs, count: int) -> list[Text]:
    return [Text(f"{signs.more} {count - ROWS_MAX} more", FAINT)] if count > ROWS_MAX else []


def _credit(signs: Signs, used: int, limit: int) -> Text:
    return bar(signs, used, limit, BAR, STYLES["refused" if used > limit else "done"])
