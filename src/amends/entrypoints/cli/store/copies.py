"""``amends backup`` and ``amends archive``: a store's copy, and what leaves it."""

from __future__ import annotations

import sys
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


def move(db: LastingLocation, into: str, before: str) -> None:
    """Move sagas that ended before a moment into an archive, and say how many.

    Raises:
        UnusableInput: one of the files cannot be used, or the moment is none.
        StoreError: it ended before all were moved.
    """
    moved = 0
    with status_line(partial(_moved, db)) as report:
        for sagas in db.archive(into, moment_of(before, now())):
            moved += sagas
            if report:
                report(moved)
    sys.stdout.write(f"{counted(moved, 'saga')} moved to {into}\n")


def _pages(db: LastingLocation, reached: tuple[int, ...]) -> str:
    copied, of_pages = reached
    return f"{db.shown}: {grouped(copied)} of {counted(of_pages, 'page')}"


def _moved(db: LastingLocation, moved: int) -> str:
    return f"{db.shown}: {counted(moved, 'saga')}"
