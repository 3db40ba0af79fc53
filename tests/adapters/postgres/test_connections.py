"""Connections that are lost, and transactions that the server ends: what is written is known, and the store goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
import pytest

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres import store as of_store
from amends.adapters.postgres.pipeline import Statement
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.rows import columns_of
from amends.adapters.postgres.settings import TURN_MS, Timeouts
from amends.engine.limits import LEASE_MS
from amends.errors import LeaseLost, StoreBusy, StoreConflict, StoreFailed
from amends.storage.rows import Letter
from tests.contract.engines import SharedEngine
from tests.contract.rows import completed, entity, key, saga
from tests.postgres import server


@pytest.fixture
def one(url: str) -> Iterator[SharedEngine]:
    """Return an engine that has entered."""
    store = PostgresStore(url)
    store.ownership.enter("one", 600_000)
    yield SharedEngine("one", store)
    store.close()


def connection_of(engine: SharedEngine) -> Any:
    """Return the connection of an engine's turns."""
    return engine.store._database  # type: ignore[attr-defined]


def cut(engine: SharedEngine) -> None:
    """End the session of an engine's turns in the server."""
    pid = connection_of(engine)._driver.info.backend_pid
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(%s, 20000)", [pid])


def test_a_connection_that_is_lost_between_turns_is_made_anew(one: SharedEngine) -> None:
    """The first use says that the database is away; the next one goes on."""
    one.commit(saga("S1"))
    cut(one)
    with pytest.raises(StoreBusy, match="the database is away"):
        one.store.sagas(["S1"])
    assert one.store.sagas(["S1"]) == {"S1": saga("S1")}
    one.commit(completed(saga("S1")))


def test_a_look_that_takes_too_long_may_be_taken_again(url: str) -> None:
    """A reader is told that the database lets it not, as when it is away: it has no turn that could be in conflict."""
    store = PostgresStore(url, Timeouts(100, 100, 100))
    with psycopg.connect(server()) as database:
        database.execute(f"LOCK {address_of(url).schema}.sagas IN ACCESS EXCLUSIVE MODE".encode())
        with pytest.raises(StoreBusy, match="did not let it be read"):
            store.saga("S1")
    assert store.saga("S1") is None
    store.close()


READS: dict[str, Callable[[SharedEngine], object]] = {
    "sagas": lambda one: one.store.sagas(["S1"]),
    "keys": lambda one: one.store.keys(["K1"]),
    "entities": lambda one: one.store.entity_rows([("SHOWS", "E1")]),
}


@pytest.mark.parametrize("read", READS)
def test_a_turn_whose_connection_is_lost_has_written_nothing(one: SharedEngine, read: str) -> None:
    """Not even the rows by which it held what does not exist; it can be taken again."""
    READS[read](one)
    changes = one.changes(saga("S1"), entity("E1"), key("K1"))
    cut(one)
    with pytest.raises(StoreConflict, match="the server ended the turn"):
        one.store.commit(changes)
    assert one.store.head("one").number == 0
    one.store.commit(changes)
    assert one.store.keys(["K1"]) == {"K1": key("K1")}


def lose(engine: SharedEngine, monkeypatch: pytest.MonkeyPatch, *, is_sent: bool) -> None:
    """Lose the connection in the next COMMIT: after it was carried out, or before."""
    connection = connection_of(engine)
    piped = connection._piped

    def losing(statements: Iterable[Statement]) -> Any:
        if statements != [("commit", {})]:
            return piped(statements)
        monkeypatch.undo()
        if is_sent:
            piped(statements)
        cut(engine)
        return piped([("begin", {})])

    monkeypatch.setattr(connection, "_piped", losing)


