"""Letters into the engines' own PostgreSQL, in a transaction of the user's: there is no table and no relay between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import amends
from amends import StoreBusy, outbox
from amends.adapters.postgres import PostgresStore
from amends.adapters.postgres import mailbox as mailboxes
from amends.storage import whole_looks
from amends.storage.shards import ALL_SHARDS
from tests.client.sagas import SAGAS
from tests.inbox.databases import ON_POSTGRES, Database
from tests.outbox.starting import RolledBack, connector, counts, expect_completed, left, one, running, wait_until
from tests.outbox.test_every_database import by_psycopg, by_sqlalchemy
from tests.postgres import schema as store_schema
from tests.postgres import server
from tests.storage.looks import look_always

KEYS = ["back", "kept", "late", "early"]


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a store that an engine has made."""
    with store_schema() as url:
        with amends.open(url, sagas=SAGAS):
            pass
        yield url


def name_of(url: str) -> str:
    """Return the schema of a store."""
    return parse_qs(urlsplit(url).query)["schema"][0]


@pytest.mark.parametrize("way", ON_POSTGRES)
def test_a_commit_is_enough_and_a_rollback_takes_it_back(way: str, schema: str, url: str) -> None:
    """As with the table."""
    on_postgres = ON_POSTGRES[way](schema)
    on_postgres.prepare()
    with on_postgres.connect() as db:
        with suppress(RolledBack), on_postgres.transaction(db):
            outbox.submit(db, *one("back"), key="back", schema=name_of(url))
            raise RolledBack
        with on_postgres.transaction(db):
            outbox.submit(db, *one("kept"), key="kept", schema=name_of(url))
    assert left(on_postgres) == []
    with running(url, {}) as (engine, client):
        expect_completed(client, ["kept"])
        assert counts(engine, KEYS) == {"kept": 1}


@pytest.mark.parametrize("kind", [None, AsyncConnection, AsyncSession], ids=["psycopg", "connection", "session"])
def test_async_connections(kind: type | None, url: str) -> None:
    """They are awaited."""
    conninfo, name = server(), name_of(url)

    async def write() -> None:
        begun = by_psycopg(conninfo) if kind is None else by_sqlalchemy(kind, f"postgresql:{conninfo}")
        async with begun as db:
            await outbox.submit(db, *one("kept"), key="kept", schema=name)

    asyncio.run(write())
    with running(url, {}) as (engine, client):
        expect_completed(client, ["kept"])
        assert counts(engine, KEYS) == {"kept": 1}


def test_a_transaction_that_is_committed_late_is_not_skipped(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox goes on behind the first letter that it found, and looks from the beginning now and then."""
    monkeypatch.setattr(mailboxes, "STRAGGLERS", 0)
    with closing(PostgresStore(url)) as store, psycopg.connect(server()) as late:

        def seen() -> list[str]:
            return [letter.letter_id for letter in store.mailbox.letters(ALL_SHARDS, 9)]

        outbox.submit(late, *one("late"), key="late", schema=name_of(url))
        with psycopg.connect(server()) as early:
            outbox.submit(early, *one("early"), key="early", schema=name_of(url))
        assert seen() == ["early"]
        late.commit()
        assert seen() == ["early"]
        look_always(monkeypatch)
        assert seen() == ["late", "early"]


def test_an_engine_finds_what_is_committed_late(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within five seconds, which are shortened here."""
    monkeypatch.setattr(mailboxes, "STRAGGLERS", 0)
    monkeypatch.setattr(whole_looks, "EVERY_S", 0.1)
    with running(url, {}) as (engine, client), psycopg.connect(server()) as late:
        outbox.submit(late, *one("late"), key="late", schema=name_of(url))
        with psycopg.connect(server()) as early:
            outbox.submit(early, *one("early"), key="early", schema=name_of(url))
        expect_completed(client, ["early"])
        late.commit()
        expect_completed(client, ["late"])
        assert counts(engine, KEYS) == {"late": 1, "early": 1}


def test_a_client_does_not_wait_for_ever_for_a_key_of_a_transaction(url: str) -> None:
    """It is told to try again; what the transaction asked for is what the key stands for."""
    with running(url, {}) as (engine, client):
        with psycopg.connect(server()) as db:
            outbox.submit(db, *one("kept"), key="kept", schema=name_of(url))
            with pytest.raises(StoreBusy, match="no letter is posted"):
                client.submit(*one("kept"), key="kept")
        expect_completed(client, ["kept"])
        assert counts(engine, KEYS) == {"kept": 1}


def test_engines_of_one_postgresql_fetch_from_one_file(url: str, books: Database) -> None:
    """Any of them may move a letter, or each: it is acted on once."""
    keys = [f"order {number}" for number in range(40)]
    outboxes = {"books": connector(books)}
    with running(url, outboxes) as (engine, client), amends.open(url, sagas=SAGAS, outboxes=outboxes):
        with books.connect() as db:
            for key in keys:
                with books.transaction(db):
                    outbox.submit(db, *one(key), key=key)
        expect_completed(client, keys)
        wait_until(lambda: not left(books))
        assert counts(engine, keys) == dict.fromkeys(keys, 1)


def test_nothing_is_notified(url: str) -> None:
    """NOTIFY in a transaction makes all such commits of a server wait for each other."""
    with psycopg.connect(server(), autocommit=True) as listener:
        listener.execute(f"LISTEN amends_{name_of(url)}_engines")
        with psycopg.connect(server()) as db:
            outbox.submit(db, *one("kept"), key="kept", schema=name_of(url))
        assert [*listener.notifies(timeout=0.1)] == []


def test_a_store_that_is_not_there_is_told_by_the_driver(schema: str) -> None:
    """In one line, before the commit."""
    with psycopg.connect(schema) as db, pytest.raises(psycopg.Error, match=r"nowhere\.letters"):
        outbox.submit(db, *one("a"), schema="nowhere")
