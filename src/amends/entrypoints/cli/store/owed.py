"""``amends owed``: what sagas hold and have not settled, and whether the books say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Final

from rich.text import Text

from amends.core.definition import Saga
from amends.entrypoints.cli.definitions import load_deploy
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, paper
from amends.entrypoints.drawing.tables import table
from amends.entrypoints.drawing.words import one_line
from amends.lines import grouped, span
from amends.storage.codecs.sagas import definition_of
from amends.storage.location import LastingLocation
from amends.views.owed import OwedEntry, OwedLedger, OwedReader, OwedTotal
from amends.views.sagas import AsOf

EQUAL: Final = 0
DIFFERENT: Final = 1
SHOWN_MAX: Final = 50  # entries on paper; --json has all of them
TEXT_MAX: Final = 200  # characters of a reason; --json has all of it
TOTALS: Final = ("", "service", "what", ">amount", ">sagas")
ENTRIES: Final = ("saga", "", "service", "what", ">amount", ">since", "why")


def show_owed(db: LastingLocation, code: str, now_ms: int, *, with_books: bool, as_json: bool) -> int:
    """Show what is owed.

    Args:
        db: the store.
        code: a module, a file, or ``shop``: the definitions; empty for none.
        now_ms: milliseconds since 1970 (UTC).
        with_books: whether all entities are compared.
        as_json: whether a document is printed.

    Returns:
        The exit code: 1 where books differ.

    Raises:
        UnusableInput: there is no such code, or the store cannot be used.
    """
    definitions: Mapping[str, Saga] = {definition_of(saga): saga for saga in load_deploy(code).sagas} if code else {}
    with closing(db.records()) as store:
        ledger = OwedReader(definitions).ledger(store, AsOf.of(store, now_ms), with_books=with_books)
    if as_json:
        write_document(ledger.as_json())
    else:
        out = paper()
        out.write(*owed_lines(out, ledger, now_ms, knows=bool(definitions)))
    return DIFFERENT if ledger.differences else EQUAL


def owed_lines(out: Paper, ledger: OwedLedger, now_ms: int, *, knows: bool) -> Iterator[Text]:
    """The lines of a ledger: its sums, its entries, and where books differ."""
    yield from table(TOTALS, [_total(total) for total in ledger.totals]) or [Text("nothing is owed")]
    if ledger.entries:
        yield Text()
        yield from table(ENTRIES, [_entry(entry, now_ms) for entry in ledger.entries[:SHOWN_MAX]])
        if len(ledger.entries) > SHOWN_MAX:
            yield Text(f"and {grouped(len(ledger.entries) - SHOWN_MAX)} more; --json has them", FAINT)
    for difference in ledger.differences:
        yield Text(f"{out.signs.refused} {one_line(difference.in_words(), TEXT_MAX)}", STYLES["refused"])
    if not knows:
        yield Text("what sagas hold of entities is told where CODE names their definitions", FAINT)
    if ledger.is_cut:
        yield Text("only the sagas that started last were looked at, and no books were compared", FAINT)


def _total(total: OwedTotal) -> tuple[Text, ...]:
    words = total.kind, total.service, total.what, _amount(total.amount), str(total.sagas)
    return tuple(Text(one_line(word, TEXT_MAX)) for word in words)


def _entry(entry: OwedEntry, now_ms: int) -> tuple[Text, ...]:
    what = f"{entry.entity}.{entry.what}" if entry.what else entry.entity or entry.step
    words = (
        entry.saga_id, entry.kind, entry.service, what, _amount(entry.amount), span(now_ms - entry.since_ms), entry.why,
    )  # fmt: skip
    return tuple(Text(one_line(word, TEXT_MAX)) for word in words)


def _amount(amount: float | None) -> str:
    return "" if amount is None else f"{amount:g}"
