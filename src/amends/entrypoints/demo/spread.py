"""``amends demo --spread``: the shop in six processes, of which two are killed while orders run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Final

from rich.text import Text

from amends.auditing.verify import verify
from amends.bootstrap import connect, located
from amends.entrypoints.demo import spread_rush as rush
from amends.entrypoints.demo.tally import StoreTotals
from amends.entrypoints.drawing.paper import STYLES, Paper, bar, held, paper
from amends.entrypoints.drawing.progress import status_line
from amends.entrypoints.spread import WireKind
from amends.entrypoints.spread.local_shop import LocalShop, folder_of
from amends.entrypoints.spread.processes import ShopProcess
from amends.entrypoints.spread.shop import ShopProcesses
from amends.errors import AmendsError
from amends.lines import Signs, grouped
from amends.shop.payments import PAYMENT
from amends.storage.ports import Records
from amends.storefront.apart import SAGAS
from amends.storefront.spread import PATIENCE_S, SpreadLedger

BAR: Final = 40  # columns: half of the paper


def show_spread(wire: WireKind) -> None:
    """Show it on standard output.

    Args:
        wire: what carries the messages.

    Raises:
        UnusableInput: no server is to be had.
        AmendsError: something does not hold, or does not come to its end.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that all processes end, whatever ends this one
    out = paper()
    out.title("The shop, spread")
    out.write("Four services and two coordinators, each a process; each service has a database of its own.", "")
    with folder_of(None) as folder, LocalShop(folder, wire) as local:
        local.shop.start()
        out.write(*(_process(process) for process in local.shop.all), f"  {'the wire':<13} {wire.value}")
        _show_orders(out, local)


def _show_orders(out: Paper, local: LocalShop) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(connect(local.orders_url, sagas=SAGAS))
        records = stack.enter_context(closing(located(local.orders_url).records()))
        ledger = SpreadLedger(client, PATIENCE_S)
        rush.place_orders(client, ledger)
        _show_kill(out, local.shop, records)
        _show_rest(out, local.shop, records)
        lines = [*_sums(rush.totals(records, ledger)), *_chains(local.shop)]
    out.title("What came of it")
    out.write(*(held(out, words if holds else f"NOT SO: {words}", holds=holds) for words, holds in lines))
    if not all(holds for _, holds in lines):
        raise AmendsError("the spread shop is not as it has to be")


def _show_kill(out: Paper, shop: ShopProcesses, records: Records) -> None:
    out.title(f"{grouped(rush.ORDERS)} orders, and two processes killed")
    with status_line(partial(_line_of, out.signs)) as report:
        rush.watch(records, rush.KILLED_AT, report)
    for process in _doomed(shop):
        process.kill()
        out.write(Text(f"$ kill -9 {process.pid}    # {process.name}", "bold red"))
    out.write(_reached(out.signs, rush.ended(records)))


def _show_rest(out: Paper, shop: ShopProcesses, records: Records) -> None:
    shop.start()
    out.write("", "Both are started again.", *map(_process, _doomed(shop)))
    with status_line(partial(_line_of, out.signs)) as report:
        out.write(_reached(out.signs, rush.watch(records, rush.ORDERS, report)))


def _doomed(shop: ShopProcesses) -> tuple[ShopProcess, ...]:
    return shop.coordinators[0], shop.hosts[PAYMENT]


def _sums(seen: StoreTotals) -> Iterator[tuple[str, bool]]:
    """What everything hangs on, in words, and whether it holds."""
    each_once = f"{grouped(rush.ORDERS)} orders were asked for, {grouped(seen.orders)} have ended"
    yield each_once, seen.orders == rush.ORDERS
    money = f"the credit used, {grouped(seen.used)}, is what the {grouped(seen.shipped)} shipped ones cost"
    yield money, seen.used == seen.earned
    yield f"the pieces gone, {grouped(seen.gone)}, are those that were shipped", seen.gone == seen.sold


def _chains(shop: ShopProcesses) -> Iterator[tuple[str, bool]]:
    """Whether each store's audit is as it was written."""
    for process in (*shop.hosts.values(), shop.coordinators[0]):
        with closing(located(process.db).records()) as records:
            verdict = verify(records)
        name = "the coordinators" if process in shop.coordinators else process.name
        number = grouped(verdict.reached.records)
        yield f"the chains of {name} verify: {number} records", verdict.is_whole and not len(verdict.findings)


def _process(process: ShopProcess) -> str:
    return f"  {process.name:<13} process {process.pid}"


def _reached(signs: Signs, orders: int) -> Text:
    """How many of the orders have ended, drawn and in numbers."""
    numbers = f"  {grouped(orders)} of {grouped(rush.ORDERS)} orders"
    return Text.assemble("  ", bar(signs, orders, rush.ORDERS, BAR, STYLES["done"]), numbers)


def _line_of(signs: Signs, orders: int) -> str:
    return _reached(signs, orders).plain
