"""One suite that every database and driver runs: a letter is as lasting as the transaction that wrote it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiosqlite
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from amends import Compensated, Done, Refused, UnusableInput, outbox
from tests.client.sagas import ASKED, PATIENCE_S
from tests.engine.world import Buy
from tests.inbox.databases import Database, psycopg_implicit, sqlite3_implicit
from tests.outbox.starting import RolledBack, connector, counts, expect_completed, left, one, running, wait_until

KEYS = ["back", "kept"]


def test_a_commit_is_enough_and_a_rollback_takes_it_back(database: Database, depot: str) -> None:
    """With the business row beside it."""
    with database.connect() as db:
        with suppress(RolledBack), database.transaction(db):
            outbox.submit(db, *one("back"), key="back")
            database.execute(db, "INSERT INTO account (id, used) VALUES ('back', 1)")
            raise RolledBack
        with database.transaction(db):
            handle = outbox.submit(db, *one("kept"), key="kept")
            database.execute(db, "INSERT INTO account (id, used) VALUES ('kept', 1)")
    assert left(database) == ["kept"] == [handle.key]
    with running(depot, {"books": connector(database)}) as (engine, client):
        expect_completed(client, ["kept"])
        wait_until(lambda: not left(database))
        assert counts(engine, KEYS) == {"kept": 1}
        view = client.find("kept")
        assert view is not None
        assert view.saga_id == handle.saga_id


def test_an_answer_and_a_cancel(database: Database, depot: str) -> None:
    """A rollback takes them back, too."""
    with running(depot, {"books": connector(database)}) as (_, client):
        answered, cancelled = (client.submit(ASKED, Buy(show, 1)) for show in ("answered", "cancelled"))
        wait_until(lambda: len(client.pending()) == 2)
        with database.connect() as db:
            with suppress(RolledBack), database.transaction(db):
                outbox.cancel(db, answered.saga_id)
                raise RolledBack
            with database.transaction(db):
                outbox.answer(db, f"{answered.saga_id}/APPROVED/do", Done("yes"), by="ann")
                outbox.cancel(db, cancelled.saga_id, by="bob", reason="no need")
                outbox.answer(db, f"{cancelled.saga_id}/APPROVED/do", Refused("no"))
        assert answered.result(PATIENCE_S).answers["APPROVED"] == "yes"
        result = cancelled.result(PATIENCE_S)
        assert isinstance(result.state, Compensated)
        assert "no need" in result.reason


def test_a_connection_that_commits_by_itself_is_refused(tmp_path: Path, schema: str) -> None:
    """A rollback could take nothing back."""
    with closing(sqlite3.connect(tmp_path / "books.sqlite", isolation_level=None)) as db:
        outbox.create_table(db)
        with pytest.raises(UnusableInput, match="the connection commits each statement by itself"):
            outbox.submit(db, *one("a"))
        assert db.execute("SELECT * FROM amends_outbox").fetchall() == []
    with closing(psycopg.connect(schema, autocommit=True)) as db, pytest.raises(UnusableInput, match="by itself"):
        outbox.submit(db, *one("a"))


# Async ---------------------------------------------------------------------------------------------------------

Begun = Callable[[], AbstractAsyncContextManager[Any]]
"""Begins a transaction, and commits it, or rolls it back where an exception comes."""


def by_psycopg(conninfo: str) -> AbstractAsyncContextManager[Any]:
    """The driver as it comes, whose `with` is a transaction."""

    @asynccontextmanager
    async def begun() -> AsyncIterator[Any]:
        async with await psycopg.AsyncConnection.connect(conninfo) as db:
            yield db

    return begun()


@asynccontextmanager
async def by_aiosqlite(path: str) -> AsyncIterator[Any]:
    """Begins by itself at the first write."""
    async with aiosqlite.connect(path) as db:
        yield db
        await db.commit()


@asynccontextmanager
async def by_sqlalchemy(kind: type[Any], address: str) -> AsyncIterator[Any]:
    """An `AsyncConnection`, or an `AsyncSession`."""
    if address.startswith("postgresql"):
        conninfo = address.removeprefix("postgresql:")
        engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=lambda: psycopg.AsyncConnection.connect(conninfo),
            poolclass=sqlalchemy.NullPool,
        )
    else:
        engine = create_async_engine(f"sqlite+aiosqlite:///{address}", poolclass=sqlalchemy.NullPool)
    try:
        async with kind(engine) as db, db.begin():
            yield db
    finally:
        await engine.dispose()


ASYNC = {
    "psycopg": (True, by_psycopg),
    "aiosqlite": (False, by_aiosqlite),
    "connection-sqlite": (False, lambda path: by_sqlalchemy(AsyncConnection, path)),
    "session-sqlite": (False, lambda path: by_sqlalchemy(AsyncSession, path)),
    "connection-postgres": (True, lambda conninfo: by_sqlalchemy(AsyncConnection, f"postgresql:{conninfo}")),
    "session-postgres": (True, lambda conninfo: by_sqlalchemy(AsyncSession, f"postgresql:{conninfo}")),
}


@pytest.mark.parametrize("way", ASYNC)
def test_an_async_connection_is_awaited(way: str, request: pytest.FixtureRequest, tmp_path: Path, depot: str) -> None:
    """And promises the same."""
    on_server, begin = ASYNC[way]
    address = request.getfixturevalue("schema") if on_server else str(tmp_path / "books.sqlite")
    database = psycopg_implicit(address) if on_server else sqlite3_implicit(Path(address))
    database.prepare()

    async def write() -> None:
        with suppress(RolledBack):
            async with begin(address) as db:
                await outbox.submit(db, *one("back"), key="back")
                raise RolledBack
        async with begin(address) as db:
            assert (await outbox.submit(db, *one("kept"), key="kept")).key == "kept"
            await outbox.cancel(db, "nobody-1")

    asyncio.run(write())
    assert len(left(database)) == 2
    with running(depot, {"books": connector(database)}) as (engine, client):
        expect_completed(client, ["kept"])
        assert counts(engine, KEYS) == {"kept": 1}


def test_an_async_connection_that_commits_by_itself_is_refused(tmp_path: Path, schema: str) -> None:
    """As one that is not async."""

    async def write() -> None:
        async with await psycopg.AsyncConnection.connect(schema, autocommit=True) as db:
            with pytest.raises(UnusableInput, match="by itself"):
                await outbox.submit(db, *one("a"))
        async with aiosqlite.connect(tmp_path / "books.sqlite", isolation_level=None) as file:
            with pytest.raises(UnusableInput, match="by itself"):
                await outbox.submit(file, *one("a"))

    asyncio.run(write())


def test_what_an_async_connection_is_asked_wrong_is_told_at_once(schema: str) -> None:
    """Before anything is awaited, or written."""

    async def write() -> None:
        async with await psycopg.AsyncConnection.connect(schema) as db:
            with pytest.raises(UnusableInput, match="schema is 'no name'"):
                await outbox.answer(db, "s1/STEP/do", Done(), schema="no name")

    asyncio.run(write())
