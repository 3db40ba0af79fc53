"""The crash's part of ``amends demo``: a process that is killed half-way, and one that finishes what it began."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.text import Text

from amends.entrypoints.demo import rush
from amends.entrypoints.demo.children import ERR, OUT, lines_of, printed
from amends.entrypoints.demo.tally import tally
from amends.entrypoints.drawing.paper import STYLES, Paper, bar, held, painted
from amends.entrypoints.drawing.progress import status_line
from amends.lines import Signs, Span, grouped, wrapped

BAR: Final = 40  # columns: half of the paper
LAST: Final = f"O{rush.ORDERS}"  # the second process placed it, and it was to fail: its timeline has a way back
DB: Final = ("--db", rush.STORE)


def show_crash(out: Paper) -> None:
    """Run orders in a process, kill it, run them again, and look at what is in the file then."""
    with TemporaryDirectory(prefix="amends-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        rush.write_orders(folder)
        _show_kill(out, folder)
        _show_rest(out, folder)
        out.write("", *_sums(out, folder))
        _show_printed(out, folder, "audit", "verify", *DB)
        _show_printed(out, folder, "show", LAST, *DB)


def _show_kill(out: Paper, folder: Path) -> None:
    _show_command(out, *rush.RUN, "&")
    with status_line(partial(_line_of, out.signs)) as report:
        reached = rush.kill_half_way(folder, report)
    out.write(Text("$ kill -9 $!", "bold red"), _reached(out.signs, reached))
    if reached == rush.ORDERS:
        out.write(_held(out, "the run was killed while orders were left", holds=False))
    _show_printed(out, folder, "status", *DB)


def _show_rest(out: Paper, folder: Path) -> None:
    out.write("")
    _show_command(out, *rush.RUN)
    with status_line(partial(_line_of, out.signs)) as report:
        rush.finish(folder, report)
    out.write(_reached(out.signs, rush.placed(folder)))
    for note in lines_of(folder, ERR):
        out.write(*painted(wrapped([Span(note)], (), 0, out.width)))
    out.write(*lines_of(folder, OUT)[-1:])


def _sums(out: Paper, folder: Path) -> Iterator[Text]:
    """What everything hangs on, counted in the file."""
    seen = tally(folder / rush.STORE, rush.CUSTOMERS, rush.PRODUCTS, 2 * rush.ORDERS)
    each_once = f"{grouped(rush.ORDERS)} orders were asked for, {grouped(seen.orders)} are in the file"
    yield _held(out, each_once, holds=seen.orders == rush.ORDERS)
    money = f"the credit used, {grouped(seen.used)}, is what the {grouped(seen.shipped)} shipped ones cost"
    yield _held(out, money, holds=seen.used == seen.earned)
    stock = f"the pieces gone, {grouped(seen.gone)}, are those that were shipped"
    yield _held(out, stock, holds=seen.gone == seen.sold)


def _show_command(out: Paper, *words: str) -> None:
    out.write(Text(f"$ amends {' '.join(words)}", "cyan"))


def _show_printed(out: Paper, folder: Path, *words: str) -> None:
    """A command, and what it prints up to the first blank line."""
    out.write("")
    _show_command(out, *words)
    looks = {"FORCE_COLOR": "1"} if out.console.is_terminal else {}
    lines = printed(folder, *words, encoding=out.console.encoding, COLUMNS=str(out.width), **looks)
    out.write(*map(Text.from_ansi, takewhile(str.strip, lines)))


def _held(out: Paper, words: str, *, holds: bool) -> Text:
    return held(out, words if holds else f"NOT SO: {words}", holds=holds)


def _reached(signs: Signs, orders: int) -> Text:
    """How many of the orders are in the file, drawn and in numbers."""
    numbers = f"  {grouped(orders)} of {grouped(rush.ORDERS)} orders"
    return Text.assemble("  ", bar(signs, orders, rush.ORDERS, BAR, STYLES["done"]), numbers)


def _line_of(signs: Signs, orders: int) -> str:
    return _reached(signs, orders).plain
