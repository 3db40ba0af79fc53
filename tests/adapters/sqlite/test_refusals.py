"""SQLite's errors stop at the border: each is one of ours, that says who acts."""

from __future__ import annotations

import errno
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import database
from amends.adapters.sqlite.refusals import refusal_of
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreBusy, StoreConflict, StoreError, StoreFailed, StoreFull, StoreTooBig
from tests.adapters.sqlite.work import connection
from tests.contract.rows import Writer, entity, saga

OF_SQLITE = sorted(
    (
        error
        for error in vars(apsw).values()
        if isinstance(error, type) and issubclass(error, apsw.Error) and error is not apsw.Error
    ),
    key=lambda error: error.__name__,
)
GOES_ON: dict[type[apsw.Error], type[StoreError]] = {
    apsw.FullError: StoreFull,
    apsw.BusyError: StoreBusy,
    apsw.LockedError: StoreBusy,
    apsw.TooBigError: StoreTooBig,
}


@pytest.mark.parametrize("number", [errno.EFBIG, getattr(errno, "EDQUOT", errno.EFBIG)])
def test_the_end_of_a_quota_is_a_full_disk(number: int) -> None:
    """SQLite takes it for a failing disk; one that fails all the same is one, and so is a sync that meets it."""
    error = apsw.IOError("disk I/O error")
    error.extendedresult = apsw.SQLITE_IOERR_WRITE  # type: ignore[attr-defined]  # as SQLite raises it
    assert type(refusal_of(error, number)) is StoreFull
    assert type(refusal_of(error, errno.EIO)) is StoreFailed
    error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
    assert type(refusal_of(error, number)) is StoreFailed


LIMITED = """
import resource, signal, sys
import amends
from amends import Saga, StoreFull, local
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
saga = Saga("s", str, [local("NOTED", lambda _, text: text, entity=lambda text: text[:4], pivot=True)])
with amends.open("sqlite:///" + sys.argv[1], sagas=[saga]) as engine:
    engine.submit(saga, "first")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        for number in range(50):
            engine.submit(saga, f"{number:04d}" + 50_000 * "x")
        sys.exit("no limit was met")
    except StoreFull as full:
        assert "File too large" in str(full)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    engine.submit(saga, "then").result(timeout=30)
    assert engine.entity("NOTED", "firs") == "first"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limits")
def test_it_goes_on_when_a_file_may_grow_again(tmp_path: Path) -> None:
    """`ulimit -f`, and a quota alike: what is new is refused meanwhile, and nothing is lost."""
    command = [sys.executable, "-W", "ignore", "-c", LIMITED, str(tmp_path / "store.db")]
    ended = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_table_is_all_of_sqlite_s_errors() -> None:
    """As apsw makes them of its result codes, and some of its own."""
    assert len(OF_SQLITE) > 30


@pytest.mark.parametrize("error", OF_SQLITE, ids=lambda error: error.__name__)
def test_each_error_is_one_of_ours(error: type[apsw.Error]) -> None:
    """In one line; what nobody foresaw stops the store."""
    refusal = refusal_of(error("one line\nand another"))
    assert type(refusal) is GOES_ON.get(error, StoreFailed)
    assert "one line and another" in str(refusal)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PRIMARYKEY", StoreConflict),
        ("UNIQUE", StoreConflict),
        ("ROWID", StoreConflict),
        ("NOTNULL", StoreFailed),
        ("DATATYPE", StoreFailed),
        ("CHECK", StoreFailed),
    ],
)
def test_a_broken_constraint_is_a_conflict_when_a_row_is_there(code: str, kind: type[StoreError]) -> None:
    """Any other constraint is broken by a row that never should have been made."""
    error = apsw.ConstraintError("broken")
    vars(error)["extendedresult"] = getattr(apsw, f"SQLITE_CONSTRAINT_{code}")
    assert type(refusal_of(error)) is kind


@pytest.mark.parametrize("error", OF_SQLITE, ids=lambda error: error.__name__)
def test_an_error_in_a_commit_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[apsw.Error]
) -> None:
    """In the midst of it; the store goes on where that is right, and says why not where it is not."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        write = Writer(store)
        changes = write.changes(saga("S1"))
        with monkeypatch.context() as patch:
            patch.setattr(database.Connection, "write", _raising(error))
            with pytest.raises(GOES_ON.get(error, StoreFailed)):
                store.commit(changes)
        assert not connection(store).in_transaction
        if error in GOES_ON:
            assert store.saga("S1") is None
            write(saga("S1"))
        else:
            with pytest.raises(StoreFailed, match="the storage failed"):
                store.head()


def _raising(error: type[apsw.Error]) -> object:
    def write(self: database.Connection, name: str, rows: object) -> int:
        connection = self._connection
        connection.execute("INSERT INTO counts VALUES ('x', 'y', 1)")
        raise error("planted")

    return write


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (saga("S1", body="\udc80"), UnicodeEncodeError),
        (saga("S1", due_ms=2**63), OverflowError),
        (saga("S1", due_ms=object()), TypeError),
        (entity("\udc80"), UnicodeEncodeError),
    ],
)
def test_what_no_store_can_hold_is_not_half_stored(tmp_path: Path, row: object, error: type[Exception]) -> None:
    """It is an error of who made it, and of nobody else."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        write = Writer(store)
        with pytest.raises(error):
            write(saga("S0"), row)  # type: ignore[arg-type] # drawn from the table
        assert store.head().number == 0
        assert store.saga("S0") is None
        write(saga("S0"))


def test_a_file_that_is_locked_by_another_program_is_busy(tmp_path: Path) -> None:
    """Whoever looks into a store with a database shell may begin to write; the engine waits, and tries again."""
    with (
        closing(SqliteStore(tmp_path / "store.db")) as store,
        closing(apsw.Connection(str(tmp_path / "store.db"))) as other,
    ):
        connection(store).set_busy_timeout(1)
        other.execute("BEGIN IMMEDIATE")
        write = Writer(store)
        with pytest.raises(StoreBusy, match="another program keeps it locked"):
            write(saga("S1"))
        assert store.saga("S1") is None
        other.execute("ROLLBACK")
        write(saga("S1"))


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Whatever is asked."""
    store = SqliteStore(tmp_path / "store.db")
    changes = Writer(store).changes(saga("S1"))
    store.close()
    for ask in (store.head, store.counts, lambda: store.sagas(["S"]), lambda: store.commit(changes)):
        with pytest.raises(StoreFailed, match="the store is closed"):
            ask()
