"""One engine on one store, in any process; the lock dies with its holder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
