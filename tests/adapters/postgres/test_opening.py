"""What keeps a PostgreSQL from being the place of a store is told in one line, without a password."""

from __future__ import annotations

import sys

import psycopg
import pytest

import amends
from amends import Saga, local
from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.client_store import PostgresClientStore
from amends.adapters.postgres.migrations import MIGRATED_BY, VERSION
from amends.adapters.postgres.settings import faults
from amends.errors import StoreUnusable
from amends.storage.rows import Letter
from amends.storage.shards import ALL_SHARDS
from tests.postgres import schema, server

SOUND = ["180006", "18.6", "on", "on", "on", "UTF8", "false", "off"]
COUNT = Saga("count", str, [local("COUNTED", lambda n, _: (n or 0) + 1, entity=str, pivot=True)])


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (0, "130021", "at least 14 is needed"),
        (2, "off", "fsync is off"),
        (3, "off", "full_page_writes is off"),
        (4, "off", "synchronous_commit is off"),
        (4, "local", "synchronous_commit is local"),
        (5, "LATIN1", "encoding is LATIN1"),
        (6, "true", "is a replica"),
        (7, "on", "read-only"),
    ],
)
def test_a_wrong_setting_is_named(place: int, value: str, says: str) -> None:
    """Each by its own name; a sound server has no fault."""
    assert [*faults(SOUND)] == []
    found = [*faults([*SOUND[:place], value, *SOUND[place + 1 :]])]
    assert len(found) == 1
    assert says in found[0]


def test_a_server_that_takes_no_writes_is_refused() -> None:
    """As it is read back from the server itself."""
    with schema() as url, pytest.raises(StoreUnusable, match="read-only"):
        PostgresStore(f"{url}&options=-cdefault_transaction_read_only%3Don")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:secret@/nowhere?host=/nowhere", "nowhere.*No such file"),
        ("postgresql://me:secret@127.0.0.1:1/x?connect_timeout=2", "127.0.0.1.*refused"),
        ("postgresql://me:secret@h/x?schema=Shop%20", "schema='Shop ' is no name"),
        ("postgresql://me:secret@h/x?schema=pg_shop", "schema='pg_shop' is no name"),
        ("postgresql://me:secret@h/x?colour=red", "no address of a PostgreSQL.*colour"),
        ("postgresql://me:secret@h:port/x?connect_timeout=2", "me@h:port/x"),
        ("postgresql://me:secret@[h/x", "no address of a PostgreSQL"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(url: str, says: str) -> None:
    """In one line, when it is opened at the latest."""
    with pytest.raises(StoreUnusable, match=says) as raised, amends.open(url, sagas=[COUNT], store_wait_s=0):
        pass
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_its_driver_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `open` and by `connect`, at once."""
    for name in [name for name in sys.modules if name.startswith("amends.adapters.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for door in (amends.open, amends.connect):
        with pytest.raises(StoreUnusable, match=r"install amends\[postgres\]"):
            door("postgresql:///shop", sagas=[COUNT])


def test_a_schema_of_others_is_left_alone() -> None:
    """Nothing is made in it; so is one of a later version."""
    with schema() as url, psycopg.connect(server(), autocommit=True) as database:
        name = address_of(url).schema
        database.execute(f"CREATE SCHEMA {name}".encode())
        with pytest.raises(StoreUnusable, match="none of Amends'"):
            PostgresStore(url)
        database.execute(f"COMMENT ON SCHEMA {name} IS '{MIGRATED_BY} {VERSION + 1}'".encode())
        with pytest.raises(
            StoreUnusable, match=f"version {VERSION + 1}, for programs .* this Amends knows up to {VERSION}"
        ):
            PostgresStore(url)


def test_several_shops_are_in_one_database() -> None:
    """Each in a schema of its own."""
    with schema() as one, schema() as two:
        with amends.open(one, sagas=[COUNT]) as engine:
            engine.submit(COUNT, "x").result(timeout=60)
        store = PostgresStore(two)
        assert dict(store.counts()) == {}
        store.close()


def test_a_client_may_come_before_the_first_engine() -> None:
    """It reads nothing, and its letter makes the store."""
    with schema() as url:
        client = PostgresClientStore(address_of(url))
        assert client.records().saga("S1") is None
        letter = Letter("L1", 3, "{}", 1)
        client.mailbox.post([letter])
        assert client.records().head().number == 0
        store = PostgresStore(url)
        assert [*store.mailbox.letters(ALL_SHARDS, 9)] == [letter]
        for one in (client.mailbox, client, store):
            one.close()
            one.close()
