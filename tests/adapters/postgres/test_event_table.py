"""A table of events in a PostgreSQL: each once, with how far they were read, however many publish."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from amends.adapters.memory import MemoryStore
from amends.adapters.postgres import address_of
from amends.adapters.postgres.event_table import PUBLISHER, PostgresEventPlace, PostgresEventTable
from amends.adapters.postgres.queries import OF_EVENTS
from amends.errors import StoreBusy, StoreConflict, StoreFailed, StoreUnusable
from amends.events.cloud_events import cloud_events
from amends.events.log import EventLog
from amends.events.publishing import Publication, published
from amends.storage.location import DatabaseRoles
from amends.storage.rows import Head
from tests.adapters.postgres.roles import roles, url_as
from tests.contract.rows import Writer, store_of
from tests.postgres import schema

ONCE = Publication("/shop", is_live=False)


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


@pytest.fixture
def table(url: str) -> Iterator[PostgresEventTable]:
    """Return a table of events."""
    with closing(PostgresEventPlace(url).sink()) as table:
        yield table


def rows(url: str, query: str) -> list[Any]:
    """Return what a query finds in a schema."""
    address = address_of(url)
    with psycopg.connect(**address.connection, options=f"-c search_path={address.schema}") as database:
        return database.execute(query.encode()).fetchall()


def ids(url: str) -> list[str]:
    """Return the ids of the events, in the order of their positions."""
    return [row[0] for row in rows(url, "SELECT id FROM events ORDER BY position")]


def test_events_lie_there_once_and_in_order(url: str, table: PostgresEventTable) -> None:
    """Each as the document that it is, with columns to find it by; a second publication adds what came since."""
    store = store_of(3)
    assert list(published(store, table, ONCE)) == [3]
    assert list(published(store, table, ONCE)) == []
    Writer(store)(subjects=["S0", 'S "\\\0\1 é'])
    assert list(published(store, table, ONCE)) == [2]
    events = [each for block in EventLog(store, {}).blocks() for each in cloud_events(block, "/shop")]
    found = rows(url, "SELECT source, type, subject, event::text FROM events ORDER BY position")
    assert [json.loads(row[3]) for row in found] == [json.loads(each.as_json()) for each in events]
    assert {row[:2] for row in found} == {("/shop", "amends.saga.started")}
    assert ids(url)[:4] == ["S0/1", "S0/2", "S0/3", "S0/4"]


def test_each_source_has_a_cursor_of_its_own(url: str, table: PostgresEventTable) -> None:
    """Of each chain one row is left, with the hash of the block: by that an older copy of the store is known."""
    store = store_of(2)
    for source in ("/one", "/two"):
        assert list(published(store, table, Publication(source, is_live=False))) == [2]
    head = store.head()
    assert table.cursor("/one") == table.cursor("/two") == {"": Head(2, head.head)}
    assert table.cursor("/three") == {}
    assert rows(url, "SELECT source, number FROM cursors ORDER BY 1") == [("/one", 2), ("/two", 2)]
    with pytest.raises(StoreFailed, match="has another block 2"):
        list(published(_Copy(store), table, Publication("/one", is_live=False)))


class _Copy(MemoryStore):
    """A store that went on from an older copy."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        Writer(self)(subjects=["other"])
        Writer(self)(subjects=["other"])
        Writer(self)(subjects=["other"])


def test_values_are_left_out_where_that_is_wanted(url: str, table: PostgresEventTable) -> None:
    """What is copied cannot be erased with the store."""
    list(published(store_of(1), table, ONCE._replace(with_values=False)))
    ((event,),) = rows(url, "SELECT event FROM events")
    assert "value" not in event["data"]


def test_of_two_publishers_each_event_is_published_by_one(url: str, table: PostgresEventTable) -> None:
    """The one that comes late has written nothing, and begins anew."""
    store = store_of(5)
    list(published(store_of(0), table, ONCE))
    with closing(PostgresEventPlace(url).sink()) as slow:
        events = [each for block in EventLog(store, {}).blocks() for each in cloud_events(block, "/shop")]
        assert sum(published(store, table, ONCE)) == 5
        with pytest.raises(StoreConflict, match="another publisher was faster"):
            slow.append("/shop", events, {"": 0}, [store.head()])
        assert sum(published(store, slow, ONCE)) == 0
    assert ids(url) == [f"S0/{number}" for number in range(1, 6)]


