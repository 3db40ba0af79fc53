"""`amends db` of a wire: made, with the rights of a role, checked, or the SQL for it printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from amends import bootstrap
from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.wire_location import PostgresWireLocation
from tests.acceptance.command import Ran, amends
from tests.adapters.postgres.roles import roles, url_as
from tests.postgres import schema, server


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


async def pass_one(url: str) -> None:
    """Post a message, take it and acknowledge it."""
    wire = PostgresWireLocation(url).wire()
    try:
        await wire.post("PAYMENT", [b"x"])
        await wire.acknowledge("PAYMENT", await wire.take("PAYMENT", 1))
    finally:
        await wire.close()


def test_a_wire_is_made_once(url: str) -> None:
    """A second time it is there already; its role takes part, and the check says so."""
    with roles("host") as (host,):
        words = ("--wire", url, "--engine-role", host)
        assert amends("db", "init", *words) == Ran(0, f"{url}: made, with version 1\n", "")
        assert amends("db", "init", *words).out == f"{url}: it was there already, with version 1\n"
        asyncio.run(pass_one(url_as(host, url)))
        checked = amends("db", "check", "--json", *words)
        assert checked.code == 0
        facts = json.loads(checked.out)["facts"]
        assert [fact["name"] for fact in facts] == ["PostgreSQL", "server", "encoding", "schema", "role"]
        own = json.loads(amends("db", "check", "--json", "--wire", url_as(host, url)).out)
        assert (own["verdict"], own["facts"][-1]["value"]) == ("sound", host)


def test_what_is_printed_is_what_is_run(url: str) -> None:
    """No server is asked for it; the role that is named takes part then."""
    with roles("host") as (host,):
        elsewhere = url.replace("host=", "host=/nowhere/")
        printed = amends("db", "init", "--print", "--wire", elsewhere, "--engine-role", host)
        assert (printed.code, printed.err) == (0, "")
        with psycopg.connect(server(), autocommit=True) as database:
            database.execute(printed.out.encode())
        asyncio.run(pass_one(url_as(host, url)))


def test_what_is_wrong_is_told_in_a_line(url: str) -> None:
    """By the check, with the remedy; the exit code says so."""
    with roles("host") as (host,):
        none = amends("db", "check", "--wire", url)
        assert none.code == 1
        assert "`amends db init --wire`, or who comes first, makes it" in none.out
        amends("db", "init", "--wire", url)
        lacks = amends("db", "check", "--wire", url, "--engine-role", host)
        assert lacks.code == 1
        assert "it lacks USAGE on the schema, SELECT on messages, " in lacks.out
        assert "`amends db init --wire` with --engine-role grants it" in lacks.out
        assert amends("db", "check", "--wire", url_as(host, url)).code == 1
        with psycopg.connect(server(), autocommit=True) as database:
            database.execute(f"GRANT DELETE ON {address_of(url).schema}.messages TO {host}".encode())
        amends("db", "init", "--wire", url, "--engine-role", host)
        more = amends("db", "check", "--wire", url, "--engine-role", host)
        assert "it may do more than it needs: DELETE on messages" in more.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--wire", "sqlite:///shop.db"], "names no wire with a schema; give postgresql://user@host/database"),
        (["--wire", "postgresql://host:port/x"], "it is no address of a PostgreSQL"),
        (["--wire", "{url}", "--client-role", "web"], "a wire has no clients: name the role of an engine or a host"),
        (["--wire", "{url}", "--engine-role", "no_such_role"], 'role "no_such_role" does not exist'),
        (["--wire", "{url}", "--engine-role", "x" * 64], "is no name for a role"),
    ],
)
def test_what_cannot_be_made_is_told(url: str, words: list[str], said: str) -> None:
    """In one line, and nothing is made."""
    ran = amends("db", "init", *(word.format(url=url) for word in words))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert PostgresWireLocation(url).version() == 0


def test_a_store_is_no_wire(url: str) -> None:
    """And stays as it is."""
    PostgresStore(url).close()
    ran = amends("db", "init", "--wire", url)
    assert ran.code == 2
    assert "that is no wire: give another name, ?schema=..." in ran.err


def test_there_is_one_version_to_migrate_to(url: str) -> None:
    """Roles are given rights; a wire that is not there is not made."""
    ran = amends("db", "migrate", "--wire", url)
    assert (ran.code, ran.out) == (2, "")
    with roles("host") as (host,):
        assert amends("db", "init", "--wire", url).code == 0
        assert amends("db", "migrate", "--wire", url, "--engine-role", host).out == f"{url}: it has version 1\n"
        asyncio.run(pass_one(url_as(host, url)))


@pytest.mark.parametrize("again_s", ["0", "601", "nan", "inf", "soon", ""])
def test_a_time_that_is_none_is_told(url: str, again_s: str) -> None:
    """In one line."""
    ran = amends("wire", "parked", "--wire", f"{url}&again_s={again_s}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "in the address of a wire: give seconds, 1 to 600" in ran.err


@pytest.mark.parametrize("where", ["postgresql://host/db?schema=s&", "nats://host?"])
def test_the_address_says_when_a_message_comes_again(where: str) -> None:
    """Beside what else it says."""
    make = bootstrap.WIRES[where.partition("://")[0] + "://"](f"{where}again_s=60")
    wire: Any = make()
    assert 60 in (getattr(wire, "_again_s", None), getattr(wire, "_within_us", 0) / 1_000_000)
