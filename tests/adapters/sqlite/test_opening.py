"""What is no store is refused when it is opened, in one line that says why (fault S7)."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import migrations
from amends.adapters.sqlite.migrations import APPLICATION_ID, VERSION
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from tests.adapters.sqlite.power import Disk
from tests.adapters.sqlite.test_log import left_behind
from tests.contract.rows import Writer, saga

NOBODY = 65534  # a user that owns nothing, in every Unix


def a_directory(file: Path) -> None:
    """There is a directory of the name."""
    file.mkdir()


def text(file: Path) -> None:
    """There is a file of some other kind."""
    file.write_text("id,name\n1,2\n" * 500)


def foreign(file: Path) -> None:
    """There is a database of another program."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE orders (id INTEGER)")
        database.commit()


def foreign_and_marked(file: Path) -> None:
    """There is a database of a program that marks its own, and which has no tables yet."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA application_id = 77")


def of_the_future(file: Path) -> None:
    """There is a store of a later Amends."""
    SqliteStore(file).close()
    with closing(apsw.Connection(str(file))) as database:
        database.pragma("user_version", VERSION + 1)


def changed(file: Path) -> None:
    """There is a store whose tables somebody changed."""
    SqliteStore(file).close()
    with closing(apsw.Connection(str(file))) as database:
        database.execute("ALTER TABLE sagas ADD COLUMN note TEXT")


def cut_short(file: Path) -> None:
    """There is a store, but for its end."""
    SqliteStore(file).close()
    os.truncate(file, 5_000)


def another_name(file: Path) -> None:
    """There is a store with two names."""
    SqliteStore(file).close()
    file.with_name("other.db").hardlink_to(file)


def a_pipe(file: Path) -> None:
    """There is something that is not kept at all."""
    os.mkfifo(file)


def a_loop(file: Path) -> None:
    """There is a link to itself."""
    file.symlink_to(file)


REFUSED: dict[Callable[[Path], None], str] = {
    a_directory: "a directory",
    text: r"it is not an SQLite database \(.*\)",
    foreign: "it is an SQLite database of another program",
    foreign_and_marked: "it is an SQLite database of another program",
    of_the_future: f"it is of version {VERSION + 1}, from a later Amends; this one knows version {VERSION}",
    changed: f"its table sagas is not what version {VERSION} has",
    cut_short: "it is damaged .*",
    another_name: r"it has another name \(a hard link\), under which its lock would not be seen",
    a_pipe: "not a file",
    a_loop: r"(it cannot be opened \(.*\)|there is no such file)",
}


@pytest.mark.parametrize("open_", [SqliteStore, SqliteReader])
@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_is_no_store_is_refused(
    tmp_path: Path, make: Callable[[Path], None], open_: Callable[[Path], object]
) -> None:
    """To write as to read, and it stays as it is."""
    file = tmp_path / "store.db"
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    with pytest.raises(StoreUnusable) as refusal:
        open_(file)
    assert re.fullmatch(rf"/\S+/store\.db: {REFUSED[make]}", str(refusal.value))
    assert "\n" not in str(refusal.value)
    assert (file.read_bytes() if file.is_file() else b"") == before


@pytest.mark.parametrize("open_", [SqliteStore, SqliteReader])
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "no file is named"),
        ("{}/missing/store.db", "there is no directory /.*/missing"),
        ("{}/a\0b", "is no usable path: embedded null byte"),
        ("{}/a\udcff", "is no usable path: .*surrogates not allowed"),
        ("{}/" + "n" * 300, "is no usable path: .*too long"),
    ],
    ids=["nothing", "no directory", "no name", "no UTF-8", "a long name"],
)
def test_where_no_store_can_be_is_refused(tmp_path: Path, path: str, why: str, open_: Callable[[str], object]) -> None:
    """Whatever is asked for."""
    with pytest.raises(StoreUnusable, match=why):
        open_(path.format(tmp_path))


def test_to_read_there_has_to_be_a_store(tmp_path: Path) -> None:
    """Reading makes none."""
    file = tmp_path / "store.db"
    with pytest.raises(StoreUnusable, match="there is no such file"):
        SqliteReader(file)
    file.touch()
    with pytest.raises(StoreUnusable, match="it holds no store yet; an engine that opens it brings it to version"):
        SqliteReader(file)
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """A process that is killed while it makes one may leave that."""
    file = tmp_path / "store.db"
    file.touch()
    with closing(SqliteStore(file)) as store:
        Writer(store)(saga("S1"))
    with closing(SqliteStore(file)) as store:
        assert store.saga("S1") == saga("S1")


def test_a_store_is_marked_as_ours(tmp_path: Path) -> None:
    """At byte 68, where other programs look."""
    file = tmp_path / "store.db"
    SqliteStore(file).close()
    assert file.read_bytes()[68:72] == b"Amnd" == APPLICATION_ID.to_bytes(4, "big")


def test_a_full_disk_makes_no_store(tmp_path: Path) -> None:
    """And says so."""

    def full(operation: str, _: str) -> None:
        if operation == "write":
            raise apsw.FullError("full")

    disk = Disk()
    disk.fault = full
    with pytest.raises(StoreUnusable, match="there is no space left"):
        SqliteStore(tmp_path / "store.db", disk.name)
    disk.fault = None
    SqliteStore(tmp_path / "store.db", disk.name).close()


def test_a_full_disk_opens_the_store_that_it_has(tmp_path: Path) -> None:
    """What waits in it can be looked at, and goes on by itself when there is space."""
    disk = Disk()
    SqliteStore(tmp_path / "store.db", disk.name).close()

    def full(operation: str, name: str) -> None:
        if operation == "write" and name.endswith("-wal"):
            raise apsw.FullError("full")

    disk.fault = full
    store = SqliteStore(tmp_path / "store.db", disk.name)
    assert store.head().number == 0
    store.close()


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """Give up root's rights, to whom nothing is read-only; return a directory that is nobody's."""
    folder = Path(tempfile.mkdtemp(prefix="amends-test-"))
    folder.chmod(0o777)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_a_file_that_cannot_be_written_is_refused(as_nobody: Path) -> None:
    """To write; it can be read, while its engine runs or when it has none."""
    file = as_nobody / "store.db"
    SqliteStore(file).close()
    file.chmod(0o444)
    with pytest.raises(StoreUnusable, match=r"store\.db: not writable"):
        SqliteStore(file)
    with closing(SqliteReader(file)) as reader:
        assert reader.head().number == 0


def test_a_directory_that_cannot_be_written_is_refused(as_nobody: Path) -> None:
    """A store needs its log and its lock beside it."""
    folder = as_nobody / "sealed"
    folder.mkdir()
    SqliteStore(folder / "store.db").close()
    folder.chmod(0o555)
    for file in ("store.db", "new.db"):
        with pytest.raises(StoreUnusable, match="sealed: not writable"):
            SqliteStore(folder / file)
    folder.chmod(0o755)


@pytest.fixture
def sealed(as_nobody: Path) -> Iterator[Path]:
    """Return a folder that is to hold a store, and in which nothing can be written while the test looks."""
    folder = as_nobody / "sealed here? yes#1"  # to be escaped in the address of a file
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def test_a_store_is_read_where_nothing_can_be_written(sealed: Path) -> None:
    """As on a read-only mount: its engine stopped by itself, so that the file is all."""
    file = sealed / "store.db"
    with closing(SqliteStore(file)) as store:
        Writer(store)(saga("S1"))
    for path in sealed.iterdir():
        path.chmod(0o444)
    sealed.chmod(0o555)
    with closing(SqliteReader(file)) as reader:
        assert reader.saga("S1") == saga("S1")
        assert [block.number for block in reader.blocks()] == [1]
    assert sorted(path.name for path in sealed.iterdir()) == ["store.db", "store.db.lock"]


@pytest.mark.parametrize("left", ["all", "no shared memory"])
def test_where_nothing_can_be_written_a_log_is_not_passed_over(sealed: Path, left: str) -> None:
    """It is read where SQLite can read it; else it says what is to be done, and that helps."""
    file = left_behind(sealed)
    if left != "all":
        file.with_name("store.db-shm").unlink()
    sealed.chmod(0o555)
    if left == "all":
        with closing(SqliteReader(file)) as reader:
            assert reader.saga("S1") == saga("S1")
    else:
        with pytest.raises(StoreUnusable, match=r"\d+ bytes of commits are in store\.db-wal, .*; copy both files to"):
            SqliteReader(file)
    for name in ("store.db", "store.db-wal"):
        shutil.copy(sealed / name, sealed.parent)
    with closing(SqliteReader(sealed.parent / "store.db")) as reader:
        assert reader.saga("S1") == saga("S1")


def test_a_file_that_cannot_be_read_is_refused(as_nobody: Path) -> None:
    """To write as to read."""
    file = as_nobody / "store.db"
    SqliteStore(file).close()
    file.chmod(0)
    with pytest.raises(StoreUnusable, match="not writable"):
        SqliteStore(file)
    with pytest.raises(StoreUnusable, match="it cannot be opened"):
        SqliteReader(file)


def test_a_new_store_s_name_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, when it is made: a power cut after the first answer leaves a file of that name."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    SqliteStore(tmp_path / "store.db").close()
    assert synced == [tmp_path.stat().st_ino]
    SqliteStore(tmp_path / "store.db").close()
    assert synced == [tmp_path.stat().st_ino]


ADDED = {
    "trigger takes": "CREATE TRIGGER takes AFTER UPDATE ON entities BEGIN UPDATE entities SET body = '0'; END",
    "trigger forgets": "CREATE TRIGGER forgets AFTER INSERT ON client_keys BEGIN DELETE FROM client_keys; END",
    'trigger sqlite "odd"': 'CREATE TRIGGER "sqlite ""odd""" INSTEAD OF INSERT ON audit BEGIN SELECT 1; END',
    "view mine": "CREATE VIEW mine AS SELECT saga, name FROM saga_list",
    "table amends_inbox": "CREATE TABLE amends_inbox (saga TEXT)",
    "index sagas_started": "CREATE UNIQUE INDEX sagas_started ON sagas (started_ms)",
}


