"""All of it by way of a real PgBouncer in transaction mode: each transaction may have another session."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from itertools import count
from threading import Timer
from typing import Any

import psycopg
import pytest

import amends
from amends import Completed, StoreBusy, StoreUnusable
from amends.adapters.postgres import address_of
from amends.adapters.postgres.refusals import ends_session
from amends.adapters.postgres.wakeup import PostgresWakeup
from tests.adapters.postgres.pooler import BOUND_S, pooled, pooler
from tests.adapters.postgres.test_away_at_start import COUNT
from tests.adapters.postgres.test_two_engines import lose_one_of_two
from tests.adapters.postgres.test_wakeup import until
from tests.postgres import drop, own_server, server

NAMES = count(1)


@pytest.fixture
def schema_name() -> Iterator[str]:
    """Return the name of a schema that is not there yet, and is gone at the end."""
    name = f"pooled_{os.getpid()}_{next(NAMES)}"
    yield name
    drop(server(), name)


def test_one_of_two_engines_is_killed_and_the_other_one_goes_on(schema_name: str) -> None:
    """With fewer sessions at the server than connections to the pooler."""
    with pooler(server(), size=5) as conninfo:
        lose_one_of_two(pooled(conninfo, schema_name))


def test_nobody_listens_behind_a_pooler_and_rings_pass_it(schema_name: str) -> None:
    """Who comes by it looks by himself, and leaves no session that listens; who comes past it is woken by all."""

    async def ring(conninfo: str) -> None:
        loop, heard = asyncio.get_running_loop(), list[str]()
        host = server().split(maxsplit=1)[0].removeprefix("host=")
        behind = PostgresWakeup(address_of(pooled(conninfo, schema_name)), is_engine=True)
        past = PostgresWakeup(address_of(pooled(conninfo, schema_name, direct=host)), is_engine=False)
        here = PostgresWakeup(
            address_of(f"postgresql://postgres@/postgres?host={host}&schema={schema_name}"), is_engine=False
        )
        one = asyncio.Event()
        behind.listen(loop, one.set)
        await until(lambda: past.listen(loop, lambda: heard.append("past")))
        await until(lambda: here.listen(loop, lambda: heard.append("here")))
        await one.wait()
        heard.clear()
        await until(lambda: {*heard} == {"past", "here"}, behind.ring)
        one.clear()
        for _ in range(20):
            past.ring()
            await asyncio.sleep(0.02)
        assert not behind.listen(loop, one.set)
        assert not one.is_set()
        for each in (behind, past, here):
            each.close()

    with pooler(server()) as conninfo:
        asyncio.run(ring(conninfo))


def test_a_client_is_answered_without_being_woken(schema_name: str) -> None:
    """By a pooler of a single session, which an engine and a client share."""
    with pooler(server(), size=1) as conninfo:
        url = pooled(conninfo, schema_name)
        with amends.open(url, sagas=[COUNT]), amends.connect(url, sagas=[COUNT]) as client:
            assert isinstance(client.submit(COUNT, "x").result(timeout=60).state, Completed)


def test_what_a_pooler_refuses_is_told_in_its_words(schema_name: str) -> None:
    """Settings in the address (``options``) are of a session, which it does not keep."""
    with pooler(server()) as conninfo:
        url = pooled(conninfo, schema_name, options="-cstatement_timeout%3D5000")
        with (
            pytest.raises(StoreUnusable, match="unsupported startup parameter"),
            amends.open(url, sagas=[COUNT]),
        ):
            pass
        with psycopg.connect(conninfo) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.torture  # most of it waits for the pooler, which tells its clients late
def test_a_server_that_is_away_behind_a_pooler_is_waited_for() -> None:
    """The pooler itself takes connections meanwhile, and keeps them waiting."""
    with own_server() as behind, pooler(behind.conninfo) as conninfo:
        url = pooled(conninfo, "shop")
        with amends.open(url, sagas=[COUNT]), amends.connect(url, sagas=[COUNT]) as client:
            behind.crash()
            with pytest.raises(StoreBusy, match="the database is away"):
                client.submit(COUNT, "x")
            behind.start()
            again = patient(lambda: client.submit(COUNT, "x", key="again"))
            assert isinstance(again.result(timeout=60).state, Completed)
        behind.crash()
        starting = Timer(2, behind.start)
        starting.start()
        with amends.open(url, sagas=[COUNT]):
            starting.join()


@pytest.mark.parametrize(
    ("query", "ends"), [("SELECT 1/0", False), ("SELECT pg_terminate_backend(pg_backend_pid())", True)]
)
def test_an_error_that_ends_the_session_is_known_by_its_severity(query: str, ends: bool) -> None:
    """Also where the connection is not closed yet: an engine would count it as one that cannot be mended."""
    with pytest.raises(psycopg.Error) as raised, psycopg.connect(server()) as database:
        database.execute(query.encode())
    assert ends_session(raised.value) == ends


def patient(ask: Callable[[], Any]) -> Any:
    """Ask until the database is there, as a client's caller does."""
    ends = time.monotonic() + BOUND_S
    while True:
        try:
            return ask()
        except StoreBusy:
            assert time.monotonic() < ends
            time.sleep(0.1)


@pytest.mark.parametrize("direct", ["db:", "db:port", "a,b", ":5432", "db:123456"])
def test_what_is_no_server_behind_a_pooler_is_told(direct: str) -> None:
    """At once, before anything is opened."""
    with pytest.raises(StoreUnusable, match="is no server behind a pooler: give HOST or HOST:PORT"):
        address_of(f"postgresql://postgres@pooler:6432/shop?direct={direct}")


@pytest.mark.parametrize(
    ("direct", "host", "port"),
    [("db", "db", "5432"), ("db:5433", "db", "5433"), ("/run/pg", "/run/pg", "5432"), ("[::1]:5433", "::1", "5433")],
)
def test_the_server_behind_a_pooler_has_the_same_of_all_else(direct: str, host: str, port: str) -> None:
    """Of user, database and settings; without it there is no other."""
    plain = address_of("postgresql://me@pooler:6432/shop?sslmode=require")
    assert plain.past_pooler().connection == plain.connection
    past = address_of(f"postgresql://me@pooler:6432/shop?sslmode=require&direct={direct}").past_pooler()
    assert past.connection == plain.connection | {"host": host, "port": port, "hostaddr": None}
