"""A backup is a complete store, made while its engine writes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import backup as module
from amends.adapters.sqlite.backup import backup
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreFailed, StoreFull, StoreUnusable
from amends.storage.rows import FORWARD, Letter
from amends.storage.shards import ALL_SHARDS
from tests.adapters.sqlite.work import Work, check
from tests.contract.rows import TICKETS, Writer, saga
from tests.contract.subjects import damage

COMMITS = 10


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy a page at a time."""
    monkeypatch.setattr(module, "STEP_PAGES", 1)


def test_a_backup_is_the_store_at_one_moment(tmp_path: Path) -> None:
    """The engine commits between any two steps of it, and is not kept waiting; the copy has nothing of that."""
    work = Work(7)
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        for number in range(1, COMMITS + 1):
            store.commit(work.changes(number))
        before = store.head()

        def go_on(copied: int, of: int) -> None:
            assert 0 < copied <= of
            assert store.head().number < 1_000, "a copy that begins anew at every commit never ends"
            store.commit(work.changes(store.head().number + 1))

        assert backup(tmp_path / "store.db", tmp_path / "copy.db", go_on) == before
        assert store.head().number > 2 * COMMITS
        with closing(SqliteStore(tmp_path / "copy.db")) as copy:
            assert copy.head() == before
            check(copy, work)
            copy.commit(work.changes(COMMITS + 1))
            check(copy, work)
        check(store, work)
    assert not list(tmp_path.glob("*partial*"))


def test_letters_are_copied_before_the_store(tmp_path: Path) -> None:
    """One that is acted on meanwhile is in both, and known in the copy; nothing is written over."""
    letter = Letter("key", 3, "[]", 7)
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        store.mailbox.post([letter])

        def acts(_copied: int, _of: int) -> None:
            store.mailbox.remove(["key"])

        backup(tmp_path / "store.db", tmp_path / "copy.db", acts)
        assert not store.mailbox.letters(ALL_SHARDS, 9)
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert copy.mailbox.letters(ALL_SHARDS, 9) == [letter]
    (tmp_path / "copy.db").unlink()
    with pytest.raises(StoreUnusable, match=r"copy\.db\.mailbox: there is something already"):
        backup(tmp_path / "store.db", tmp_path / "copy.db")
    assert not list(tmp_path.glob("*partial*"))


def test_a_backup_needs_no_engine(tmp_path: Path) -> None:
    """Of a store that nobody has open, and that was killed."""
    work = Work(7)
    store = SqliteStore(tmp_path / "store.db")
    store.commit(work.changes(1))
    for part in ("store.db", "store.db-wal"):
        (tmp_path / f"killed-{part}").write_bytes((tmp_path / part).read_bytes())
    store.close()
    assert backup(tmp_path / "killed-store.db", tmp_path / "copy.db").number == 1
    assert backup(tmp_path / "store.db", tmp_path / "another.db").number == 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        Writer(store)(*(saga(f"S{i}", body="x" * 3_000) for i in range(40)), counts={(TICKETS, FORWARD): 40})
    return tmp_path / "store.db"


def test_nothing_is_written_over(file: Path) -> None:
    """Neither a file, nor the store itself, nor a copy that is being made."""
    other = file.with_name("other.db")
    other.write_text("precious")
    for target in (other, file):
        with pytest.raises(StoreUnusable, match="there is something already"):
            backup(file, target)
    assert other.read_text() == "precious"

    def again(_copied: int, _of: int) -> None:
        with pytest.raises(StoreUnusable, match="in use"):
            backup(file, file.with_name("copy.db"))

    backup(file, file.with_name("copy.db"), again)


def test_a_backup_that_ends_early_leaves_nothing(file: Path) -> None:
    """Whoever gives it up, or whatever: the next one succeeds."""

    def stop(copied: int, of: int) -> None:
        assert file.with_name("copy.db.partial").exists()
        if copied > of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(file, file.with_name("copy.db"), stop)
    assert {path.name for path in file.parent.iterdir()} == {"store.db", "store.db.lock", "copy.db.lock"} | {
        path.name for path in file.parent.glob("store.db-*")
    }
    file.with_name("copy.db.partial").write_text("of a copy that was killed")
    assert backup(file, file.with_name("copy.db")).number == 1


def test_a_full_disk_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is left of the copy."""

    def full(*_: object) -> None:
        raise apsw.FullError("full")

    with pytest.raises(StoreFull, match="there is no space left"):
        backup(file, file.with_name("copy.db"), full)
    assert not list(file.parent.glob("copy.db*l"))


def test_a_damaged_store_makes_no_backup(file: Path) -> None:
    """A copy of damage would be taken for what it is not."""
    held = bytearray(file.read_bytes())
    held[len(held) - 8_192 : len(held) - 8_150] = b"\xff" * 42
    file.write_bytes(held)
    with pytest.raises((StoreFailed, StoreUnusable)):
        backup(file, file.with_name("copy.db"))
    assert not file.with_name("copy.db").exists()


def test_a_damaged_row_is_copied_as_it_is(file: Path) -> None:
    """It says by itself that it is damaged."""
    damage(file, "saga", "S1")
    backup(file, file.with_name("copy.db"))
    with closing(SqliteReader(file.with_name("copy.db"))) as reader:
        assert list(reader.problems()) == ["saga S1: its checksum does not match its values"]


@pytest.mark.parametrize("target", ["", "missing/copy.db", "."])
def test_where_no_copy_can_be_is_told(file: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """In one line."""
    monkeypatch.chdir(file.parent)
    with pytest.raises(StoreUnusable):
        backup(file, target)
    with pytest.raises(StoreUnusable, match="there is no such file"):
        backup(file.with_name("none.db"), "copy.db")


def test_a_log_that_lies_where_the_copy_is_to_be_is_refused(tmp_path: Path) -> None:
    """Of a store that was there: the copy would take it in."""
    SqliteStore(tmp_path / "store.db").close()
    (tmp_path / "copy.db-wal").write_bytes(b"commits")
    with pytest.raises(StoreUnusable, match=r"copy\.db: it is gone, and its log copy\.db-wal is left, with 7 bytes"):
        backup(tmp_path / "store.db", tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db-wal", "store.db", "store.db.lock"]