@pytest.mark.parametrize("what", ADDED)
def test_what_somebody_added_is_refused(tmp_path: Path, what: str) -> None:
    """It would run in the engine's transactions. It is named, with what removes it; to read, the store is as ever."""
    file = tmp_path / "store.db"
    SqliteStore(file).close()
    with closing(apsw.Connection(str(file))) as database:
        database.execute(ADDED[what])
    with closing(SqliteReader(file)) as reader:
        (problem,) = reader.problems()
    assert problem.startswith(f"the {what} is none of Amends': remove it (DROP ")
    with pytest.raises(StoreUnusable) as refusal:
        SqliteStore(file)
    assert str(refusal.value) == f"{file}: {problem}"
    with closing(apsw.Connection(str(file))) as database:
        database.execute(problem.partition("remove it (")[2].partition(");")[0])
    SqliteStore(file).close()


def test_what_somebody_added_to_an_earlier_version_does_not_run_when_it_is_brought_up_to_date(tmp_path: Path) -> None:
    """It is refused first."""
    file = tmp_path / "store.db"
    with closing(apsw.Connection(str(file))) as database:
        migrations._apply(database, 1)
        database.execute("CREATE TABLE mine (x)")
    with pytest.raises(StoreUnusable, match="the table mine is none of Amends'"):
        SqliteStore(file)
    with closing(apsw.Connection(str(file))) as database:
        assert database.pragma("user_version") == 1


def test_what_sqlite_itself_adds_is_left_alone(tmp_path: Path) -> None:
    """What ANALYZE finds, and a table that nobody can drop any more."""
    file = tmp_path / "store.db"
    SqliteStore(file).close()
    with closing(apsw.Connection(str(file))) as database:
        for statement in ("ANALYZE", "CREATE TABLE mine (x INTEGER PRIMARY KEY AUTOINCREMENT)", "DROP TABLE mine"):
            database.execute(statement)
    with closing(SqliteStore(file)), closing(SqliteReader(file)) as reader:
        assert list(reader.problems()) == []


def test_a_link_to_a_store_is_the_store(tmp_path: Path) -> None:
    """Its lock is the same, too."""
    file, link = tmp_path / "store.db", tmp_path / "link.db"
    link.symlink_to(file)
    with closing(SqliteStore(link)) as store:
        Writer(store)(saga("S1"))
        with pytest.raises(StoreUnusable, match="in use"):
            SqliteStore(file)
    with closing(SqliteReader(file)) as reader:
        assert reader.saga("S1") == saga("S1")
