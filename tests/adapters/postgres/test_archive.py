"""Sagas leave a database for an archive while engines run, whatever happens between the copy and the commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import amends
from amends import Completed
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.archive import DepartureStore
from amends.adapters.postgres.location import PostgresLocation
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.sqlite.archive import archived
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.engine.archiving import Departure
from amends.engine.blocking import BlockingEngine
from amends.errors import RequestRefused, StoreFull, StoreUnusable
from amends.storage.location import DatabaseRoles
from amends.storage.ports import Reader, SagaFilter
from amends.storage.rows import KeyRow, SagaRow
from amends.storage.shards import SHARDS
from tests.adapters.postgres.roles import roles, url_as
from tests.adapters.postgres.transfers import TRANSFER

SAGAS = 23
PAGE = 4
LATER_MS = 2**60  # all that have ended, have ended before
ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0
KILLED = """
import os, signal, sys
from amends.adapters.postgres.location import PostgresLocation
from amends.adapters.sqlite import archive
from amends.adapters.sqlite.store import SqliteStore

class Killed(SqliteStore):
    def take(self, *rows):
        super().take(*rows)
        os.kill(os.getpid(), signal.SIGKILL)

archive.SqliteStore = Killed
list(PostgresLocation(sys.argv[1]).archive(sys.argv[2], 2**60))
"""


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have several of each kind."""
    monkeypatch.setattr("amends.adapters.postgres.reading.NAMES_PAGE", 3)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Return where the archive is to be."""
    return tmp_path / "old.db"


@pytest.fixture
def engine(url: str) -> Iterator[BlockingEngine]:
    """Return an engine that has carried out sagas under client keys."""
    with amends.open(url, sagas=[TRANSFER]) as engine:
        run(engine, *range(SAGAS))
        yield engine


@pytest.fixture
def ended(url: str, engine: BlockingEngine) -> str:
    """Return the URL of a schema of sagas that have ended, as has the engine."""
    engine.close()
    return url


def run(engine: BlockingEngine, *accounts: int) -> list[str]:
    """Start sagas under client keys, and wait for their ends."""
    keys = [f"K{account}" for account in accounts]
    handles = [engine.submit(TRANSFER, account, key=key) for account, key in zip(accounts, keys, strict=True)]
    return [handle.result(PATIENCE_S).saga_id for handle in handles]


def ids_of(records: Reader) -> set[str]:
    """Return the ids of the sagas that are there, each of which can be read."""
    return {row.saga_id for row in records.listing(SagaFilter(limit=1_000)) if isinstance(row, SagaRow)}


def started_by(records: Reader) -> dict[str, str]:
    """Return the saga of each client key."""
    return {row.key: row.saga_id for row in records.all_keys() if isinstance(row, KeyRow)}


def archive_pages(url: str, into: Path, before_ms: int = LATER_MS) -> Iterator[int]:
    """Archive all that has ended, in short pages."""
    with closing(DepartureStore(address_of(url))) as store:
        departure = Departure(into.name, before_ms, store.ownership.now_ms, "archived")
        yield from archived(store, str(into), departure, PAGE)


def is_whole(url: str, into: Path) -> None:
    """Both are as the audit says, by its records and by what these lead to."""
    with closing(PostgresReader(address_of(url))) as store, closing(SqliteReader(into)) as archive:
        verdict = verify(store, archives=[archive], problems=[*store.problems(), *archive.problems()])
        assert (verdict.is_whole, [*verdict.findings]) == (True, [])
        assert [*recompute(store, [TRANSFER]).findings] == []


def test_engines_run_meanwhile(url: str, engine: BlockingEngine, into: Path) -> None:
    """They start sagas, keep all shards, and see nobody come or go; a key whose saga has left starts a new one."""
    with closing(PostgresReader(address_of(url))) as store:
        old, owner, later = ids_of(store), store.engines()[0].name, list[str]()
        for number, left in enumerate(archive_pages(url, into)):
            later += run(engine, SAGAS + 1 + number)
            assert left in (PAGE, SAGAS % PAGE)
            assert [(seen.name, len(seen.shards)) for seen in store.engines()] == [(owner, SHARDS)]
        with closing(SqliteReader(into)) as archive:
            assert ids_of(archive) == old
            assert started_by(archive).keys() == {f"K{number}" for number in range(SAGAS)}
        assert ids_of(store) == {*later} == {*started_by(store).values()}
        assert sum(store.counts().values()) == len(later)
        assert store.chains() == sorted([owner, "archived"])
    saga_id = min(old)
    with pytest.raises(RequestRefused, match="there is no saga"):
        engine.result(saga_id, PATIENCE_S)
    with pytest.raises(RequestRefused, match="there is no saga"):
        engine.abandon(saga_id, by="ann", reason="too late")
    assert not old.intersection(run(engine, 1, 2))
    engine.close()
    is_whole(url, into)


def test_killed_after_the_copy_it_goes_on(ended: str, into: Path) -> None:
    """What was copied is in both, and stays whole; in the end all is as without it."""
    killed = subprocess.run([sys.executable, "-c", KILLED, ended, str(into)], cwd=ROOT, check=False, timeout=PATIENCE_S)
    assert killed.returncode < 0
    is_whole(ended, into)
    with closing(PostgresReader(address_of(ended))) as store, closing(SqliteReader(into)) as archive:
        assert ids_of(store) == ids_of(archive)
        assert sum(archive_pages(ended, into)) == SAGAS
        assert (ids_of(store), started_by(store), len(ids_of(archive))) == (set(), {}, SAGAS)
    is_whole(ended, into)
    assert sum(PostgresLocation(ended).archive(str(into), LATER_MS)) == 0


def test_what_fails_in_between_is_told_and_done_again(ended: str, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk of the archive: the rows that were locked are free, and nothing has left."""

    def take(*_: object) -> None:
        raise StoreFull("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "take", take)
        with pytest.raises(StoreFull):
            list(archive_pages(ended, into))
    assert sum(archive_pages(ended, into)) == SAGAS
    is_whole(ended, into)


def test_what_has_moved_on_since_it_was_noted_stays(ended: str, into: Path) -> None:
    """With its key; the others of its page leave."""
    with closing(PostgresReader(address_of(ended))) as store, closing(DepartureStore(address_of(ended))) as left:
        rows = [row for row in store.listing(SagaFilter(limit=1_000)) if isinstance(row, SagaRow)]
        before_ms = sorted(row.changed_ms for row in rows)[SAGAS // 2]
        stay = {row.saga_id for row in rows if row.changed_ms >= before_ms}
        noted, departure = started_by(store), Departure(into.name, before_ms, left.ownership.now_ms, "archived")
        with closing(SqliteStore(into)) as archive:
            assert departure.take(left, archive, [*noted.values()], [*noted]) == SAGAS - len(stay) > 0
            assert departure.take(left, archive, [*stay], [*noted]) == 0
            assert started_by(archive) == {name: saga_id for name, saga_id in noted.items() if saga_id not in stay}
        assert ids_of(store) == {*started_by(store).values()} == stay
        assert sum(archive_pages(ended, into, before_ms)) == 0
    is_whole(ended, into)


def test_an_engine_that_is_away_is_not_taken_for_gone(ended: str, into: Path) -> None:
    """Chains of the command need no end: engines that come find no lease, and go on."""
    assert sum(archive_pages(ended, into)) == SAGAS
    with amends.open(ended, sagas=[TRANSFER]) as engine:
        assert isinstance(engine.submit(TRANSFER, 1, key="K1").result(PATIENCE_S).state, Completed)
    is_whole(ended, into)


def test_the_owner_of_the_schema_archives(ended: str, into: Path) -> None:
    """A role for engines may not, and is told so before anything is made; nor is a schema made for it."""
    with roles("engine") as (engine,):
        PostgresLocation(ended).migrate(DatabaseRoles(engine=engine))
        with pytest.raises(StoreUnusable, match=f"role '{engine}' lacks DELETE on sagas; `amends archive` is for"):
            list(PostgresLocation(url_as(engine, ended)).archive(str(into), LATER_MS))
    with pytest.raises(StoreUnusable, match="there is no schema"):
        list(PostgresLocation(f"{ended}_not").archive(str(into), LATER_MS))
    assert not into.exists()


def test_one_archives_into_a_file_at_a_time(ended: str, into: Path) -> None:
    """A second one is told who has it; into another one it goes beside the first, and nothing is moved twice."""
    first = archive_pages(ended, into)
    assert next(first) == PAGE
    with pytest.raises(StoreUnusable, match="in use"):
        list(PostgresLocation(ended).archive(str(into), LATER_MS))
    beside = into.with_name("beside.db")
    assert sum(PostgresLocation(ended).archive(str(beside), LATER_MS)) == SAGAS - PAGE
    assert sum(first) == 0
    with closing(PostgresReader(address_of(ended))) as store, closing(SqliteReader(beside)) as archive:
        assert verify(store, archives=[archive]).findings
    with closing(SqliteReader(into)) as one, closing(SqliteReader(beside)) as other:
        assert not ids_of(one) & ids_of(other)
        with closing(PostgresReader(address_of(ended))) as store:
            assert [*verify(store, archives=[one, other]).findings] == []
