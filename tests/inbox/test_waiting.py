"""What the second of two deliveries meets while the first is under way, step by step."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from amends import Call, Done, Refused, inbox
from amends.core.inbox import TOMBSTONE
from tests.inbox.databases import ON_POSTGRES, Database
from tests.postgres import server

DO, UNDO = Call("s1/CHARGED/do"), Call("s1/CHARGED/undo")
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
LOOKS_MAX = 20_000  # some seconds of asking: a test that waits for nothing fails, instead of hanging

Said = Done | Refused


class Crash(Exception):
    """The process dies, as far as the database can see."""


def do(account: Database, meanwhile: Callable[[], None] = lambda: None) -> Said:
    """Serve the action; something else goes on before its effect is over."""
    with account.connect() as db, account.transaction(db):

        def effect() -> Done:
            account.add(db, 1)
            meanwhile()
            return Done("one more")

        return inbox.once(db, DO, effect)


def undo(account: Database, meanwhile: Callable[[], None] = lambda: None) -> Said:
    """Serve the undo likewise."""
    with account.connect() as db, account.transaction(db):

        def effect(_answer: object) -> None:
            account.add(db, -1)
            meanwhile()

        return inbox.undo_once(db, UNDO, effect)


def wait_until_another_waits() -> None:
    """Return once a transaction waits for another."""
    with psycopg.connect(server(), autocommit=True) as db:
        for _ in range(LOOKS_MAX):
            if db.execute(WAITERS).fetchone() == (1,):
                return
    raise AssertionError("no transaction waits for the one that has the row")


@pytest.fixture
def account(on_postgres: Database) -> Database:
    """Every way to PostgreSQL, with an account of which nothing is used."""
    on_postgres.open_account()
    return on_postgres


@pytest.mark.parametrize("second", [do, undo])
def test_the_second_waits_for_the_first(account: Database, second: Callable[[Database], Said]) -> None:
    """On PostgreSQL it waits, be it the same key or the undo's, and goes by what the first has committed."""
    with ThreadPoolExecutor() as threads:
        other: list[Future[Said]] = []

        def meanwhile() -> None:
            other.append(threads.submit(second, account))
            wait_until_another_waits()

        assert do(account, meanwhile) == Done("one more")
        assert other[0].result() == (Done("one more") if second is do else Done())
    assert account.used() == (1 if second is do else 0)


def test_the_second_undo_waits_for_the_first(account: Database) -> None:
    """On PostgreSQL likewise, where the row is there already and only its undo is missing."""
    do(account)
    with ThreadPoolExecutor() as threads:
        other: list[Future[Said]] = []

        def meanwhile() -> None:
            other.append(threads.submit(undo, account))
            wait_until_another_waits()

        assert undo(account, meanwhile) == Done()
        assert other[0].result() == Done()
    assert account.used() == 0


@pytest.mark.parametrize("second", [do, undo])
def test_the_second_goes_on_when_the_first_dies(account: Database, second: Callable[[Database], Said]) -> None:
    """On PostgreSQL it then finds nothing: the action happens, the undo leaves its tombstone."""
    with ThreadPoolExecutor() as threads:
        other: list[Future[Said]] = []

        def meanwhile() -> None:
            other.append(threads.submit(second, account))
            wait_until_another_waits()
            raise Crash

        with pytest.raises(Crash):
            do(account, meanwhile)
        assert other[0].result() == (Done("one more") if second is do else Done())
    assert account.used() == (1 if second is do else 0)
    assert do(account) == (Done("one more") if second is do else TOMBSTONE)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_from_before_the_first_answer_is_an_error(schema: str, level: str) -> None:
    """On PostgreSQL at these levels: unknown, and right once it is tried again."""
    account = ON_POSTGRES["psycopg"](schema)
    account.prepare()
    account.open_account()
    with psycopg.connect(schema) as db:
        db.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        db.execute("SELECT 1 FROM account")
        assert do(account) == Done("one more")
        with pytest.raises(psycopg.errors.SerializationFailure):
            inbox.once(db, DO, lambda: account.add(db, 1))
        db.rollback()
        assert inbox.once(db, DO, lambda: account.add(db, 1)) == Done("one more")
    assert account.used() == 1


@pytest.mark.parametrize(("ask", "call"), [(inbox.once, DO), (inbox.undo_once, UNDO)], ids=["do", "undo"])
def test_the_second_is_told_that_the_file_is_locked(on_sqlite: Database, ask: Any, call: Call) -> None:
    """On SQLite, once its patience is over: unknown, and right once it is tried again."""
    on_sqlite.open_account()

    def meanwhile() -> None:
        with on_sqlite.connect() as db, on_sqlite.transaction(db):
            on_sqlite.execute(db, "PRAGMA busy_timeout = 0")
            with pytest.raises(Exception, match="locked") as caught:
                ask(db, call, lambda *_answer: on_sqlite.add(db, 1))
        assert on_sqlite.is_busy(caught.value)

    assert do(on_sqlite, meanwhile) == Done("one more")
    assert do(on_sqlite) == Done("one more")
    assert on_sqlite.used() == 1


def test_the_claim_comes_before_anything_is_read(tmp_path: Path) -> None:
    """On SQLite with a WAL a transaction that read before somebody wrote can never write; ours has not read."""
    path = tmp_path / "books.sqlite"
    with closing(sqlite3.connect(path)) as first, closing(sqlite3.connect(path, timeout=0)) as second:
        first.execute("PRAGMA journal_mode=WAL")
        inbox.create_table(first)
        second.execute("BEGIN")
        with first:
            assert inbox.once(first, DO, lambda: Done("first")) == Done("first")
        with second:
            assert inbox.once(second, DO, lambda: Done("second")) == Done("first")
        second.execute("BEGIN")
        second.execute("SELECT * FROM amends_inbox").fetchall()
        with first:
            inbox.undo_once(first, UNDO, lambda _answer: None)
        with pytest.raises(sqlite3.OperationalError, match="locked"), second:  # the user has read: it has to start anew
            inbox.undo_once(second, UNDO, lambda _answer: None)
        with second:
            assert inbox.undo_once(second, UNDO, lambda _answer: Refused("again?")) == Done()
