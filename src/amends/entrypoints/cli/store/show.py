"""``amends show``: one saga, drawn from its row and its records; its definition is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import msgspec
from rich.text import Text

from amends.auditing.findings import block_name
from amends.entrypoints.cli.store.documents import story_document, write_document
from amends.entrypoints.cli.store.sagas import question_text, status_text
from amends.entrypoints.cli.store.variants import explained
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, painted, paper
from amends.entrypoints.drawing.timeline import draw_timeline
from amends.entrypoints.drawing.words import one_line
from amends.errors import UnusableInput
from amends.lines import Span, moment, span, wrapped
from amends.storage.location import LastingLocation
from amends.storage.records import Record
from amends.storage.rows import NEEDS_OPERATOR, Head, Unreadable
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.sagas import AsOf, SagaView
from amends.views.story import SagaStory, no_saga, story

SEEN: Final = 0
DAMAGED: Final = 1
TEXT_MAX: Final = 2000  # characters of a request or an error; --json has all of it
LABEL: Final = 13  # columns of the longest one, "last change", and two
CHANGES: Final = 29  # columns before what became of a record, under its cause


def show_saga(db: LastingLocation, saga_id: str, now_ms: int, *, as_json: bool) -> int:
    """Show a saga.

    Returns:
        The exit code: 1 when its row or one of its records cannot be read.

    Raises:
        UnusableInput: the store cannot be used, or has no such saga.
    """
    with closing(db.records()) as store:
        told = story(store, saga_id, AsOf.of(store, now_ms))
        missing = "" if told else no_saga(store, saga_id)
    if told is None:
        raise UnusableInput(f"{db.shown}: {missing}")
    if as_json:
        write_document(story_document(told))
    else:
        out = paper()
        out.write(*story_lines(out, told, now_ms))
    return DAMAGED if isinstance(told.saga, Unreadable) or told.missing else SEEN


def story_lines(out: Paper, told: SagaStory, now_ms: int) -> Iterator[Text]:
    """A saga's lines: heading, timeline, where it stands, every record."""
    saga = told.saga
    reason, trouble = _why(saga)
    yield from _damaged(saga) if isinstance(saga, Unreadable) else _heading(saga)
    if told.steps:
        yield from draw_timeline(out, told.steps, reason, trouble)
    else:
        yield from (Text(f" {words}", STYLES["refused"]) for words in (reason, trouble) if words)
    yield Text()
    if isinstance(saga, SagaView):
        yield from _facts(out, saga, now_ms)
        yield from _relatives(told)
        if not told.steps and saga.trail:
            yield _fact("outcomes", one_line(", ".join(saga.trail), TEXT_MAX))
        yield Text()
    yield from _log(out, told)


def _why(saga: SagaView | Unreadable) -> tuple[str, str]:
    """Why a saga turned back, and why it waits for an operator; each empty where it does not."""
    if isinstance(saga, Unreadable):
        return "", ""
    trouble = saga.trouble if saga.status == NEEDS_OPERATOR else ""
    return one_line(saga.reason, TEXT_MAX), one_line(trouble, TEXT_MAX)


def _damaged(saga: Unreadable) -> Iterator[Text]:
    yield Text.assemble((one_line(saga.name, TEXT_MAX), "bold"), "  ", ("unreadable", STYLES["refused"]))
    yield Text(f" its row: {one_line(saga.why, TEXT_MAX)}", STYLES["refused"])


def _heading(saga: SagaView) -> Iterator[Text]:
    what = f"{saga.name} version {saga.version}"
    name = (one_line(saga.saga_id, TEXT_MAX), "bold")
    yield Text.assemble(name, "  ", status_text(saga.status), "  ", one_line(what, TEXT_MAX))


def _facts(out: Paper, saga: SagaView, now_ms: int) -> Iterator[Text]:
    yield from (_fact("definition", note) for note in explained([saga.name]))
    yield _fact("request", one_line(saga.request, TEXT_MAX))
    yield _fact("started", f"{moment(saga.started_ms)}, {span(now_ms - saga.started_ms)} ago")
    yield _fact("last change", f"{moment(saga.changed_ms)}, {span(saga.changed_ms - saga.started_ms)} after its start")
    if saga.deadline_ms is not None:
        yield _fact("deadline", moment(saga.deadline_ms))
    for number, question in enumerate(saga.questions):
        yield _fact("" if number else "asked", question_text(out.signs, question, now_ms))
    if saga.due_ms is not None:
        left = saga.due_ms - now_ms
        yield _fact("next due", f"{moment(saga.due_ms)}, {f'in {span(left)}' if left > 0 else 'now'}")
    if saga.answers:
        yield _fact("answers", one_line(msgspec.json.encode(saga.answers).decode(), TEXT_MAX))
    if saga.trouble and saga.status != NEEDS_OPERATOR:
        yield _fact("was stuck", one_line(saga.trouble, TEXT_MAX))
    if saga.owed:
        yield _fact("owed", Text(one_line(", ".join(saga.owed), TEXT_MAX), STYLES["refused"]))
    if saga.outstanding:
        yield _fact("outstanding", Text(one_line(", ".join(saga.outstanding), TEXT_MAX), STYLES["refused"]))


def _relatives(told: SagaStory) -> Iterator[Text]:
    if told.parent:
        yield _fact("follows from", one_line(told.parent, TEXT_MAX))
    for number, child in enumerate(told.children):
        reason = f": {child.reason}" if child.reason else ""
        yield _fact("" if number else "starts", one_line(f"{child.saga_id}  {child.status}{reason}", TEXT_MAX))


def _fact(label: str, value: str | Text) -> Text:
    return Text.assemble((f" {label:{LABEL}}", FAINT), value)


def _log(out: Paper, told: SagaStory) -> Iterator[Text]:
    if not told.records and not told.missing:
        yield Text(" its records are in the audit of the store that it left", FAINT)
    first_ms = told.records[0][1].at_ms if told.records else 0
    before_ms = None
    for block, record in told.records:
        after = moment(record.at_ms) if before_ms is None else f"+{span(record.at_ms - first_ms)}"
        again = record.at_ms == before_ms
        yield from _record(out, "" if again else after, block, record)
        before_ms = record.at_ms
    for first, last in told.missing:
        what = f"record {first} is" if first == last else f"records {first} to {last} are"
        yield Text(f" {what} missing; `amends audit verify` says why", STYLES["refused"])


def _record(out: Paper, when: str, block: Head, record: Record) -> Iterator[Text]:
    cause = "started" if record.number == 1 else one_line(cause_in_words(record), TEXT_MAX)
    yield Text.assemble((f" {when:>24}  ", FAINT), cause, (f"  {block_name(block.number, block.chain)}", FAINT))
    words = one_line(", ".join(changes_in_words(record)), TEXT_MAX)
    if words:
        yield from painted(wrapped([Span(words, "faint")], (Span(" " * CHANGES),), CHANGES, out.width))
