"""One engine on one store, in any process; the lock dies with its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from amends.adapters.sqlite.lock import EngineLock
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from tests.contract.rows import Writer, saga

HOLD = """
import sys
from amends.adapters.sqlite.store import SqliteStore
store = SqliteStore(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""
FORKED = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from amends.adapters.sqlite.store import SqliteStore
from tests.contract.rows import Writer, saga

context = multiprocessing.get_context("fork")

def live():
    print(os.getpid(), flush=True)
    time.sleep(60)

def by_hand():
    if not os.fork():
        live()
        os._exit(0)

def by_process():
    context.Process(target=live).start()

def by_pool():
    ProcessPoolExecutor(1, mp_context=context).submit(live)

store = SqliteStore(sys.argv[1])
Writer(store)(saga("S1"))
globals()[sys.argv[2]]()
time.sleep(60)
"""

ENDS_IN_BETWEEN = """
import os, sys
from amends.adapters.sqlite.store import SqliteStore
store = SqliteStore(sys.argv[1])
database = store._database
database._connection.execute("PRAGMA cache_size = 10")
before = len(database.rows("in_force"))
with database.transaction():
    database.write("put_in_force", [(f"{number}", "y" * 5_000) for number in range(500)])  # the log holds most of it
    child = os.fork()
    if not child:
        sys.exit()  # everything is finalized
    os.waitpid(child, 0)
print(len(database.rows("in_force")) - before, database._connection.pragma("integrity_check"))
"""


@contextmanager
def held_elsewhere(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold a store in another process."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_engine_is_told_who_has_the_store(tmp_path: Path) -> None:
    """By its process id; reading is anybody's."""
    file = tmp_path / "store.db"
    with held_elsewhere(file) as process:
        with pytest.raises(StoreUnusable, match=rf"store\.db: in use by the engine of process {process.pid}$"):
            SqliteStore(file)
        with closing(SqliteReader(file)) as reader:
            assert reader.head().number == 0


def test_a_kill_releases_the_store(tmp_path: Path) -> None:
    """With no waiting, and nothing to clear up by hand."""
    file = tmp_path / "store.db"
    with held_elsewhere(file) as process:
        process.kill()
        process.wait()
        with closing(SqliteStore(file)) as store:
            Writer(store)(saga("S1"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("way", ["by_hand", "by_process", "by_pool"])
def test_a_child_does_not_inherit_the_store(tmp_path: Path, way: str) -> None:
    """The parent is killed, its child lives on and knows nothing of it: the next engine has the store at once."""
    file = tmp_path / "store.db"
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(file), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            parent.kill()
            parent.wait()
            os.kill(child, 0)  # it is there
            with closing(SqliteStore(file)) as store:
                assert store.saga("S1") == saga("S1")
                Writer(store)(saga("S2"))
            assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db", "store.db.lock"]
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_ends_leaves_the_parent_s_lock(tmp_path: Path) -> None:
    """It closes what it inherited, which is no lock of its own."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)):
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        command = [sys.executable, "-c", HOLD, str(file)]
        other = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert f"in use by the engine of process {os.getpid()}" in other.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_ends_in_the_middle_of_a_commit_changes_nothing(tmp_path: Path) -> None:
    """Finalized like any other object, its copy of the connection would roll back in memory that both share."""
    command = [sys.executable, "-c", ENDS_IN_BETWEEN, str(tmp_path / "store.db")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "500 ok\n"


def test_a_process_has_a_store_once(tmp_path: Path) -> None:
    """Until it closes it; a store that could not be opened holds nothing."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)):
        for _ in range(2):
            with pytest.raises(StoreUnusable, match=f"in use by the engine of process {os.getpid()}$"):
                SqliteStore(file)
    SqliteStore(file).close()
    file.write_text("no database, but long enough to be looked at" * 20)
    for _ in range(2):
        with pytest.raises(StoreUnusable, match="not an SQLite database"):
            SqliteStore(file)


def test_closing_a_store_twice_leaves_the_next_one_alone(tmp_path: Path) -> None:
    """The lock is given back once."""
    first = SqliteStore(tmp_path / "store.db")
    first.close()
    with closing(SqliteStore(tmp_path / "store.db")):
        first.close()
        with pytest.raises(StoreUnusable, match="in use"):
            SqliteStore(tmp_path / "store.db")


def test_a_lock_whose_holder_is_unknown_is_a_lock(tmp_path: Path) -> None:
    """On a full disk it could not say who it was."""
    lock = EngineLock(tmp_path / "store.db")
    (tmp_path / "store.db.lock").write_bytes(b"")
    with pytest.raises(StoreUnusable, match="in use by the engine of process unknown"):
        EngineLock(tmp_path / "store.db")
    lock.release()
    EngineLock(tmp_path / "store.db").release()


def test_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The store is not opened without it."""
    (tmp_path / "store.db.lock").mkdir()
    with pytest.raises(StoreUnusable, match=r"its lock file store\.db\.lock cannot be written: Is a directory"):
        SqliteStore(tmp_path / "store.db")
