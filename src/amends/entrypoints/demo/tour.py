"""``amends demo``: a tour. All that it shows has just been run."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import Any, Final, NamedTuple

from rich.text import Text

from amends.entrypoints.demo.box_office import as_before, show_breaking, show_mending, show_running, show_saga
from amends.entrypoints.demo.crash import show_crash
from amends.entrypoints.drawing.books import draw_books, draw_order
from amends.entrypoints.drawing.paper import Paper, paper
from amends.shop import Session
from amends.shop.checkout import SERVICES
from amends.shop.orders import CANCELED, ORDER
from amends.shop.report import placed_of

PAUSE_S: Final = 0.6  # the eye sees that something new begins


class Chapter(NamedTuple):
    """A part of the tour: a batch of one session.

    Attributes:
        title: of the part.
        words: what to look for.
        operations: what is run.
    """

    title: str
    words: str
    operations: list[list[Any]]


CHAPTERS: Final = (
    Chapter(
        "An order that ships",
        "Four services, each with books of its own, take their step one after the other.",
        [
            ["CREATE_CUSTOMER", "C001", 5000],
            ["ADD_PRODUCT", "P001", 10, 150],
            ["ADD_PRODUCT", "P002", 10, 1000],
            ["PLACE_ORDER", "C001", "P001", 2],
        ],
    ),
    Chapter(
        "An order that rolls back",
        "There is not enough in stock. By then it was paid for, so the payment goes back.",
        [["PLACE_ORDER", "C001", "P001", 9]],
    ),
    Chapter(
        "An order beyond the credit",
        "PAYMENT refuses, so only what was done before it is undone.",
        [["PLACE_ORDER", "C001", "P002", 5]],
    ),
    Chapter(
        "An order whose shipping breaks down",
        "The failure is injected on purpose: three steps are undone, the last one first.",
        [["INJECT_FAILURE", "SHIPPING", "O004"], ["PLACE_ORDER", "C001", "P001", 1]],
    ),
)
TICKETS: Final = (
    (
        "A saga, as most tutorials write it",
        "Charge the card, hold the seats, issue the ticket; what fails is refunded.",
        show_saga,
    ),
    (
        "Break it in every way there is",
        "With any crash, loss, double or delay, in any order. The shortest way to harm:",
        show_breaking,
    ),
    (
        "One argument later",
        "Whether an unanswered charge happened is looked up before it is undone.",
        show_mending,
    ),
    (
        "The same saga, run",
        "One that goes well, and one whose printer jams.",
        show_running,
    ),
)
NEXT: Final = (
    ("amends new NAME", "start a saga of your own, with its check"),
    ("amends check shop", "break the order saga that you have just seen"),
    ("amends run FILE", "run operations of your own"),
    ("amends run --help", "what a file of operations looks like"),
    ("amends graph shop", "the order saga as a diagram"),
)


def show_demo() -> None:
    """Show the tour on standard output."""
    out = paper()
    for title, words, show in TICKETS:
        _begin(out, title, words)
        show(out)
    session = Session()
    for chapter in CHAPTERS:
        _begin(out, chapter.title, chapter.words)
        _show_batch(out, session, chapter.operations)
    _begin(out, "Killed half-way", "Orders in a file. The process that runs them is killed, and started again.")
    show_crash(out)
    _begin(out, "What next", "")
    width = max(len(command) for command, _ in NEXT)
    out.write(*(Text.assemble("  ", (f"{command:{width}}", "cyan"), f"   {words}") for command, words in NEXT))


def _begin(out: Paper, title: str, words: str) -> None:
    if out.console.is_terminal:
        time.sleep(PAUSE_S)
    out.title(title)
    if words:
        out.write(words, "")


def _show_batch(out: Paper, session: Session, operations: list[list[Any]]) -> None:
    before = _books_but_order(session)
    session.process(operations)
    out.write(*(Text(f"  {json.dumps(operation)}", "cyan") for operation in operations), "")
    orders = [*map(placed_of, session.named.orders.values())]
    for order in orders:
        out.write(*draw_order(out, order), "")
    draw_books(out, session.named.customers, session.named.products)
    if all(order.told.status == CANCELED for order in orders):
        newly = _books_but_order(session)
        out.write("", as_before(out, "PAYMENT, INVENTORY and SHIPPING", before, newly))


def _books_but_order(session: Session) -> Any:
    """What every service keeps but ORDER, which leaves the row of a canceled order on purpose."""
    return deepcopy({service: session.entities[service] for service in SERVICES if service != ORDER})
