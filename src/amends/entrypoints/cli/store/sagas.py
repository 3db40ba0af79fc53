"""``amends sagas``: which sagas there are, and what they wait for."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from rich.text import Text

from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.cli.store.variants import explained
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, paper
from amends.entrypoints.drawing.tables import table
from amends.entrypoints.drawing.words import name_of, one_line, span_of
from amends.lines import SECOND_MS, Signs, counted, span
from amends.storage.location import LastingLocation
from amends.storage.rows import ABANDONED, BACKWARD, COMPENSATED, COMPLETED, FORWARD, NEEDS_OPERATOR, Unreadable
from amends.views.sagas import AsOf, Question, SagaView
from amends.views.search import FAILING, OWED, STATUS_WORDS, Search, saga_as_json, sagas

STATUS_STYLES: Final = {
    FORWARD: "bold blue", BACKWARD: "bold yellow", NEEDS_OPERATOR: "bold red", COMPLETED: "bold green",
    COMPENSATED: "bold yellow", ABANDONED: "bold magenta",
}  # fmt: skip
REASON_MAX: Final = 200  # characters of a reason or an error in a list; `amends show` has more
TITLES: Final = ("saga", "definition", "status", ">started", "now")


def search_for(
    statuses: Sequence[str], limit: int, now_ms: int, *,
    saga: str = "", service: str = "", step: str = "", older: str = "", newer: str = "",
) -> Search:  # fmt: skip
    """What options, or the filters of a verb, ask for.

    Raises:
        UnusableInput: an age, or a name, is none.
    """
    return Search(
        tuple(dict.fromkeys(status for text in statuses for status in STATUS_WORDS.get(text, ()))),
        name_of(saga),
        name_of(service),
        now_ms - span_of(older) if older else None,
        now_ms - span_of(newer) if newer else None,
        limit,
        is_owed=OWED in statuses,
        step=name_of(step),
        is_failing=FAILING in statuses,
    )


def list_sagas(db: LastingLocation, search: Search, now_ms: int, *, as_json: bool) -> None:
    """Show the sagas that are looked for.

    Raises:
        UnusableInput: the store cannot be used.
    """
    with closing(db.records()) as store:
        found = list(sagas(store, search, AsOf.of(store, now_ms)))
    if as_json:
        write_document({"sagas": [saga_as_json(saga) for saga in found]})
        return
    out = paper()
    out.write(*saga_lines(out, found, now_ms))
    if len(found) == search.limit:
        sys.stderr.write(f"amends: only the newest {counted(len(found), 'saga')}; --limit N shows N of them\n")


def saga_lines(out: Paper, found: Sequence[SagaView | Unreadable], now_ms: int) -> list[Text]:
    """The table of sagas, a line for each, with what it waits for."""
    rows = [_row(out.signs, saga, now_ms) for saga in found]
    notes = explained(saga.name for saga in found)
    return [*table(TITLES, rows), *(Text(f"\n{note}", FAINT) for note in notes)] or [Text("no saga is like that")]


def now() -> int:
    """Milliseconds since 1970 (UTC)."""
    return time.time_ns() // (SECOND_MS * SECOND_MS)


def status_text(status: str) -> Text:
    """A saga's status in its colour."""
    return Text(one_line(status, REASON_MAX), STATUS_STYLES.get(status, ""))


def question_text(signs: Signs, question: Question, now_ms: int) -> Text:
    """A pending request: what it asks, which attempt it is, and until when it is waited for."""
    look = "stuck" if question.is_stuck else {"do": "sent", "undo": "undoing"}.get(question.kind, "probing")
    words = one_line(question.in_words(now_ms), REASON_MAX)
    step = f" {question.step}/{question.kind}"
    return Text.assemble((getattr(signs, look), STYLES[look]), step, (f": {words}", FAINT))


def _row(signs: Signs, saga: SagaView | Unreadable, now_ms: int) -> tuple[Text, ...]:
    if isinstance(saga, Unreadable):
        name, why = one_line(saga.name, REASON_MAX), one_line(saga.why, REASON_MAX)
        return Text(name, "bold"), Text(), Text("unreadable", STYLES["refused"]), Text(), Text(why, STYLES["refused"])
    return (
        Text(one_line(saga.saga_id, REASON_MAX), "bold"),
        Text(one_line(f"{saga.name} {saga.version}", REASON_MAX)),
        status_text(saga.status),
        Text(f"{span(now_ms - saga.started_ms)} ago"),
        _now(signs, saga, now_ms),
    )


def _now(signs: Signs, saga: SagaView, now_ms: int) -> Text:
    parts = [question_text(signs, question, now_ms) for question in saga.questions]
    trouble = saga.trouble if saga.status == NEEDS_OPERATOR else ""
    turned_back = f"turned back: {saga.reason}" if saga.reason and trouble else saga.reason
    parts += [Text(one_line(why, REASON_MAX), STYLES["refused"]) for why in (trouble, turned_back) if why]
    if saga.owed:
        parts.append(Text(f"owed: {one_line(', '.join(saga.owed), REASON_MAX)}", STYLES["refused"]))
    return Text("; ").join(parts)
