"""The files of an open store: nobody takes them away, and when somebody does, nothing more is answered (fault S7)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amends.adapters.sqlite import holds
from amends.adapters.sqlite.mounts import LOCAL, kind_of
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreError, StoreFailed
from tests.adapters.sqlite.work import connection
from tests.contract.rows import Writer, saga

LOOK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement).fetchall()
database.close()
"""
COUNT = "SELECT count(*) FROM saga_list"
own_locks = pytest.mark.skipif(not holds.ARE_THERE, reason="this system has no locks that end with their descriptor")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a store is to be, alone in its folder."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "store.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    """Yield a store with one commit in its log."""
    store = SqliteStore(file)
    Writer(store)(saga("S1"))
    yield store
    store.close()


def shell(file: Path, *statements: str) -> None:
    """Let another process use the file with SQLite's own means, and close it."""
    subprocess.run([sys.executable, "-c", LOOK, str(file), *statements], check=True)


def beside(file: Path, end: str) -> Path:
    """Return a file that SQLite keeps beside a database."""
    return file.with_name(file.name + end)


def another_store(folder: Path) -> Path:
    """Make a store with other sagas."""
    file = folder / "other.db"
    with closing(SqliteStore(file)) as store:
        Writer(store)(*(saga(f"T{number}", body="t" * 9_000) for number in range(9)))
    return file


# Kept from being taken away -----------------------------------------------------------------------------------


def by_sqlite3(file: Path) -> None:
    """Look with the other copy of SQLite that Python has."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(COUNT).fetchall() == [(1,)]


def by_reading(file: Path) -> None:
    """Read all files, as a checksum or a copy does."""
    for path in file.parent.iterdir():
        path.read_bytes()


@own_locks
@pytest.mark.parametrize("look", [by_sqlite3, by_reading])
def test_a_look_in_the_engine_s_process_costs_nothing(
    file: Path, store: SqliteStore, look: Callable[[Path], None]
) -> None:
    """It drops every lock that SQLite has; and another process that closes the file last still deletes nothing."""
    look(file)
    log, memory = beside(file, "-wal").stat(), beside(file, "-shm").stat()
    shell(file, COUNT)
    assert (beside(file, "-wal").stat().st_ino, beside(file, "-shm").stat().st_ino) == (log.st_ino, memory.st_ino)
    Writer(store)(saga("S2"))
    shell(file, COUNT)
    with closing(SqliteReader(file)) as reader:
        assert (reader.saga("S1"), reader.saga("S2")) == (saga("S1"), saga("S2"))


def test_where_no_lock_helps_the_loss_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is taken in and deleted by another process; what it held is in the file, and nothing more is answered."""
    monkeypatch.setattr(holds, "ARE_THERE", False)
    with closing(SqliteStore(file)) as store:
        Writer(store)(saga("S1"))
        by_sqlite3(file)
        shell(file, COUNT)
        assert not beside(file, "-wal").exists()
        with pytest.raises(StoreFailed, match=r"store\.db-wal: it is gone: .*; open the store again"):
            Writer(store)(saga("S2"))
    with closing(SqliteStore(file)) as store:
        assert (store.saga("S1"), store.saga("S2")) == (saga("S1"), None)


def test_a_store_that_is_closed_is_one_file(file: Path) -> None:
    """The locks of our own go first, so that SQLite can tidy up."""
    with closing(SqliteStore(file)) as store:
        Writer(store)(saga("S1"))
        by_reading(file)
    assert {path.name for path in file.parent.iterdir()} == {"store.db", "store.db.lock"}


@own_locks
def test_a_reader_outlives_the_engine_of_its_process(file: Path) -> None:
    """Closing the engine's files does not drop the reader's locks: the log that it reads stays."""
    store = SqliteStore(file)
    Writer(store)(saga("S1"))
    with closing(SqliteReader(file)) as reader:
        store.close()
        log = beside(file, "-wal").stat().st_ino
        shell(file, COUNT)
        assert beside(file, "-wal").stat().st_ino == log
        assert reader.saga("S1") == saga("S1")


# Noticed ------------------------------------------------------------------------------------------------------


def deleted(file: Path) -> None:
    """The database is."""
    file.unlink()


def log_deleted(file: Path) -> None:
    """Its log is."""
    beside(file, "-wal").unlink()


def memory_deleted(file: Path) -> None:
    """Its shared memory is."""
    beside(file, "-shm").unlink()


def lock_deleted(file: Path) -> None:
    """Somebody tidied up: another engine would find the store free."""
    beside(file, ".lock").unlink()


def beside_it_deleted(file: Path) -> None:
    """What is beside it is."""
    log_deleted(file)
    memory_deleted(file)


def moved(file: Path) -> None:
    """It has another name."""
    file.rename(file.with_name("old.db"))


def linked(file: Path) -> None:
    """It is elsewhere, and a link in its place: its log would be looked for there."""
    (file.parent / "there").mkdir()
    file.symlink_to(file.rename(file.parent / "there" / "store.db"))


def replaced(file: Path) -> None:
    """Another store has its name."""
    another_store(file.parent.parent).replace(file)


def log_replaced(file: Path) -> None:
    """A copy of its log has the log's name."""
    log = beside(file, "-wal")
    shutil.copy(log, beside(file, "-copy"))
    beside(file, "-copy").replace(log)


def folder_deleted(file: Path) -> None:
    """With all that is in it."""
    shutil.rmtree(file.parent)


def folder_replaced(file: Path) -> None:
    """By a copy of itself."""
    old = file.parent.rename(file.parent.with_name("old"))
    shutil.copytree(old, file.parent)