def test_a_commit_whose_answer_is_lost_is_found_in_its_chain(
    one: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as what it is: written."""
    lose(one, monkeypatch, is_sent=True)
    one.commit(saga("S1"))
    assert one.store.head("one").number == 1
    one.commit(completed(saga("S1")))


def test_a_commit_that_did_not_arrive_is_not_in_its_chain(one: SharedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written, and it may be tried again."""
    lose(one, monkeypatch, is_sent=False)
    changes = one.changes(saga("S1"))
    with pytest.raises(StoreBusy, match="nothing is written"):
        one.store.commit(changes)
    one.store.commit(changes)


def test_where_the_database_stays_away_the_store_is_not_used_any_more(
    one: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the commit is written is not known then."""
    monkeypatch.setattr(of_store, "RESOLVED_IN_S", 0.2)
    changes = one.changes(saga("S1"))
    with monkeypatch.context() as lost:
        lose(one, lost, is_sent=True)
        nowhere = connection_of(one)._address._replace(connection={"host": "/nowhere"})
        connection_of(one)._address = nowhere
        with pytest.raises(StoreFailed, match="the database is away"):
            one.store.commit(changes)
    with pytest.raises(StoreFailed, match="not known"):
        one.store.saga("S1")


def test_a_turn_that_stands_still_is_ended_by_the_server(url: str) -> None:
    """Its locks are free; it is taken again, or its engine was fenced."""
    store = PostgresStore(url, Timeouts(1_000, 1_000, 100))
    store.ownership.enter("one", 600_000)
    one = SharedEngine("one", store)
    changes = one.changes(saga("S1"))
    store.sagas(["S1"])
    time.sleep(0.5)
    with pytest.raises(StoreConflict):
        store.commit(changes)
    store.commit(changes)
    changes = one.changes(completed(saga("S1")))
    store.sagas(["S1"])
    time.sleep(0.5)
    store.ownership.leave("one")
    with pytest.raises(LeaseLost):
        store.commit(changes)
    store.close()


def test_the_settings_of_a_turn_hold_for_it_alone(one: SharedEngine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a pooler may give each transaction another session; its time-outs are a third of a lease."""
    names = ("search_path", "synchronous_commit", "lock_timeout", "statement_timeout")
    shown = ", ".join(f"current_setting('{name}')" for name in names)
    query = f"SELECT {shown}, (SELECT count(*) FROM pg_prepared_statements)"  # noqa: S608 - our own names
    monkeypatch.setitem(QUERIES, "shown", query.encode())

    def show() -> Any:
        ((row,), _) = connection_of(one)._piped([("shown", {})])[0]
        return row

    one.store.sagas(["S1"])
    assert show() == (f'"{address_of(url).schema}"', "on", "1500ms", "1500ms", 0)
    assert LEASE_MS // 3 == TURN_MS == 1500
    one.store.abandon()
    assert show() == ('"$user", public', "on", "0", "0", 0)


def test_counts_are_added_up_by_their_own_engine(one: SharedEngine, url: str) -> None:
    """After 256 blocks there are few rows, and the sums are the same."""
    for _ in range(600):
        one.store.commit(one.changes()._replace(counts={("a/1/x", "forward"): 2, ("a/1/x", "completed"): -1}))
    assert one.store.counts() == {("a/1/x", "forward"): 1200, ("a/1/x", "completed"): -600}
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f"SET search_path = {address_of(url).schema}".encode())
        ((rows,),) = database.execute("SELECT count(*) FROM counts").fetchall()
    assert rows < 2 * 256


def test_a_statement_is_larger_than_what_the_system_takes_at_once(one: SharedEngine) -> None:
    """All of it is sent, though nothing is answered before."""
    large = Letter("large", 0, "x" * 8_000_000, 1)
    one.store.mailbox.post([large])
    assert one.store.mailbox.letters([0], 1) == [large]


def test_the_server_works_on_a_statement_while_the_next_is_made(
    one: SharedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent by then: another connection finds out."""
    monkeypatch.setitem(QUERIES, "lock", b"SELECT pg_advisory_lock(7)")
    connection = connection_of(one)

    def statements() -> Iterator[Statement]:
        yield "lock", {}
        until = time.monotonic() + 60
        with psycopg.connect(server(), autocommit=True) as database:
            while not database.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7").fetchall():
                assert time.monotonic() < until
                time.sleep(0.01)
        yield "own_role", {}

    assert len(connection.work(statements())) == 2
    connection.abandon()


def test_a_text_that_no_database_can_hold_takes_along_what_was_sent_before_it(one: SharedEngine) -> None:
    """And the connection goes on."""
    connection, letter = connection_of(one), Letter("early", 0, "x", 1)
    with pytest.raises(UnicodeEncodeError):
        connection.work([("post_letters", columns_of([letter])), ("see_entity", {"service": "\udc80", "id": ""})])
    assert [answer.rows for answer in connection.work([("own_role", {})])] == [[("postgres",)]]
    connection.abandon()
    assert one.store.mailbox.letters([0], 1) == []
