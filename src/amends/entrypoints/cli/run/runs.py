"""``amends run``: files of operations, each a batch of one session, in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from amends.entrypoints.cli.run.batches import OperationFile, read_batch
from amends.entrypoints.cli.run.remarks import SAID_MAX, lines_of
from amends.entrypoints.cli.run.waiting_orders import Look, WaitingOrders
from amends.entrypoints.cli.store.documents import write_all
from amends.errors import UnusableInput
from amends.shop import Report, Session
from amends.storage.location import LastingLocation

DONE: Final = 0
WAITING: Final = 4

LONG: Final = 50_000  # operations; fewer are done before a bar can be read
LONG_IN_A_STORE: Final = 5_000  # a tenth: each is on disk
LONG_OUTSIDE: Final = 50  # each waits for services, for milliseconds or seconds


class RunOptions(NamedTuple):
    """How files are to be run.

    Attributes:
        as_json: print reports for programs, in place of drawings for people.
        limits: each batch has the three count limits of the function.
        db: where the store is, or that of the coordinators; ``None`` for none, so that nothing outlives the run.
        simulated: PAYMENT and SHIPPING are simulated services outside.
        again: run them anew, also when the store knows a run of them.
        all_remarks: say every refusal and note.
        is_spread: the store is that of coordinators, and the services are elsewhere.
    """

    as_json: bool = False
    limits: bool = False
    db: LastingLocation | None = None
    simulated: bool = False
    again: bool = False
    all_remarks: bool = False
    is_spread: bool = False

    @property
    def long(self) -> int:
        """How many operations take so long that a bar helps."""
        return LONG_OUTSIDE if self.simulated or self.is_spread else LONG_IN_A_STORE if self.db else LONG


class Destination(NamedTuple):
    """Where batches go.

    Attributes:
        session: takes them.
        run: the name of this run of the files; empty where nothing is remembered.
        look: tells which of some orders wait for an operator.
    """

    session: Session
    run: str = ""
    look: Look = lambda _: {}


def run_files(files: Sequence[str], wanted: RunOptions) -> int:
    """Run files of operations and show what came of it.

    All are read before the first is run, so that a file that cannot be used leaves nothing half done.

    Args:
        files: paths; ``-`` for standard input.
        wanted: how.

    Returns:
        The exit code: `WAITING` when an order waits for an operator.

    Raises:
        UnusableInput: a file cannot be read, or holds no operations; or the store cannot be used.
        AmendsError: the store failed on the way; what is done is kept.
    """
    if wanted.again and not wanted.db:
        raise UnusableInput("run: --again needs --db FILE; without a store every run begins anew")
    batches = [read_batch(file) for file in files]
    show, several = _print if wanted.as_json else _draw, len(batches) > 1
    *done, total = accumulate((len(batch.operations) for batch in batches), initial=0)
    with _door(batches, wanted) as (session, run, look):
        waiting = WaitingOrders(look, wanted.db.shown if wanted.db else "")
        for number, (batch, before) in enumerate(zip(batches, done, strict=True), 1):
            with _bar(before, total, wanted.long) as reached:
                report = session.process(batch.operations, key=f"{run}/{number}" if run else "", done=reached)
            show(session, batch, report, several=several)
            sys.stdout.flush()  # remarks follow what they are about, where both go to one terminal
            _say(_remarks(session, batch, wanted))
            _say(waiting.lines_of(batch.name, report))
    _say(waiting.end())
    return WAITING if waiting.orders else DONE


@contextmanager
def _door(batches: Sequence[OperationFile], wanted: RunOptions) -> Iterator[Destination]:
    if not wanted.db and not wanted.simulated:
        yield Destination(Session(limits=wanted.limits))
        return
    from amends.entrypoints.cli.run.logs import logged_in_lines
    from amends.storefront import contents_id, current_run, open_spread, open_storefront

    if wanted.db and wanted.is_spread:
        with logged_in_lines(), open_spread(wanted.db.url, limits=wanted.limits) as spread:
            yield Destination(spread.session, look=spread.ledger.waiting_for_operator)
        return
    db, simulated = wanted.db.url if wanted.db else "", wanted.simulated
    with logged_in_lines(), open_storefront(db, simulated=simulated, limits=wanted.limits) as storefront:
        files_id = contents_id(batch.digest for batch in batches)
        run = current_run(storefront.engine, files_id, again=wanted.again) if wanted.db else ""
        yield Destination(storefront.session, run, storefront.ledger.waiting_for_operator)


def _remarks(session: Session, batch: OperationFile, wanted: RunOptions) -> Iterator[str]:
    most = len(batch.operations) + 1 if wanted.all_remarks else SAID_MAX
    yield from lines_of(batch, session.refusals, session.notes, most)
    if session.known:
        done = f"{session.known} operations had been carried out before, and were not again"
        yield f"{batch.name}: note: {done}; --again runs the files anew"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")


def _print(_: Session, __: OperationFile, report: Report, *, several: bool) -> None:
    """One document a line; with lines of its own when it is the only one."""
    document = msgspec.json.encode(report)
    write_all(sys.stdout.buffer, (document if several else msgspec.json.format(document)) + b"\n")


def _draw(session: Session, batch: OperationFile, _: Report, *, several: bool) -> None:
    from amends.entrypoints.drawing.books import draw_batch
    from amends.entrypoints.drawing.paper import paper

    out = paper()
    if several:
        out.title(batch.name)
    draw_batch(out, session.named)


@contextmanager
def _bar(before: int, total: int, long: int) -> Iterator[Callable[[int], object] | None]:
    """On a long way, and where a terminal looks on, how far it is: what to tell how many of a batch are carried out.

    Until it is told, it only says that it goes on.
    """
    if total < long or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn(f"{{task.completed}} of {total} operations"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total if before else None, completed=before)
        yield lambda done: progress.update(task, total=total, completed=before + done)