def folder_moved(file: Path) -> None:
    """And nothing is in its place."""
    file.parent.rename(file.parent.with_name("old"))


def overwritten(file: Path) -> None:
    """A backup was copied over it."""
    shutil.copyfile(another_store(file.parent.parent), file)


def log_emptied(file: Path) -> None:
    """Somebody wanted space."""
    os.truncate(beside(file, "-wal"), 0)


NOTICED: dict[Callable[[Path], None], str] = {
    deleted: r"store\.db: it is gone: somebody deleted or moved it, .*; put it back, or restore a backup",
    log_deleted: r"store\.db-wal: it is gone",
    memory_deleted: r"store\.db-shm: it is gone: .*; nothing is lost: open the store again",
    lock_deleted: r"store\.db\.lock: it is gone: .*; nothing is lost: open the store again, if no other engine",
    beside_it_deleted: r"store\.db-wal: it is gone",
    moved: r"store\.db: it is gone",
    linked: r"store\.db: another file is in its place",
    replaced: r"store\.db: another file is in its place",
    log_replaced: r"store\.db-wal: another file is in its place",
    folder_deleted: r"store\.db: it is gone",
    folder_replaced: r"store\.db: another file is in its place",
    folder_moved: r"store\.db: it is gone",
    overwritten: r"store\.db: something else than SQLite wrote into it or its log",
    log_emptied: r"store\.db: something else than SQLite wrote into it or its log",
}


def is_seen_inside(file: Path) -> bool:
    """Whether the file system dates what is written, so that it is seen that others wrote."""
    return holds.ARE_THERE and kind_of(file) in LOCAL


@pytest.mark.parametrize("happens", NOTICED, ids=lambda happens: happens.__name__)
def test_what_happens_to_the_files_ends_the_store(
    file: Path, store: SqliteStore, happens: Callable[[Path], None]
) -> None:
    """Nothing more is written, and so nothing answered; it says which file, what happened, and what to do."""
    if happens in (overwritten, log_emptied) and not is_seen_inside(file):
        pytest.skip("on this file system it is not seen who wrote into a file")
    happens(file)
    for _ in range(2):
        with pytest.raises(StoreFailed, match=NOTICED[happens]) as failure:
            Writer(store)(saga("S2"))
    assert "\n" not in str(failure.value)
    with pytest.raises(StoreFailed, match=NOTICED[happens]):
        store.head()


@pytest.mark.parametrize("happens", [*NOTICED][:-2], ids=lambda happens: happens.__name__)
def test_a_commit_during_which_it_happens_is_not_answered(
    file: Path, store: SqliteStore, happens: Callable[[Path], None]
) -> None:
    """It is written or not: the next start tells. While SQLite writes, it is not seen who else wrote inside."""

    def commit() -> None:
        with store._database.transaction():
            store._database.write("put_in_force", [("test", "yes")])
            happens(file)

    with pytest.raises(StoreFailed, match=NOTICED[happens]):
        commit()


@pytest.mark.parametrize("happens", [log_deleted, memory_deleted, beside_it_deleted, log_replaced])
def test_without_its_log_nothing_is_lost(file: Path, store: SqliteStore, happens: Callable[[Path], None]) -> None:
    """What the deleted log held is taken into the file before the engine stops."""
    happens(file)
    with pytest.raises(StoreFailed):
        Writer(store)(saga("S2"))
    store.close()
    with closing(SqliteStore(file)) as again:
        assert (again.saga("S1"), again.saga("S2")) == (saga("S1"), None)
        assert connection(again).pragma("integrity_check") == "ok"


def test_another_store_in_its_place_is_left_alone(file: Path, store: SqliteStore) -> None:
    """Its log, too: closing what was there before deletes nothing."""
    other = another_store(file.parent.parent)
    shutil.rmtree(file.parent)
    file.parent.mkdir()
    shutil.copy(other, file)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM in_force")
        database.commit()
        log = beside(file, "-wal").read_bytes()
        with pytest.raises(StoreFailed):
            Writer(store)(saga("S2"))
        store.close()
        assert beside(file, "-wal").read_bytes() == log


def test_what_is_put_back_in_time_is_no_fault(file: Path, store: SqliteStore) -> None:
    """It is the same file, and the engine had it open all the while."""
    file.rename(file.with_name("old.db"))
    file.with_name("old.db").rename(file)
    Writer(store)(saga("S2"))


@pytest.mark.parametrize(
    "statements",
    [
        ["PRAGMA wal_checkpoint(TRUNCATE)"],
        ["PRAGMA wal_checkpoint(RESTART)", COUNT],
        ["VACUUM"],
        ["ANALYZE", "PRAGMA wal_checkpoint"],
        ["PRAGMA cache_size = 5", "BEGIN", "UPDATE blocks SET records = printf('%.*c', 999999, 'x')", "ROLLBACK"],
        ["BEGIN IMMEDIATE", "REPLACE INTO in_force VALUES ('who', 'a shell')", "COMMIT", "PRAGMA wal_checkpoint"],
    ],
)
def test_what_others_do_by_sqlite_s_means_is_no_fault(file: Path, store: SqliteStore, statements: list[str]) -> None:
    """They take in the log, or write themselves: SQLite knows."""
    write = Writer(store)
    for number in range(2, 5):
        shell(file, *statements)
        write(saga(f"S{number}"))
    assert store.head().number == 4


def test_a_forked_child_says_that_the_store_is_its_parent_s(file: Path, store: SqliteStore) -> None:
    """It can neither read nor write nor close it; the parent goes on."""
    child = os.fork()
    if not child:
        try:
            store.head()
        except StoreError as error:
            store.close()
            os._exit(0 if "this one was forked from it" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    Writer(store)(saga("S2"))
