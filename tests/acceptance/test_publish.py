"""`amends publish`: events into a table of a PostgreSQL or a stream of NATS, each once, wherever it is killed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import amends as package
from amends.adapters.postgres import PostgresStore, address_of
from amends.lines import counted
from amends.shop.checkout import CHECKOUT
from tests.acceptance.command import EXAMPLES, amends, command_line, environment
from tests.adapters.nats.test_event_stream import told
from tests.adapters.postgres.roles import roles, url_as
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank
from tests.nats import nats_server
from tests.postgres import schema


@pytest.fixture
def table() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


def events(url: str) -> list[tuple[Any, ...]]:
    """Return source, saga and number of the events, in the order of their positions."""
    address = address_of(url)
    query = "SELECT source, subject, (event->'data'->>'number')::int FROM events ORDER BY position"
    with psycopg.connect(**address.connection, options=f"-c search_path={address.schema}") as database:
        return database.execute(query).fetchall()


def test_what_is_there_is_published_once(tmp_path: Path, table: str) -> None:
    """It says how much; run again, that there is no more."""
    file = tmp_path / "shop.db"
    amends("run", "--db", file, EXAMPLES[0])
    first = amends("publish", "--db", file, "--to", table, "--source", "/shop")
    found = events(table)
    assert first == (0, f"amends: {file} is published into {table}\n{counted(len(found), 'event')} published\n", "")
    assert {source for source, _, _ in found} == {"/shop"}
    again = amends("publish", "--db", file, "--to", table, "--source", "/shop")
    assert again.out.endswith("\n0 events published\n")
    assert events(table) == found


def test_roles_that_may_no_more_than_that_publish(table: str) -> None:
    """Of a store, the one of clients; of the table, the one that `amends db init --events` grants it to."""
    with schema() as store, roles("web", "publisher") as (web, publisher):
        assert amends("db", "init", "--db", store, "--client-role", web).code == 0
        with package.open(store, sagas=[CHECKOUT]), closing(PostgresStore(address_of(store))):
            pass
        made = amends("db", "init", "--events", table, "--engine-role", publisher)
        assert made == (0, f"{table}: made, with version 1\n", "")
        ran = amends("publish", "--db", url_as(web, store), "--to", url_as(publisher, table))
        assert (ran.code, ran.err, ran.out.endswith("\n0 events published\n")) == (0, "", True)
        assert amends("db", "check", "--events", table, "--engine-role", publisher).code == 0


@pytest.mark.parametrize("url", ["redis://localhost", "shop.db"])
def test_what_takes_no_events_is_told(url: str, tmp_path: Path) -> None:
    """In one line, that says what does."""
    ran = amends("publish", "--db", tmp_path / "shop.db", "--to", url)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"amends: '{url}' is no place for events: give postgresql://user@host/database, nats://user@host for `amends "
        "publish`, or send them from `amends tail --follow --json`\n"
    )


def test_an_older_copy_of_a_store_is_told(tmp_path: Path, table: str) -> None:
    """Nothing of it is published: other events would have the ids of those that are."""
    amends("run", "--db", tmp_path / "shop.db", EXAMPLES[0])
    amends("publish", "--db", tmp_path / "shop.db", "--to", table)
    before = events(table)
    amends("run", "--db", tmp_path / "other.db", *EXAMPLES)
    ran = amends("publish", "--db", tmp_path / "other.db", "--to", table)
    assert (ran.code, events(table)) == (1, before)
    assert "it is an older copy of the store, or another one" in ran.err


Found = Callable[[], list[tuple[Any, ...]]]
"""Gives source, saga and number of the events, in their order."""


@contextmanager
def in_a_table() -> Iterator[tuple[str, Found]]:
    """Give a table, and what lies in it."""
    with schema() as url:
        yield url, lambda: events(url)


@contextmanager
def in_a_stream() -> Iterator[tuple[str, Found]]:
    """Give a stream of a NATS server, and what lies in it."""
    with nats_server() as server:
        yield (
            server.url,
            lambda: [(each["source"], each["subject"], each["data"]["number"]) for _, _, each in told(server)],
        )


@pytest.mark.parametrize("place", [in_a_table, in_a_stream])
def test_killed_again_and_again_it_leaves_out_nothing_and_doubles_nothing(
    tmp_path: Path, place: Callable[[], AbstractContextManager[tuple[str, Found]]]
) -> None:
    """While sagas run; at last an interrupt ends it, which is no failure."""
    with place() as (into, found):
        kill_and_look(tmp_path, into, found)


def kill_and_look(tmp_path: Path, table: str, found: Found) -> None:
    """See that each event of all sagas is there, once and in order."""
    url, numbers = f"sqlite:///{tmp_path / 'shop.db'}", list[str]()
    words = command_line("publish", "--follow", "--db", url, "--to", table)
    with package.open(url, sagas=[ORDER], clients={"CARD": Bank(), "PARCEL": None}) as engine:
        for _ in range(2):
            numbers += [engine.submit(ORDER, 42).saga_id for _ in range(20)]
            with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE) as killed:
                assert killed.stdout is not None
                killed.stdout.readline()  # it has begun
                numbers += [engine.submit(ORDER, 42).saga_id for _ in range(20)]
                killed.kill()
        for saga_id in numbers:
            with pytest.raises(package.OperatorNeeded):
                engine.result(saga_id, PATIENCE_S)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as last:
        assert last.stdout is not None
        last.stdout.readline()
        while amends("publish", "--db", url, "--to", table).code:  # a server that is slow may be away for a moment
            pass
        last.send_signal(signal.SIGINT)
        try:
            out, err = last.communicate(timeout=PATIENCE_S)
        finally:
            last.kill()  # one that a shell has started behind itself ignores the interrupt
    assert last.returncode == 0
    assert all(line.endswith(b"; it is looked at again") for line in err.splitlines())
    assert out.endswith(b" published\n")
    by_saga = dict[str, list[int]]()
    for _, saga_id, number in found():
        by_saga.setdefault(saga_id, []).append(number)
    assert {*by_saga} == {*numbers}
    assert all(each == [*range(1, len(each) + 1)] for each in by_saga.values())
