"""A migration that is killed leaves the version before it or the one after it, and goes on (fault R3)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import migrations
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from tests.contract.rows import Writer, saga
from tests.house.source import AMENDS

SCRIPTS = sorted(path.name for path in (AMENDS / "adapters/sqlite/schema").iterdir())
STATEMENTS_MIN = 30


def objects(file: Path) -> tuple[int, frozenset[str]]:
    """Return the version of a file, and the names of what is in it."""
    with closing(apsw.Connection(str(file))) as database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        return database.pragma("user_version"), frozenset(str(name) for (name,) in names)


def made_by_hand(file: Path, version: int) -> None:
    """Make a store of a version."""
    with closing(apsw.Connection(str(file))) as database:
        for number in range(1, version + 1):
            migrations._apply(database, number)


@contextmanager
def copied_at_each_statement(file: Path, into: Path) -> Iterator[list[Path]]:
    """Copy a database, and what is beside it, before each statement on it: what a kill at that moment would leave."""
    copies: list[Path] = []

    def copy(*_: object) -> bool:
        copies.append(into / str(len(copies)))
        copies[-1].mkdir(parents=True)
        for part in file.parent.glob(f"{file.name}*"):
            if not part.name.endswith(("-shm", ".lock")):  # shared memory is nothing without its processes
                shutil.copy(part, copies[-1])
        return True

    def hook(connection: apsw.Connection) -> None:
        if connection.filename:
            connection.exec_trace = copy

    apsw.connection_hooks.append(hook)
    try:
        yield copies
    finally:
        apsw.connection_hooks.remove(hook)


@pytest.mark.parametrize("version", range(migrations.VERSION))
def test_killed_at_each_statement_it_goes_on(tmp_path: Path, version: int) -> None:
    """From each version to the next; from nothing at once, so that a reader finds no store of an earlier version."""
    whole = {}
    for number in range(version, migrations.VERSION + 1):
        made_by_hand(tmp_path / f"{number}.db", number)
        whole[number] = objects(tmp_path / f"{number}.db")[1]
    file = tmp_path / "store.db"
    made_by_hand(file, version)
    with copied_at_each_statement(file, tmp_path / "killed") as copies:
        SqliteStore(file).close()
    seen = set()
    for copy in copies:
        found, names = objects(copy / "store.db")
        assert names == whole[found]
        seen.add(found)
        with closing(SqliteStore(copy / "store.db")) as store:
            Writer(store)(saga("S1"))
            assert store.saga("S1") == saga("S1")
        assert objects(copy / "store.db") == (migrations.VERSION, whole[migrations.VERSION])
    assert seen == (set(whole) if version else {0, migrations.VERSION})
    assert len(copies) >= STATEMENTS_MIN


def test_rows_outlive_a_migration(tmp_path: Path) -> None:
    """What the version before wrote is read by this one."""
    file = tmp_path / "store.db"
    made_by_hand(file, 1)
    with closing(apsw.Connection(str(file))) as database:
        database.execute("INSERT INTO counts VALUES ('tickets/1/0123abcd', 'completed', 7)")
    with closing(SqliteStore(file)) as store:
        assert store.counts() == {("tickets/1/0123abcd", "completed"): 7}


def test_a_reader_migrates_nothing(tmp_path: Path) -> None:
    """It says who does."""
    file = tmp_path / "store.db"
    made_by_hand(file, 1)
    with pytest.raises(StoreUnusable, match="it holds a store of version 1; an engine that opens it brings it to"):
        SqliteReader(file)
    assert objects(file)[0] == 1


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: in its last statement."""
    file = tmp_path / "store.db"
    SqliteStore(file).close()
    before = objects(file)
    broken = "CREATE TABLE more (id INTEGER); INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(migrations, "SCHEMAS", [*migrations.SCHEMAS, broken])
    monkeypatch.setattr(migrations, "VERSION", migrations.VERSION + 1)
    with pytest.raises(StoreUnusable, match="no such table: nowhere"):
        SqliteStore(file)
    assert objects(file) == before


def test_scripts_are_numbered() -> None:
    """1, 2, 3: in the order in which they are applied; each begins with what it is."""
    assert [int(name[:4]) for name in SCRIPTS] == list(range(1, migrations.VERSION + 1))
    for number, (name, text) in enumerate(zip(SCRIPTS, migrations.SCHEMAS, strict=True), 1):
        assert re.fullmatch(r"\d{4}_\w+\.sql", name)
        assert text.startswith(f"-- Version {number}: ")


def test_every_table_is_strict() -> None:
    """A value of another type is refused when it is written."""
    with closing(apsw.Connection(":memory:")) as database:
        migrations.migrate(database)
        tables = database.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
    assert len(tables) > len(SCRIPTS)
    assert {str(name) for name, strict in tables if not strict} == {"sqlite_schema", "sqlite_temp_schema"}
