"""Engines with outboxes: what they cannot do is said, stops nothing, and is done once it can be."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import amends
from amends import KeyReused, RequestRefused, outbox
from amends.adapters.memory.named import MemoryClientStore, named
from amends.engine import relays
from amends.outbox.relay import OutboxRelay
from tests.client.sagas import COUNTED, PATIENCE_S, PREPARED, SAGAS, url_of
from tests.client.test_killed import running as program
from tests.inbox.databases import Database, psycopg_implicit, sqlite3_implicit
from tests.outbox.conftest import NUMBERS
from tests.outbox.starting import (
    Killed,
    RolledBack,
    connector,
    counts,
    expect_completed,
    left,
    mortal,
    one,
    running,
    wait_until,
)
from tests.postgres import own_server


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What is said in the log, by relays that wait for nothing long."""
    monkeypatch.setattr(relays, "LOOK_S", 0.01)
    monkeypatch.setattr(relays, "AWAY_S", 0.02)
    return caplog


def about(said: pytest.LogCaptureFixture, words: str) -> list[str]:
    """Return the entries that have some words."""
    return [record.getMessage() for record in said.records if words in record.getMessage()]


def write(database: Database, *keys: str) -> None:
    """Ask for a saga under each key, each in a transaction of its own."""
    with database.connect() as db:
        for key in keys:
            with database.transaction(db):
                outbox.submit(db, *one(key), key=key)


def test_an_outbox_that_is_away_is_said_once_and_tried_again(
    books: Database, depot: str, said: pytest.LogCaptureFixture
) -> None:
    """Other outboxes and clients are served meanwhile."""
    tries: list[int] = []
    is_away = True

    def connect() -> Any:
        tries.append(1)
        if is_away:
            raise ConnectionError("no route to the books")
        return connector(books)()

    write(books, "a")
    with running(depot, {"away": connect}) as (engine, client):
        client.submit(*one("meanwhile"), key="meanwhile")
        expect_completed(client, ["meanwhile"])
        wait_until(lambda: len(tries) > 3)
        assert len(about(said, "no route")) == 1
        is_away = False
        expect_completed(client, ["a"])
        assert about(said, "outbox 'away'") == [
            "the letters of outbox 'away' wait, and are tried again: ConnectionError: no route to the books",
            "the letters of outbox 'away' are moved again",
        ]
        assert counts(engine, ["a", "meanwhile"]) == {"a": 1, "meanwhile": 1}


def test_a_server_that_restarts(depot: str, said: pytest.LogCaptureFixture) -> None:
    """The connection is lost, and made anew."""
    with own_server() as server:
        database = psycopg_implicit(server.conninfo)
        database.prepare()
        with running(depot, {"books": connector(database)}) as (engine, client):
            write(database, "before")
            expect_completed(client, ["before"])
            server.crash()
            wait_until(lambda: bool(about(said, "wait, and are tried again")))
            server.start()
            write(database, "after")
            expect_completed(client, ["after"])
            assert counts(engine, ["before", "after"]) == {"before": 1, "after": 1}


@pytest.mark.parametrize("kind", ["books", "on_postgres"])
def test_two_relays_of_one_outbox_do_no_harm(
    kind: str, request: pytest.FixtureRequest, depot: str, said: pytest.LogCaptureFixture
) -> None:
    """As two engines have them: each letter is acted on once."""
    database, keys = request.getfixturevalue(kind), [f"order {number}" for number in range(40)]
    connect = connector(database)
    with running(depot, {"one": connect, "two": connect}) as (engine, client):
        write(database, *keys)
        expect_completed(client, keys)
        wait_until(lambda: not left(database))
        assert counts(engine, keys) == dict.fromkeys(keys, 1)


def test_a_client_may_ask_again_under_the_key(books: Database, depot: str) -> None:
    """It is one saga, whichever letter comes first."""
    write(books, "a")
    with running(depot, {}) as (engine, client):
        handle = client.submit(*one("a"), key="a")
        assert handle.result(60).saga_id == handle.started()
    with running(depot, {"books": connector(books)}) as (engine, client):
        wait_until(lambda: not left(books))
        expect_completed(client, ["a"])
        assert counts(engine, ["a"]) == {"a": 1}


def test_what_is_refused_is_said(books: Database, depot: str, said: pytest.LogCaptureFixture) -> None:
    """No caller waits for it; under the key it is told as of any other request."""
    with books.connect() as db, books.transaction(db):
        outbox.submit(db, PREPARED, ["Hamlet", 4], key="too many")
        outbox.submit(db, *one("other"), key="used")
        outbox.cancel(db, "nobody-1", by="ann")
    with running(depot, {}) as (_, client):
        client.submit(*one("used"), key="used").result(PATIENCE_S)
    with running(depot, {"books": connector(books)}) as (_, client):
        wait_until(lambda: len(about(said, "is refused")) == 3)
        first, *others = about(said, "is refused")
        assert first == "what came by an outbox under the key too many is refused: three at most"
        assert any("stands for another request" in other for other in others)
        assert any("there is no saga 'nobody-1'" in other for other in others)
        with pytest.raises(RequestRefused, match="three at most"):
            client.find("too many")
        with pytest.raises(KeyReused):
            client.submit(*one("other"), key="used")


