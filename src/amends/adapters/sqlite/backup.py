"""A copy of a store, made while its engine writes: a complete store, as it stood at one moment."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import apsw

from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.lock import EngineLock
from amends.adapters.sqlite.mailbox import MAILBOX_ID, POST_WITHIN_MS, mailbox_of
from amends.adapters.sqlite.opening import check_log, check_writable, checked_path, open_mailbox, open_reader, sync
from amends.adapters.sqlite.reading import RecordReader
from amends.adapters.sqlite.refusals import refusal_of
from amends.errors import StoreFailed, StoreUnusable
from amends.storage.location import Progress
from amends.storage.rows import Head

STEP_PAGES: Final = 1_000  # 8 MB: some milliseconds, after which the progress is told, or the copy is given up
OLDEST: Final = 1  # of what is copied: a store of an earlier version, too, before an engine brings it up to date


def _untold(_copied: int, _of: int) -> None:
    """Take the progress of a copy, and show it nowhere."""


def backup(source: str | os.PathLike[str], target: str | os.PathLike[str], progress: Progress = _untold) -> Head:
    """Copy a store into a new file.

    The engine goes on meanwhile. What it commits then is not in the copy, and stays in its log for as long as it takes.
    The new file has its name only once it is complete and on stable storage, and so have the letters to the engine.

    Args:
        source: a store, of this version or an earlier one.
        target: a file that does not exist.
        progress: told between steps how many pages are copied; what it raises ends the copy.

    Returns:
        Where the audit of the copy ends.

    Raises:
        StoreUnusable: one of them is not what it has to be; one line says which, and why.
        StoreFull: there is no space for it.
        StoreBusy, StoreFailed: the copy did not succeed.
    """
    file, new = checked_path(source), checked_path(target)
    check_writable(new)
    check_log(new)  # it would be taken in by the copy
    lock = EngineLock(new)
    part, letters = _part_of(new), _part_of(mailbox_of(new))
    try:
        for place in (new, mailbox_of(new)):
            if place.exists():
                raise StoreUnusable(f"{place}: there is something already")
        _remove(part, letters)  # of a copy that was killed
        if mailbox_of(file).exists():  # first: a letter that is acted on meanwhile is known in the copy of the store
            _copy(open_mailbox(mailbox_of(file), MAILBOX_ID, POST_WITHIN_MS), letters, _untold)
        _copy(open_reader(file, OLDEST), part, progress)
        head = _checked(part)
        if letters.exists():
            letters.rename(mailbox_of(new))
        part.rename(new)
        sync(new.parent)
    except apsw.Error as error:
        raise refusal_of(error) from error
    else:
        return head
    finally:
        _remove(part, letters)
        lock.release()


def _part_of(new: Path) -> Path:
    """What a copy is called until it is complete."""
    return new.with_name(f"{new.name}.partial")


def _remove(*parts: Path) -> None:
    for part in parts:
        for left in (part, part.with_name(f"{part.name}-wal"), part.with_name(f"{part.name}-shm")):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def _copy(source: apsw.Connection, part: Path, progress: Progress) -> None:
    with closing(source) as here, closing(apsw.Connection(str(part))) as there:
        here.execute("BEGIN DEFERRED")
        here.execute("SELECT 1 FROM sqlite_schema").fetchall()  # the moment that is copied
        there.execute("PRAGMA journal_mode = OFF").fetchall()  # a part is nothing, and is thrown away
        with there.backup("main", here, "main") as copy:
            while not copy.done:
                copy.step(STEP_PAGES)
                progress(copy.page_count - copy.remaining, copy.page_count)
    sync(part)


def _checked(part: Path) -> Head:
    """What is in a copy, if it can be read as well as it was.

    Raises:
        StoreFailed: it cannot.
    """
    with closing(open_reader(part, OLDEST)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise StoreFailed(f"the copy is damaged, and so is the store: {found}")
    with closing(Connection(open_reader(part, OLDEST))) as copy:
        return RecordReader(copy).head()
