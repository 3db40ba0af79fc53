"""The ticket saga's part of ``amends demo``: shown, broken, mended and run, here and now."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from rich.syntax import Syntax
from rich.text import Text

from amends import check, run
from amends.checking import CheckFailed, CheckResult
from amends.entrypoints.demo import tickets as shown
from amends.entrypoints.demo.bank import Bank, Charge
from amends.entrypoints.demo.tickets import Buy, find, one_sale, tickets
from amends.entrypoints.drawing.paper import STYLES, Paper, held, painted
from amends.entrypoints.drawing.timeline import draw_timeline, timeline

PRESENT: Final = "from typing"  # where the part of the module that is shown begins
LATER: Final = "\n\ndef find"  # ... and where what is added later does
PROBE: Final[dict[str, Any]] = {"probe": find, "settles_within_s": 60}
FAULTS: Final = 2


def show_saga(out: Paper) -> None:
    """The saga, as its module has it."""
    source = inspect.getsource(shown)
    _show_code(out, source[source.index(PRESENT) : source.index(LATER)])


def show_breaking(out: Paper) -> None:
    """What the check finds in it, and what that comes to."""
    answer = _checked(out)
    out.write(*painted(answer.lines(out.signs, out.width)))
    out.write("", _sum_of(out, answer))


def show_mending(out: Paper) -> None:
    """The ticket saga with a probe, and what the check says of it."""
    _show_code(out, inspect.getsource(find))
    out.write("")
    out.write(*painted(_checked(out, **PROBE).lines(out.signs, out.width)))


def show_running(out: Paper) -> None:
    """Two buyers, one after the other."""
    books: dict[str, dict[str, Any]] = {"SEATS": {"Hamlet": 10}, "TICKET": {}}
    bank = Bank()
    for number, buy in enumerate((Buy("Hamlet", 2, "ada"), Buy("Hamlet", 6, "bob"))):
        out.write(*[""] * bool(number), *_run(out, buy, books, bank))


def as_before(out: Paper, who: str, before: object, after: object) -> Text:
    """Whether two states are the same, in a line."""
    holds = before == after
    return held(out, f"{who} are {'exactly' if holds else 'NOT'} as before", holds=holds)


def _show_code(out: Paper, source: str) -> None:
    text = source.replace("  # fmt: skip", "").replace("\n\n\n", "\n\n").strip()
    code = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(text)
    code.rstrip()
    out.write(code)


def _checked(out: Paper, **more: Any) -> CheckResult:
    """Check the ticket saga, and say by which call."""
    words = ", ".join(f"{name}={getattr(value, '__name__', value)}" for name, value in more.items())
    out.write(Text(f"check(one_sale(tickets({words})), faults={FAULTS})", "cyan"), "")
    try:
        return check(one_sale(tickets(**more)), faults=FAULTS)
    except CheckFailed as failed:
        return failed.answer


def _sum_of(out: Paper, answer: CheckResult) -> Text:
    """What the counterexample leaves, by the books of the bank and the entities: money, and a ticket or none."""
    found = answer.found
    assert found.counterexample is not None, "the saga without a probe has one"
    stage, last = found.moves.layout, found.counterexample.trace[-1].after
    books: tuple[Charge, ...] = stage.books[last.books[stage.book_at["CARD"]]]
    has_ticket = bool(stage.view(last.cells, last.books)["TICKET"])
    taken = sum(one.cents for one in books) / 100
    words = f" {out.signs.refused} {taken:.2f} taken, {'a' if has_ticket else 'no'} ticket."
    return Text(words, STYLES["done" if has_ticket else "refused"])


def _run(out: Paper, buy: Buy, books: dict[str, dict[str, Any]], bank: Bank) -> Iterator[Text]:
    before = deepcopy((books, _money(bank)))
    ran = run(tickets(**PROBE), buy, saga_id=buy.name, entities=books, clients={"CARD": bank})
    yield Text.assemble((f"run(tickets(...), {buy})", "cyan"), "  ", (type(ran.state).__name__, "bold"))
    yield from draw_timeline(out, timeline(ran.saga.every_step(), ran.trail), ran.reason)
    yield Text(f" SEATS {books['SEATS']}, TICKET {books['TICKET']}, bank {_money(bank):.2f}")
    if ran.reason:
        yield as_before(out, "seats, tickets and bank", before, (books, _money(bank)))


def _money(bank: Bank) -> float:
    return sum(one.cents for one in bank.books) / 100
