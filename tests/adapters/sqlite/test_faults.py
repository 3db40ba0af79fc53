"""A disk that is full, or fails, at each of its operations: refused clearly, and nothing is half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreFailed, StoreFull, StoreUnusable
from tests.adapters.sqlite.power import Disk
from tests.adapters.sqlite.work import Work, check, keys_sorted_in_early, opened
from tests.contract.everything import everything

COMMITS = 4
EVERY = [3, pytest.param(1, marks=pytest.mark.torture)]  # one operation in so many is where the disk fails
FULL_FOR = [1, pytest.param(12, marks=pytest.mark.torture)]  # writes
__all__ = ["keys_sorted_in_early"]


class Faults:
    """What a disk is to meet, once or for some time.

    Attributes:
        met: whether it was.
    """

    def __init__(self, disk: Disk, error: type[apsw.Error], at: int, times: int, kinds: set[str]) -> None:
        self.met = False
        self._error = error
        self._kinds = kinds
        self._left = at, times
        disk.fault = self._meet

    def _meet(self, operation: str, name: str) -> None:
        before, times = self._left
        if operation not in self._kinds or not times:
            return
        self._left = (before - 1, times) if before > 1 else (0, times - 1)
        if before <= 1:
            self.met = True
            raise self._error(f"{operation} of {name}")


def at_each(kinds: set[str], error: type[apsw.Error], times: int, every: int) -> Iterator[tuple[Disk, Faults]]:
    """Yield disks that fail at their first operation, at a later one, and so on, until the work ends before that."""
    faults, at = None, 1 - every
    while faults is None or faults.met:
        at += every
        disk = Disk()
        faults = Faults(disk, error, at, times, kinds)
        yield disk, faults
    assert at > COMMITS


def opened_at_last(folder: Path, disk: Disk) -> SqliteStore:
    """Open a store; try again while there is no space."""
    while True:
        try:
            return opened(folder, disk.name)
        except StoreUnusable as error:
            if "no space" not in str(error):
                raise


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("times", FULL_FOR)
@pytest.mark.usefixtures("keys_sorted_in_early")
def test_a_full_disk_refuses_and_goes_on_when_there_is_space(tmp_path: Path, times: int, every: int) -> None:
    """At any write: nothing of the commit is there, it may be tried again, and all ends as without it."""
    work = Work(3)
    for disk, _ in at_each({"write"}, apsw.FullError, times, every):
        store = opened_at_last(tmp_path, disk)
        number = 0
        while number < COMMITS:
            try:
                store.commit(work.changes(number + 1))
            except StoreFull:
                assert everything(store, work.names()) == work.after(number)
            else:
                number += 1
        check(store, work)
        store.close()
        disk.fault = None
        again = opened(tmp_path, disk.name)
        assert again.head().number == COMMITS
        check(again, work)
        again.close()


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.usefixtures("keys_sorted_in_early")
def test_a_disk_that_fails_stops_the_store(tmp_path: Path, every: int) -> None:
    """At any operation: a store that is opened anew tells what is written; the failed one is not used any more."""
    work, failed = Work(3), 0
    for disk, _ in at_each({"open", "read", "write", "truncate", "sync", "delete"}, apsw.IOError, 1, every):
        answered, store = 0, None
        try:
            store = opened(tmp_path, disk.name)
            while answered < COMMITS:
                store.commit(work.changes(answered + 1))
                answered += 1
        except StoreUnusable as error:
            if "the disk failed" not in str(error):
                raise
        except StoreFailed:
            failed += 1
            assert store
            refuses_everything(store, work)
        finally:
            if store:
                store.close()
        disk.fault = None
        again = opened(tmp_path, disk.name)
        assert again.head().number in (answered, answered + 1)
        check(again, work)
        again.commit(work.changes(again.head().number + 1))
        again.close()
    assert failed > COMMITS


def refuses_everything(store: SqliteStore, work: Work) -> None:
    """Whatever is asked, it says why not."""
    for ask in (
        lambda: store.commit(work.changes(1)),
        lambda: store.sagas(["S1"]),
        lambda: store.keys(["K1"]),
        lambda: store.entity("SHOWS", "E1"),
        store.head,
        store.counts,
        lambda: list(store.blocks()),
        lambda: store.due(["x"], 1, 1),
    ):
        with pytest.raises(StoreFailed, match="the storage failed: "):
            ask()
