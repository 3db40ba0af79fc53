"""Promise P15: what the promises need is in force, or the store is not opened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from amends.adapters.sqlite import settings
from amends.adapters.sqlite.mounts import durability_of, kind_of
from amends.adapters.sqlite.opening import PAGE_BYTES
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from tests.adapters.sqlite.power import Disk
from tests.adapters.sqlite.work import connection
from tests.contract.rows import Writer, saga

EVERYBODY = {
    "journal_mode": "wal",
    "synchronous": 2,
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
    "busy_timeout": 5_000,
    "mmap_size": 0,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "locking_mode": "normal",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store."""
    SqliteStore(tmp_path / "store.db").close()
    return tmp_path / "store.db"


def test_the_engine_s_settings_are_in_force(file: Path) -> None:
    """All of them."""
    with closing(SqliteStore(file)) as store:
        expected = {**EVERYBODY, "query_only": 0, "wal_autocheckpoint": 1_000, "page_size": PAGE_BYTES}
        assert {name: connection(store).pragma(name) for name in expected} == expected


def test_a_reader_s_settings_are_in_force(file: Path) -> None:
    """It writes nothing, and takes in no log."""
    with closing(SqliteReader(file)) as reader:
        expected = {**EVERYBODY, "query_only": 1, "wal_autocheckpoint": 0}
        database = reader._database._connection
        assert {name: database.pragma(name) for name in expected} == expected
        with pytest.raises(apsw.ReadOnlyError):
            database.execute("DELETE FROM blocks")


def test_a_reader_that_closes_last_leaves_the_log_alone(tmp_path: Path) -> None:
    """To take it in is the engine's, which syncs it as it has to be."""
    file = tmp_path / "store.db"
    store = SqliteStore(file)
    reader = SqliteReader(file)
    Writer(store)(saga("S1"))
    connection(store).config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    before = file.read_bytes()
    store.close()
    assert reader.saga("S1") == saga("S1")
    reader.close()
    assert file.read_bytes() == before
    with closing(SqliteReader(file)) as again:
        assert again.saga("S1") == saga("S1")


class Liar:
    """A connection that says that a setting is another than it is."""

    def __init__(self, name: str) -> None:
        self._connection = apsw.Connection(":memory:")
        self._name = name

    def execute(self, text: str) -> apsw.Cursor:
        """As ever."""
        return self._connection.execute(text)

    def pragma(self, name: str) -> Any:
        """Not as ever."""
        return "off" if name == self._name else self._connection.pragma(name)


@pytest.mark.parametrize("name", settings.WRITER)
def test_a_setting_that_is_not_in_force_is_named(name: str) -> None:
    """Each is read back, and not one is left out."""
    with pytest.raises(StoreUnusable, match=f"the setting {name} must be .*, and is off: commits would not be safe"):
        settings.put_in_force(Liar(name), settings.WRITER)  # type: ignore[arg-type] # it does what is asked


def test_without_a_log_no_store_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot keep its log, as on a network's file system, it keeps a journal, and we do not go on."""

    def put_all_but_the_lock(database: apsw.Connection, wanted: settings.Settings) -> None:
        settings.put_in_force(database, {name: value for name, value in wanted.items() if name != "locking_mode"})

    monkeypatch.setattr("amends.adapters.sqlite.opening.put_in_force", put_all_but_the_lock)
    disk = Disk()  # which has no shared memory
    with pytest.raises(StoreUnusable, match="the setting journal_mode must be wal, and is delete"):
        SqliteStore(tmp_path / "store.db", disk.name)


@pytest.mark.parametrize("version", ["3.51.2", "3.40.1", "3.52.0", "3.7.17"])
def test_a_library_that_loses_commits_is_refused(monkeypatch: pytest.MonkeyPatch, file: Path, version: str) -> None:
    """To write as to read; it names the one that is needed."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    for open_ in (SqliteStore, SqliteReader):
        with pytest.raises(StoreUnusable, match=rf"SQLite {version} can lose commits; at least 3\.51\.3 is needed"):
            open_(file)


def test_it_is_told_to_others_what_is_in_force(file: Path) -> None:
    """By whoever opened it last."""
    with closing(SqliteReader(file)) as reader:
        assert reader.durability() == durability_of(kind_of(file))
