"""A start that is not clean believes no page of the log that the disk may not have (fault S6, "fsyncgate")."""

from __future__ import annotations

import itertools
import os
import random
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import log
from amends.adapters.sqlite.opening import PAGE_BYTES
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreError, StoreFailed, StoreUnusable
from tests.adapters.sqlite.test_power import work_until_the_cut
from tests.adapters.sqlite.work import Work, check, connection, keys_sorted_in_early, opened
from tests.contract.rows import Writer, saga
from tests.torture.disks import QuietDisk

SEEDS = range(int(os.environ.get("AMENDS_CUTS", "300")) // 3)
SYNCS_MAX = 40  # before one fails: opening takes about 8, a commit 1 or 3
OPERATIONS_MAX = 160  # of the disk, before the power is cut
PAGES = [6, 30, 1_000]  # after which the log is taken in
PARTS = 4

__all__ = ["keys_sorted_in_early"]


class LinuxDisk(QuietDisk):
    """A disk behind a memory that shows what was written, whether the disk has it or not."""

    def forget_at(self, sync: int) -> None:
        """Let a sync fail, counted from now, and forget what it was to sync."""
        left = itertools.count(sync, -1)

        def forget(operation: str, name: str) -> None:
            if operation == "sync" and next(left) == 1:
                self.media[name].forget()
                raise apsw.IOError(f"no sync of {name}")

        self.fault = forget

    def next_life(self) -> LinuxDisk:
        """Kill the process; return the disk as the next one on the same machine finds it."""
        disk = LinuxDisk()
        disk.media, self.media = self.media, {}
        disk.deleted = self.deleted
        self.die()
        return disk


def work_until_a_sync_fails(folder: Path, disk: LinuxDisk, work: Work, pages: int) -> tuple[int, LinuxDisk]:
    """Open a store, commit until a sync fails, or for a while, and be killed. Returns the number of the last commit."""
    answered, store = 0, None
    try:
        store = opened(folder, disk.name, pages)
        while answered < SYNCS_MAX:
            store.commit(work.changes(answered + 1))
            answered += 1
    except (StoreError, StoreUnusable):
        pass
    return answered, killed(disk, store)


def killed(disk: LinuxDisk, store: SqliteStore | None) -> LinuxDisk:
    """Kill the process that has a store; return the disk as the next one finds it."""
    after = disk.next_life()
    if store:
        store.close()  # it tries, and nothing reaches the disk
    return after


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.usefixtures("keys_sorted_in_early")
def test_what_is_built_on_a_forgotten_sync_survives_a_power_cut(tmp_path: Path, part: int) -> None:
    """A sync fails, the process dies, the next one goes on with what the machine shows, and the power is cut."""
    for seed in SEEDS[part::PARTS]:
        chance, work, disk = random.Random(seed), Work(seed), LinuxDisk()
        disk.forget_at(chance.randrange(1, SYNCS_MAX))
        pages = chance.choice(PAGES)
        answered, disk = work_until_a_sync_fails(tmp_path, disk, work, pages)
        disk.cut_at(chance.randrange(1, OPERATIONS_MAX))
        try:
            answered = work_until_the_cut(tmp_path, disk, work, answered, pages)
            after = disk.after_cut(chance)
            store = opened(tmp_path, after.name)
            try:
                assert store.head().number in (answered, answered + 1)
                check(store, work)
            finally:
                store.close()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def left_behind(folder: Path) -> Path:
    """Make a store whose engine did not end by itself: its last commit is in its log."""
    file = folder / "store.db"
    store = SqliteStore(file)
    Writer(store)(saga("S1"))
    connection(store).config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    store.close()
    assert log.size_of(file)
    return file


def test_the_log_that_was_left_is_taken_in(tmp_path: Path) -> None:
    """Before anything is decided: all of it is in the file itself."""
    file = left_behind(tmp_path)
    with closing(SqliteStore(file)):
        held = file.read_bytes()
    (tmp_path / "copy.db").write_bytes(held)
    with closing(SqliteStore(tmp_path / "copy.db")) as store:
        assert store.saga("S1") == saga("S1")


def test_a_start_that_is_refused_takes_nothing_in(tmp_path: Path) -> None:
    """Nothing was put on stable storage yet: file and log stay as they are."""
    file = left_behind(tmp_path)
    with closing(apsw.Connection(str(file))) as database:
        database.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        database.execute("CREATE TABLE mine (x)")
    before = file.read_bytes(), log.log_of(file).read_bytes()
    with pytest.raises(StoreUnusable, match="the table mine is none of Amends'"):
        SqliteStore(file)
    assert (file.read_bytes(), log.log_of(file).read_bytes()) == before


def test_a_reader_does_not_keep_a_store_from_being_opened(tmp_path: Path) -> None:
    """What it still reads is taken in later; the log is synced all the same."""
    file = left_behind(tmp_path)
    with closing(SqliteReader(file)) as reader, reader._database.snapshot():
        assert reader.saga("S1") == saga("S1")
        with closing(SqliteStore(file)) as store:
            Writer(store)(saga("S2"))
        assert reader.saga("S2") is None


def test_what_was_left_and_cannot_be_written_is_not_built_on(tmp_path: Path) -> None:
    """The disk is full, or fails, while the log is written again: nothing is opened, and the next start does it."""
    for error, why in ((apsw.FullError, "there is no space left"), (apsw.IOError, "the disk failed")):
        for operation in ("write", "sync"):
            disk, work = LinuxDisk(), Work(1)
            store = opened(tmp_path, disk.name, 1_000)
            store.commit(work.changes(1))
            disk = killed(disk, store)

            def fail(what: str, name: str, operation: str = operation, error: type[apsw.Error] = error) -> None:
                if what == operation and name.endswith("-wal"):
                    raise error(name)

            disk.fault = fail
            with pytest.raises(StoreUnusable, match=why):
                opened(tmp_path, disk.name)
            disk.fault = None
            again = opened(tmp_path, disk.name)
            assert again.head().number == 1
            check(again, work)
            again.close()


def test_a_store_that_failed_takes_nothing_in_when_it_is_closed(tmp_path: Path) -> None:
    """What its log holds may be in memory alone: a power cut in the middle would leave half of it in the file."""
    disk, work = LinuxDisk(), Work(1)
    store = opened(tmp_path, disk.name, 1_000)
    store.commit(work.changes(1))
    disk.forget_at(1)
    with pytest.raises(StoreFailed):
        store.commit(work.changes(2))
    disk.fault = None
    name = str(tmp_path / "store.db")
    before = bytes(disk.media[name].now)
    store.close()
    assert bytes(disk.media[name].now) == before
    again = opened(tmp_path, disk.name)
    check(again, work)
    again.close()


@pytest.mark.usefixtures("keys_sorted_in_early")
def test_a_log_that_was_taken_in_by_halves_goes_on(tmp_path: Path) -> None:
    """Killed at any page of it: some pages of the file are newer than others, and the log is whole."""
    file, work = tmp_path / "store.db", Work(1)
    store = SqliteStore(file)
    connection(store).execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    for number in range(1, 20):
        store.commit(work.changes(number))
    old, inside = file.read_bytes(), log.log_of(file).read_bytes()
    store.close()
    new = file.read_bytes()
    for seed in range(40):
        chance = random.Random(seed)
        pages = range(0, len(new), PAGE_BYTES)
        parts = [chance.choice((old, new))[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\0") for start in pages]
        file.write_bytes(b"".join(parts))
        log.log_of(file).write_bytes(inside)
        with closing(SqliteStore(file)) as again:
            check(again, work)
            assert again.head().number == 19


@pytest.mark.parametrize("left", ["gone", "empty"])
@pytest.mark.parametrize("open_", [SqliteStore, SqliteReader])
def test_a_log_without_its_database_is_no_new_store(tmp_path: Path, left: str, open_: type) -> None:
    """It says what to do, and leaves the log alone, which SQLite itself would delete."""
    file = left_behind(tmp_path)
    held, inside = file.read_bytes(), log.log_of(file).read_bytes()
    file.unlink()
    if left == "empty":
        file.touch()
    says = rf"store\.db: it is {left}, and its log store\.db-wal is left, with \d+ bytes of commits\. Put the file back"
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=says):
            open_(file)
    assert log.log_of(file).read_bytes() == inside
    file.write_bytes(held)
    with closing(SqliteStore(file)) as store:
        assert store.saga("S1") == saga("S1")