def test_many_publishers_at_once_double_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor leave they anything out; positions are in the order of the commits."""
    monkeypatch.setattr("amends.events.following.RECORDS_MAX", 4)
    store, counts = store_of(40), list[int]()

    def publish() -> None:
        with closing(PostgresEventPlace(url).sink()) as sink:
            counts.extend(published(store, sink, ONCE))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(counts), ids(url)) == (40, [f"S0/{number}" for number in range(1, 41)])


@pytest.mark.parametrize("statement", ["append_events", "move_cursors", "forget_cursors"])
def test_of_a_commit_that_fails_nothing_is_left(
    statement: str, url: str, table: PostgresEventTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one writes it all."""
    store = store_of(3)
    with monkeypatch.context() as broken:
        broken.setitem(OF_EVENTS, statement, b"SELECT 1/0")
        with closing(PostgresEventPlace(url).sink()) as failing, pytest.raises(StoreFailed, match="division by zero"):
            list(published(store, failing, ONCE))
    assert (ids(url), table.cursor("/shop")) == ([], {})
    assert list(published(store, table, ONCE)) == [3]


def test_a_commit_whose_answer_is_lost_is_looked_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, and is not written again; one that goes on for ever says what was in its way."""
    monkeypatch.setattr("amends.events.following.LOOK_EVERY_S", 0)
    store, said = store_of(3), list[str]()
    with closing(PostgresEventPlace(url).sink()) as table:
        append = table.append
        lost = iter([True])

        def lose(*given: Any) -> None:
            append(*given)
            if next(lost, False):
                raise StoreBusy("the answer to a commit was lost")

        monkeypatch.setattr(table, "append", lose)
        with pytest.raises(StoreBusy):
            list(published(store, table, ONCE))
        lost = iter([True])
        Writer(store)(subjects=["S1"])
        going_on = published(store, table, ONCE._replace(is_live=True), said.append)
        threading.Timer(0.2, lambda: Writer(store)(subjects=["S2"])).start()
        assert next(going_on) == 1
    assert [each for each in said if each] == ["the answer to a commit was lost"]  # at each look it is said anew
    assert ids(url) == ["S0/1", "S0/2", "S0/3", "S1/4", "S2/5"]


def test_a_role_that_publishes_may_do_that_and_no_more(url: str) -> None:
    """It changes no event; one that reads sees events alone."""
    with roles("publisher", "reader") as (publisher, reader):
        place = PostgresEventPlace(url)
        place.migrate(DatabaseRoles(publisher, reader))
        with closing(PostgresEventPlace(url_as(publisher, url)).sink()) as sink:
            assert list(published(store_of(2), sink, ONCE)) == [2]
        assert rows(url_as(reader, url), "SELECT count(*) FROM events") == [(2,)]
        for role, query in ((reader, "DELETE FROM events"), (publisher, "UPDATE events SET id = ''")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                rows(url_as(role, url), query)
        with pytest.raises(StoreUnusable, match="lacks INSERT on events, SELECT on cursors, INSERT on cursors"):
            PostgresEventPlace(url_as(reader, url)).sink()
        facts = {fact.name: fact for fact in place.check(DatabaseRoles(publisher))}
        assert (facts["role"].value, facts["role"].fault) == (publisher, "")
    assert set(PUBLISHER) == {"events", "cursors"}


def test_what_is_no_table_of_events_is_told(url: str) -> None:
    """In one line; nothing of it is changed."""
    address = address_of(url)
    with psycopg.connect(**address.connection, autocommit=True) as database:
        database.execute(f"CREATE SCHEMA {address.schema}".encode())
        with pytest.raises(StoreUnusable, match="that is no table of events: give another name, "):
            PostgresEventPlace(url).sink()
        database.execute(f"COMMENT ON SCHEMA {address.schema} IS 'Amends events 9'".encode())
        with pytest.raises(StoreUnusable, match="is of Amends events 9, and this Amends knows version 1 alone"):
            PostgresEventPlace(url).version()
