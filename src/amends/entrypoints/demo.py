"""``amends demo``: a tour. Whatever it shows has just been run; nothing is written down beforehand."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple

from rich.syntax import Syntax
from rich.text import Text

from amends import run
from amends.entrypoints import tickets
from amends.entrypoints.books import draw_books, draw_order
from amends.entrypoints.paper import STYLES, Paper, paper
from amends.entrypoints.tickets import TICKETS, Buy
from amends.entrypoints.timeline import draw_timeline
from amends.shop import Session
from amends.shop.checkout import SERVICES
from amends.shop.orders import ORDER
from amends.shop.views import batch_view, timeline

PAUSE_S: Final = 0.6  # the eye sees that something new begins
PRESENT: Final = "from typing"  # where the part of the module that is shown begins


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
NEXT: Final = (
    ("amends run FILE", "run operations of your own"),
    ("amends run --help", "what a file of operations looks like"),
    ("amends graph shop", "the order saga as a diagram"),
)


def show_demo() -> None:
    """Show the tour on standard output."""
    out = paper()
    session = Session()
    for chapter in CHAPTERS:
        _begin(out, chapter.title, chapter.words)
        _show_batch(out, session, chapter.operations)
    _begin(out, "A saga of your own", "Steps, and what makes amends for each. This is all of it.")
    _show_tickets(out)
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
    report = session.process(operations)
    out.write(*(Text(f"  {json.dumps(operation)}", "cyan") for operation in operations), "")
    batch = batch_view(session, report)
    for order in batch.orders:
        out.write(*draw_order(out, order), "")
    draw_books(out, batch.customers, batch.products)
    if all(order.status == "CANCELED" for order in batch.orders):
        newly = _books_but_order(session)
        out.write("", _verdict(out, "PAYMENT, INVENTORY and SHIPPING", before, newly))


def _books_but_order(session: Session) -> Any:
    """What every service keeps but ORDER, which leaves the row of a canceled order on purpose."""
    return deepcopy({service: session.entities[service] for service in SERVICES if service != ORDER})


def _verdict(out: Paper, who: str, before: object, after: object) -> Text:
    outcome, word = ("done", "exactly") if before == after else ("refused", "NOT")
    return Text.assemble(" ", (getattr(out.marks, outcome), STYLES[outcome]), f" {who} are {word} as before")


def _show_tickets(out: Paper) -> None:
    source = inspect.getsource(tickets)
    shown = source[source.index(PRESENT) :].replace("  # fmt: skip", "").replace("\n\n\n", "\n\n").strip()
    code = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(shown)
    code.rstrip()
    out.write(code)
    books: dict[str, dict[str, Any]] = {"SEATS": {"Hamlet": 10}, "TICKET": {}}
    bank = {"ada": 100, "bob": 200}
    for buy in (Buy("Hamlet", 2, "ada"), Buy("Hamlet", 6, "bob")):
        out.write(*_run_tickets(out, buy, books, bank))


def _run_tickets(out: Paper, buy: Buy, books: dict[str, dict[str, Any]], bank: dict[str, int]) -> Iterator[Text]:
    before = deepcopy((books, bank))
    ran = run(TICKETS, buy, entities=books, clients={"CARD": bank})
    yield Text()
    yield Text.assemble((f"run(TICKETS, {buy})", "cyan"), "  ", (type(ran.state).__name__, "bold"))
    yield from draw_timeline(out, timeline(TICKETS.every_step(), ran.trail), ran.reason)
    yield Text(f" SEATS {books['SEATS']}, bank {bank}")
    if ran.reason:
        yield _verdict(out, "seats, tickets and bank", before, (books, bank))
