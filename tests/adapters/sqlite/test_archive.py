"""Archived sagas are in the archive before they leave the store, whatever happens between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite.archive import _leaving, archived
from amends.adapters.sqlite.location import SqliteLocation
from amends.adapters.sqlite.mounts import durability_of, kind_of
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.engine.archiving import Departure
from amends.errors import AmendsError, StoreConflict, StoreUnusable
from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import COMPENSATED, COMPLETED, KeyRow, SagaRow
from tests.adapters.sqlite.work import check_chain
from tests.contract.rows import START_MS, TICKETS, Writer, key, saga
from tests.contract.subjects import damage

OLD_MS = START_MS + 100
NOW_MS = START_MS + 1_000
SAGAS = [
    saga(f"S{i:02}", status=COMPENSATED if i % 3 else COMPLETED, due_ms=None, changed_ms=OLD_MS - 50 + i * 5)
    for i in range(20)
] + [saga("open")]
KEYS = [key(f"K{i:02}", f"S{i:02}") for i in range(18)] + [key("K-open", "open"), key("K-none")]
OLD = [row for row in SAGAS if row.due_ms is None and row.changed_ms < OLD_MS]
OLD_KEYS = [row for row in KEYS if row.saga_id in {saga.saga_id for saga in OLD}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store with sagas that ended, and a few that did not, or not long ago."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        counts = Counter((row.definition, row.status) for row in SAGAS)
        Writer(store)(*SAGAS, *KEYS, counts=counts, subjects=[row.saga_id for row in SAGAS])
    return tmp_path / "store.db"


def archive_all(file: Path, into: Path, page: int = 4) -> int:
    """Archive what is old. Returns how many sagas."""
    with closing(SqliteStore(file)) as store:
        return sum(archived(store, str(into), Departure(into.name, OLD_MS, lambda: NOW_MS), page))


def sagas_of(records: Records) -> dict[str, SagaRow]:
    """Return all the sagas of a store, each of which can be read."""
    rows = list(records.listing(SagaFilter(limit=1_000)))
    assert all(isinstance(row, SagaRow) for row in rows)
    return {row.saga_id: row for row in rows if isinstance(row, SagaRow)}


def is_archived(file: Path, into: Path) -> None:
    """What is old is in the archive alone, with its keys, and the rest is where it was; both are whole."""
    with closing(SqliteStore(into)) as there, closing(SqliteStore(file)) as here:
        assert sagas_of(there) == {row.saga_id: row for row in OLD}
        assert sagas_of(here) == {row.saga_id: row for row in SAGAS if row not in OLD}
        assert there.keys([row.key for row in KEYS]) == {row.key: row for row in OLD_KEYS}
        assert here.keys([row.key for row in KEYS]) == {row.key: row for row in KEYS if row not in OLD_KEYS}
        assert sum(there.counts().values()) == len(OLD)
        assert sum(here.counts().values()) == len(SAGAS) - len(OLD)
        check_chain(here)
        assert [block.number for block in here.blocks_about("S00")] == [1, 2]
    for store in (file, into):
        with closing(SqliteReader(store)) as reader:
            assert list(reader.problems()) == []


@pytest.mark.parametrize("page", [1, 4, 500])
def test_what_ended_long_ago_is_archived(file: Path, tmp_path: Path, page: int) -> None:
    """With its client keys; what is said of it stays in the audit."""
    assert archive_all(file, tmp_path / "archive.db", page) == len(OLD)
    is_archived(file, tmp_path / "archive.db")
    assert archive_all(file, tmp_path / "archive.db", page) == 0
    with closing(SqliteReader(tmp_path / "archive.db")) as reader:
        assert reader.durability() == durability_of(kind_of(tmp_path))


class Stopped(Exception):
    """The process ends here."""


@contextmanager
def stopped_at(statement: int) -> Iterator[list[str]]:
    """Stop before a statement on any file, what only reads aside; the list has those that there were."""
    counted: list[str] = []

    def trace(_cursor: object, text: str, _values: object) -> bool:
        if not text.startswith(("PRAGMA", "SELECT")):
            counted.append(text)
        if len(counted) == statement:
            raise Stopped
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    apsw.connection_hooks.append(hook)
    try:
        yield counted
    finally:
        apsw.connection_hooks.remove(hook)


@pytest.mark.parametrize("first", [1, *(pytest.param(first, marks=pytest.mark.torture) for first in (2, 3, 4))])
def test_stopped_anywhere_it_goes_on(file: Path, tmp_path: Path, first: int) -> None:
    """At each fourth statement: nothing is lost at any moment, and in the end all is as without it."""
    into, held, statement = tmp_path / "archive.db", file.read_bytes(), first - 4
    while True:
        statement += 4
        file.write_bytes(held)
        into.unlink(missing_ok=True)
        with stopped_at(statement) as counted, suppress(Stopped, AmendsError):
            archive_all(file, into, 5)
        nothing_is_lost(file, into)
        archive_all(file, into, 5)
        is_archived(file, into)
        if len(counted) < statement:
            break
    assert statement > 40


def nothing_is_lost(file: Path, into: Path) -> None:
    """Every saga is in the store or in the archive, or in both."""
    with closing(SqliteStore(file)) as here, closing(SqliteStore(into)) as there:
        found = sagas_of(here) | sagas_of(there)
        keys = here.keys([row.key for row in KEYS]) | there.keys([row.key for row in KEYS])
        assert found == {row.saga_id: row for row in SAGAS}
        assert keys == {row.key: row for row in KEYS}


def test_a_page_that_is_not_let_go_is_archived_again(file: Path, tmp_path: Path) -> None:
    """The process was killed after the copy: the copy is there once; where the saga went on since, as it is now."""
    with closing(SqliteStore(tmp_path / "archive.db")) as there:
        for _ in range(2):
            there.take([OLD[0], OLD[1]._replace(version=0, status=COMPLETED)], OLD_KEYS[:2])
        assert there.counts() == {(TICKETS, COMPLETED): 2}
    archive_all(file, tmp_path / "archive.db")
    is_archived(file, tmp_path / "archive.db")


def test_a_saga_that_cannot_be_read_stays(file: Path, tmp_path: Path) -> None:
    """And hinders no other."""
    damage(file, "saga", "S01")
    assert archive_all(file, tmp_path / "archive.db") == len(OLD) - 1
    with closing(SqliteReader(file)) as reader:
        assert reader.saga("S01") is not None


def test_another_saga_of_the_same_id_is_not_written_over(file: Path, tmp_path: Path) -> None:
    """Neither of them."""
    with closing(SqliteStore(tmp_path / "archive.db")) as there:
        Writer(there)(saga("S02", request="another"))
    with pytest.raises(StoreConflict, match="another saga of the same id"):
        archive_all(file, tmp_path / "archive.db", 500)
    with closing(SqliteReader(file)) as reader:
        assert len(sagas_of(reader)) == len(SAGAS)


def test_a_key_that_stood_for_two_sagas_is_archived_twice(file: Path, tmp_path: Path) -> None:
    """A client may use a key again once its saga is archived."""
    archive_all(file, tmp_path / "archive.db")
    later = saga("T", due_ms=None, status=COMPLETED, changed_ms=OLD_MS - 1)
    with closing(SqliteStore(file)) as store:
        Writer(store)(later, key("K00", "T"), counts={(TICKETS, COMPLETED): 1})
    assert archive_all(file, tmp_path / "archive.db") == 1
    with closing(SqliteStore(tmp_path / "archive.db")) as there:
        assert there.saga("T") == later
        assert there._client_keys.missing([key("K00", "T"), key("K00", "S00")]) == []


def test_keys_are_noted_after_sagas() -> None:
    """A saga that an engine starts meanwhile has its key in the same commit; and a file may name a saga twice."""
    there = list[KeyRow]()

    def sagas() -> Iterator[str]:
        yield from ("S1", "S2", "S1")
        there.append(key("K2", "S2"))

    assert [*_leaving(sagas(), there, 1)] == [(["S1"], []), (["S2"], ["K2"])]


def test_a_store_is_no_archive_of_itself(file: Path) -> None:
    """Whatever it is called."""
    with pytest.raises(StoreUnusable, match="a store is no archive of itself"):
        next(SqliteLocation(f"sqlite:///{file}").archive(str(file.parent / "." / file.name), OLD_MS))
