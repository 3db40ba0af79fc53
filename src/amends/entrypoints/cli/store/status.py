"""``amends status``: how a whole store does, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from rich.text import Text

from amends.adapters.clock import AHEAD_MS
from amends.auditing.chain import head_text
from amends.entrypoints.cli.store.documents import overview_document, work_document, write_document
from amends.entrypoints.cli.store.sagas import status_text
from amends.entrypoints.cli.store.variants import explained
from amends.entrypoints.cli.wire.parked import WireSeen, wire_document, wire_seen
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, paper
from amends.entrypoints.drawing.tables import Rows, table
from amends.entrypoints.drawing.words import one_line
from amends.lines import counted, grouped, moment, span
from amends.storage.location import LastingLocation
from amends.storage.shards import SHARDS
from amends.storage.working import EngineSeen
from amends.views.at_work import AtWork, at_work
from amends.views.overview import Overview, overview
from amends.views.rates import Rates
from amends.views.sagas import AsOf

NAMED_MAX: Final = 10  # sagas or rows that are named; --json names more
TEXT_MAX: Final = 200  # characters of a name or a warning; --json has all of it
LABEL: Final = 16  # columns of the longest one, "oldest waiting", and two
EXACT: Final = 10  # below it a rate has a decimal


def show_status(db: LastingLocation, wire: str, now_ms: int, *, as_json: bool) -> None:
    """Show how a store does, and the wire of a URL, if one is given.

    Raises:
        UnusableInput: the store cannot be used.
    """
    with closing(db.records()) as store:
        seen, work = overview(store, AsOf.of(store, now_ms)), at_work(store)
    by_wire = wire_seen(wire) if wire else None
    if as_json:
        write_document(overview_document(seen) | work_document(work) | wire_document(by_wire))
    else:
        out = paper()
        out.write(*status_lines(out, seen, now_ms), *work_lines(out, work, now_ms), *wire_lines(by_wire, now_ms))


def status_lines(out: Paper, seen: Overview, now_ms: int) -> Iterator[Text]:
    """The lines of an overview."""
    yield from _counts(seen)
    yield Text()
    if seen.rates:
        yield from _rates(seen.rates)
    if seen.oldest_waiting_ms is not None:
        waits = f"started {moment(seen.oldest_waiting_ms)}, {span(now_ms - seen.oldest_waiting_ms)} ago"
        yield _fact("oldest waiting", waits)
    stuck = [f"{' '.join((saga.saga_id, *saga.outstanding))}: {saga.why}" for saga in seen.for_operator]
    yield from _named("for an operator", stuck, out)
    yield from _failing(seen, out, now_ms)
    yield from _named("owed", [f"{saga.saga_id}: {', '.join(saga.owed)}" for saga in seen.owed], out)
    yield from _named("set aside", [f"{kind} {name}: {why}" for kind, name, why in seen.set_aside], out)
    if seen.warning:
        yield _fact("warning", Text(one_line(seen.warning, TEXT_MAX), STYLES["refused"]))
    yield _fact("durability", seen.durability)
    if seen.ahead_ms > AHEAD_MS:
        ahead = f"the store's times are {span(seen.ahead_ms)} ahead of this machine's clock"
        yield _fact("clock", Text(ahead, STYLES["refused"]))
    if seen.heads is None:
        yield _fact("audit", Text("its last block is not what was written", STYLES["refused"]))
    else:
        number, at_ms = sum(head.number for head in seen.heads), max(head.at_ms for head in seen.heads)
        last = f", the last {moment(at_ms)}" if number else ""
        yield _fact("audit", f"{counted(number, 'block')}{last}")
        last_first = sorted(seen.heads, key=lambda head: -head.at_ms)
        yield from _listed("head", [*map(head_text, last_first)], out)


def work_lines(out: Paper, work: AtWork, now_ms: int) -> Iterator[Text]:
    """The lines of those who work at a store, and of what waits for them."""
    engines = [_engine(engine) for engine in work.engines]
    yield from _listed("engines", engines or ["none is seen"], out)
    if engines and work.free:
        yield _fact("shards", f"{work.free} of {SHARDS} have no engine")
    left = [f"{counted(sagas, 'saga')} under {name}: no engine that runs knows it" for name, sagas in work.left.items()]
    yield from _listed("left alone", left, out, STYLES["refused"])
    if work.letters is None:
        yield _fact("letters", Text("they cannot be read", STYLES["refused"]))
    elif work.letters.number:
        starts, others = work.letters.starts, work.letters.number - work.letters.starts
        yield _fact("letters", f"{counted(starts, 'start')}, {grouped(others)} answers and verbs")
    if work.letters and work.letters.oldest:
        posted_ms = work.letters.oldest.posted_ms
        yield _fact("oldest letter", one_line(f"since {span(now_ms - posted_ms)}: {work.why}", TEXT_MAX))


def wire_lines(seen: WireSeen | None, now_ms: int) -> Iterator[Text]:
    """The lines of a wire, if there is one."""
    if seen is None:
        return
    yield _fact("wire", Text(one_line(seen.durability, TEXT_MAX), STYLES["refused"] * seen.is_in_trouble))
    if seen.parked:
        oldest = span(now_ms - seen.parked[0].at_ms)
        yield _fact(
            "parked", Text(f"{counted(len(seen.parked), 'message')}, the oldest for {oldest}", STYLES["refused"])
        )


def _engine(engine: EngineSeen) -> str:
    if engine.left_ms is None:
        return engine.name
    lease = f"gone for {span(-engine.left_ms)}" if engine.is_gone else f"lease for {span(engine.left_ms)}"
    since = "" if engine.since_ms is None else f", since {moment(engine.since_ms)}"
    places = (f", {share.places} of {share.at_once} places at {share.service}" for share in engine.places)
    return f"{engine.name}: {counted(len(engine.shards), 'shard')}, {lease}{since}{''.join(places)}"


def _failing(seen: Overview, out: Paper, now_ms: int) -> Iterator[Text]:
    if seen.failing:
        oldest = span(now_ms - seen.failing[0].since_ms)
        yield _fact(
            "failing", Text(f"{counted(len(seen.failing), 'step')}, the oldest for {oldest}", STYLES["refused"])
        )
    names = [f"{saga_id} {step}/{kind}: {error}" for saga_id, step, kind, _, _, error in seen.failing]
    yield from _named("", names, out)


def _counts(seen: Overview) -> Iterator[Text]:
    rows: Rows = [
        (Text(one_line(definition, TEXT_MAX)), status_text(status), Text(grouped(sagas)))
        for (definition, status), sagas in sorted(seen.counts.items())
    ]
    yield from table(("definition", "status", ">sagas"), rows)
    yield from (Text(note, FAINT) for note in explained(definition for definition, _ in seen.counts))
    if not rows:
        yield Text("no sagas")


def _rates(rates: Rates) -> Iterator[Text]:
    if not rates.commits:
        yield _fact("rate", "nothing in the last minute")
        return
    started, ended = rates.per_minute(rates.started), rates.per_minute(rates.ended)
    over = f"over the last {span(rates.span_ms)}"
    yield _fact("rate", f"{_number(started)} started, {_number(ended)} ended a minute, {over}")
    written, commits = rates.per_second(rates.records), rates.per_second(rates.commits)
    yield _fact("", f"{_number(written)} records, {_number(commits)} commits a second")


def _number(value: float) -> str:
    return f"{value:.1f}" if value < EXACT else grouped(round(value))


def _named(label: str, names: list[str], out: Paper) -> Iterator[Text]:
    yield from _listed(label, names, out, STYLES["refused"])


def _listed(label: str, names: list[str], out: Paper, style: str = "") -> Iterator[Text]:
    for number, name in enumerate(names[:NAMED_MAX]):
        yield _fact("" if number else label, Text(one_line(name, TEXT_MAX), style))
    if len(names) > NAMED_MAX:
        yield _fact("", Text(f"{out.signs.more} more", FAINT))


def _fact(label: str, value: str | Text) -> Text:
    return Text.assemble((f"{label:{LABEL}}", FAINT), value)