def test_a_definition_that_the_engine_does_not_know_waits_and_is_said(
    books: Database, depot: str, said: pytest.LogCaptureFixture
) -> None:
    """It holds nothing up, and its saga starts at the first engine that knows it."""
    write(books, "unknown")
    with books.connect() as db, books.transaction(db):
        outbox.submit(db, PREPARED, ["Hamlet", 1], key="known")
    others = [saga for saga in SAGAS if saga is not COUNTED]
    with (
        amends.open(depot, sagas=others, outboxes={"books": connector(books)}),
        amends.connect(depot, sagas=others) as client,
    ):
        expect_completed(client, ["known"])
        wait_until(lambda: bool(about(said, "counted/1/")))
    with running(depot, {}) as (engine, client):
        expect_completed(client, ["unknown"])
        assert counts(engine, ["unknown"]) == {"unknown": 1}


def test_an_engine_ends_while_an_outbox_hangs(depot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end does not wait for a database that does not answer."""
    monkeypatch.setattr(relays, "CLOSED_WITHIN_S", 0.01)
    called, let_go = Event(), Event()

    def connect() -> Any:
        called.set()
        let_go.wait()
        raise ConnectionError

    try:
        with running(depot, {"books": connect}):
            assert called.wait(PATIENCE_S)
    finally:
        let_go.set()


def test_an_engine_that_ended_has_given_the_connection_back(books: Database, depot: str, tmp_path: Path) -> None:
    """Before its end returns."""
    given: list[Lent] = []

    def connect() -> Lent:
        given.append(sqlite3.connect(tmp_path / "books.sqlite", factory=Lent))
        return given[-1]

    with running(depot, {"books": connect}):
        wait_until(lambda: bool(given))
    assert [db.is_given_back for db in given] == [True]


class Lent(sqlite3.Connection):
    """Knows whether it was closed."""

    is_given_back = False

    def close(self) -> None:
        """Close it, which takes a moment: who does not wait is there before."""
        time.sleep(0.05)
        super().close()
        self.is_given_back = True


def test_outboxes_of_asyncio_programs(books: Database, depot: str) -> None:
    """The same engine, awaited."""

    async def run() -> int:
        engines = amends.open(depot, sagas=SAGAS, outboxes={"books": connector(books)})
        async with engines as engine, amends.connect(depot, sagas=SAGAS) as client:
            handle = await client.submit(*one("after"))
            await handle.result(PATIENCE_S)
            while await client.find("a") is None:
                await asyncio.sleep(0.005)
            return int(await engine.entity("SOLD", "a"))

    write(books, "a")
    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)) == 1


# Chance --------------------------------------------------------------------------------------------------------

KEYS = ["a", "b", "c", "d"]
KILLED_AT = st.integers(0, 2)  # at which commit of the relay; 0 for none
ACTIONS = st.one_of(
    st.tuples(st.just("commit"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)),
    st.tuples(st.just("roll back"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)),
    st.tuples(st.just("relay"), KILLED_AT),
    st.tuples(st.just("engine"), st.none()),
)


def transact(database: Database, keys: list[str], *, commits: bool) -> None:
    """Ask for sagas under some keys, in one transaction."""
    with suppress(RolledBack), database.connect() as db, database.transaction(db):
        for key in keys:
            outbox.submit(db, *one(key), key=key)
        if not commits:
            raise RolledBack


def relay_once(path: Path, depot: str, killed_at: int) -> int:
    """Have a relay move what there is, unless it is killed."""
    store = MemoryClientStore(named(depot.removeprefix("memory:")))
    with closing(OutboxRelay("books", lambda: mortal(path, killed_at), lambda: store)) as relay, suppress(Killed):
        return relay.move()
    return 0


def act(depot: str) -> dict[str, int]:
    """Have an engine act on what is in the mailbox, and return how often it has started a saga for each key."""
    with running(depot, {}) as (engine, client):
        client.submit(*one("last")).result(PATIENCE_S)  # behind all other letters
        return counts(engine, KEYS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 4)
@given(actions=st.lists(ACTIONS, max_size=12))
def test_exactly_what_is_committed_runs_once(tmp_path: Path, actions: list[Any]) -> None:
    """Whatever is rolled back, asked for again under its key, and killed meanwhile."""
    number = next(NUMBERS)
    path, depot = tmp_path / f"books {number}.sqlite", f"memory:chance {number}"
    database = sqlite3_implicit(path)
    database.prepare()
    committed = set[str]()
    for action, what in actions:
        if action == "relay":
            relay_once(path, depot, what)
        elif action == "engine":
            act(depot)
        else:
            transact(database, what, commits=action == "commit")
            committed |= {*what} if action == "commit" else set()
    while relay_once(path, depot, 0):
        pass
    assert act(depot) == dict.fromkeys(committed, 1)
    assert left(database) == []


ENGINE = """
import sqlite3, signal, sys, amends
from tests.client.sagas import SAGAS
with amends.open(sys.argv[1], sagas=SAGAS, store_wait_s=60, outboxes={"books": lambda: sqlite3.connect(sys.argv[2])}):
    print("runs", flush=True)
    signal.pause()
"""
KILLS = 2
WAVE = 30


def test_an_engine_is_killed_while_it_fetches(tmp_path: Path, books: Database) -> None:
    """At any moment, several times: each saga is started once."""
    url, keys = url_of(tmp_path), [f"order {number}" for number in range(KILLS * WAVE)]
    for kill in range(KILLS):
        with program(ENGINE, url, tmp_path / "books.sqlite") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            write(books, *keys[kill * WAVE : (kill + 1) * WAVE])
    with running(url, {"books": connector(books)}) as (engine, client):
        expect_completed(client, keys)
        wait_until(lambda: not left(books))
        assert counts(engine, keys) == dict.fromkeys(keys, 1)
