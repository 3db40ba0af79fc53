"""``amends backup`` and ``amends archive``: a store's copy, and what leaves it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial

from amends.auditing.chain import head_text
from amends.entrypoints.cli.store.sagas import now
from amends.entrypoints.drawing.progress import status_line
from amends.entrypoints.drawing.words import moment_of
from amends.lines import counted, grouped
from amends.storage.location import LastingLocation


def back_up(db: LastingLocation, target: str) -> None:
    """Copy a store, and print where the audit of the copy ends.

    Raises:
        UnusableInput: the store cannot be used, or there is something at the target.
        StoreError: there is no copy.
    """
    with status_line(partial(_pages, db)) as report:
        head = db.backup(target, lambda *reached: report(reached) if report else None)
    sys.stdout.write(f"{head_text(head)}\n")


def move(db: LastingLocation, into: str, before: str, audit_to: str) -> None:
    """Move sagas that ended before a moment into an archive, then months of the audit into a file; say how many.

    Args:
        db: the store.
        into: the archive.
        before: the moment, as a person writes it.
        audit_to: the file; empty where the audit stays.

    Raises:
        UnusableInput: one of the files cannot be used, or the moment is none.
        StoreError: it ended before all were moved.
    """
    before_ms = moment_of(before, now())
    months = db.archive_audit(audit_to, before_ms) if audit_to else ()
    _move(db, "saga", db.archive(into, before_ms), into)
    if audit_to:
        _move(db, "block", months, audit_to)


def _move(db: LastingLocation, what: str, numbers: Iterable[int], into: str) -> None:
    moved = 0
    with status_line(partial(_moved, db, what)) as report:
        for number in numbers:
            moved += number
            if report:
                report(moved)
    sys.stdout.write(f"{counted(moved, what)} moved to {into}\n")


def _pages(db: LastingLocation, reached: tuple[int, ...]) -> str:
    copied, of_pages = reached
    return f"{db.shown}: {grouped(copied)} of {counted(of_pages, 'page')}"


def _moved(db: LastingLocation, what: str, moved: int) -> str:
    return f"{db.shown}: {counted(moved, what)}"
