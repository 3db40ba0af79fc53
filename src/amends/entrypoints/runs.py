"""``amends run``: files of operations, each a batch of one session, in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final

import msgspec

from amends.entrypoints.batches import Batch, read_batch
from amends.entrypoints.remarks import lines_of
from amends.shop import Report, Session

LONG: Final = 50_000  # operations; fewer are done before a bar can be read

Show = Callable[[Session, Batch, Report], None]


def run_files(files: Sequence[str], *, as_json: bool, limits: bool) -> None:
    """Run files of operations and show what came of it.

    All are read before the first is run, so that a file that cannot be used leaves nothing half done.

    Args:
        files: paths; ``-`` for standard input.
        as_json: whether to print reports for programs, in place of drawings for people.
        limits: whether each batch has the three count limits of the function.

    Raises:
        UnusableInput: a file cannot be read, or holds no operations.
    """
    batches = [read_batch(file) for file in files]
    several = len(batches) > 1
    show = _printing(several) if as_json else _drawing(several)
    session = Session(limits=limits)
    *done, total = accumulate((len(batch.operations) for batch in batches), initial=0)
    for batch, before in zip(batches, done, strict=True):
        with _bar(before, total):
            report = session.process(batch.operations)
        show(session, batch, report)
        sys.stdout.flush()  # remarks follow what they are about, where both go to one terminal
        for line in lines_of(batch, session.refusals, session.notes):
            sys.stderr.write(f"{line}\n")


def _printing(several: bool) -> Show:
    """One document a line; with lines of its own when it is the only one."""

    def show(_: Session, __: Batch, report: Report) -> None:
        document = msgspec.json.encode(report)
        _write((document if several else msgspec.json.format(document)) + b"\n")

    return show


def _write(document: bytes) -> None:
    """All of it: with ``python -u``, one call writes a part when the reader is slow or gone."""
    rest = memoryview(document)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]


def _drawing(several: bool) -> Show:
    from amends.entrypoints.books import draw_batch
    from amends.entrypoints.paper import paper
    from amends.shop.views import batch_view

    out = paper()

    def show(session: Session, batch: Batch, report: Report) -> None:
        if several:
            out.title(batch.name)
        draw_batch(out, batch_view(session, report))

    return show


@contextmanager
def _bar(done: int, total: int) -> Iterator[None]:
    """On a long way, and where a terminal looks on, how far it is; within a batch it only says that it goes on."""
    if total < LONG or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn(f"{done} of {total} operations"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        progress.add_task("", total=total if done else None, completed=done)
        yield
