"""`amends wire`: messages that nobody could act on, listed with their reasons, taken again or dropped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import amends as package
from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.postgres.wire_location import PostgresWireLocation
from amends.bootstrap import wire_found
from amends.storage.wire import Wire
from tests.acceptance.command import amends
from tests.adapters.postgres.roles import roles, url_as
from tests.engine.test_elsewhere import TICKETS
from tests.nats import nats_server
from tests.postgres import schema

BOUND_S = 60
REASONS = ["no JSON: 'ä'\n", "unknown saga", "too late"]


async def park(wire: Wire) -> None:
    """Have three messages parked, of two channels."""
    for channel, reason in zip(("PAYMENT", ">a1", "PAYMENT"), REASONS, strict=True):
        await wire.post(channel, [reason.encode()])
        (delivery,) = await wire.take(channel, 1)
        await wire.park(channel, delivery, reason)


async def done(wire: Wire, does: Callable[[Wire], object]) -> None:
    """Use an end of a wire, and give it back."""
    try:
        async with asyncio.timeout(BOUND_S):
            await does(wire)  # type: ignore[misc]
    finally:
        await wire.close()


@contextmanager
def in_postgres() -> Iterator[str]:
    """Give a wire in a PostgreSQL on which messages are parked."""
    with schema() as url:
        asyncio.run(done(PostgresWireLocation(url).wire(), park))
        yield url


@contextmanager
def in_nats() -> Iterator[str]:
    """Give one in a NATS server."""
    with nats_server() as server:
        asyncio.run(done(NatsWire(nats_address(server.url)), park))
        yield server.url


KINDS: dict[str, Callable[[], AbstractContextManager[str]]] = {"postgres": in_postgres, "nats": in_nats}


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a wire of each kind."""
    with KINDS[request.param]() as url:
        yield url


def test_parked_messages_are_listed_taken_again_and_dropped(url: str, tmp_path: Path) -> None:
    """Each once; what is no such message is told."""
    listed = amends("wire", "parked", "--wire", url)
    assert (listed.code, listed.err) == (0, "")
    assert [line.partition("  ")[0] for line in listed.out.splitlines()] == ["channel", "PAYMENT", ">a1", "PAYMENT"]
    assert "no JSON: 'ä'" in listed.out
    found = json.loads(amends("wire", "parked", "--json", "--wire", url).out)["parked"]
    assert [(each["channel"], each["reason"]) for each in found] == [
        ("PAYMENT", REASONS[0]), (">a1", REASONS[1]), ("PAYMENT", REASONS[2]),
    ]  # fmt: skip
    assert [each["body"] for each in found] == REASONS
    first, second, third = (str(each["number"]) for each in found)
    taken = amends("wire", "again", "PAYMENT", third, "--wire", url)
    assert taken.out == f"message {third} of PAYMENT is taken again\n"
    assert amends("wire", "drop", ">a1", second, "--wire", url).out == f"message {second} of '>a1' is dropped\n"
    for word in ("again", "drop"):
        ran = amends("wire", word, "PAYMENT", third, "--wire", url)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"amends: no message {third} is parked on PAYMENT: `amends wire parked` lists them\n"
    left = json.loads(amends("wire", "parked", "--json", "--channel", "PAYMENT", "--wire", url).out)["parked"]
    assert [str(each["number"]) for each in left] == [first]

    async def comes(wire: Wire) -> None:
        assert [delivery.body for delivery in await wire.take("PAYMENT", 9)] == [REASONS[2].encode()]

    asyncio.run(done(wire_found(url), comes))
    with package.open(f"sqlite:///{tmp_path / 'shop.db'}", sagas=[TICKETS]):
        pass
    said = amends("status", "--db", tmp_path / "shop.db", "--wire", url)
    assert said.code == 0
    assert "\nwire            full" in said.out
    assert "\nparked          1 message, the oldest for " in said.out
    document = json.loads(amends("status", "--json", "--db", tmp_path / "shop.db", "--wire", url).out)
    assert document["wire"]["parked"] == 1


def test_a_wire_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    """Whatever the command."""
    with package.open(f"sqlite:///{tmp_path / 'shop.db'}", sagas=[TICKETS]):
        pass
    with schema() as postgres, nats_server() as server:
        for url, said in ((postgres, "there is no wire"), (server.url, "there is no stream 'amends'")):
            for words in (("parked",), ("again", "PAYMENT", "1"), ("drop", "PAYMENT", "1")):
                ran = amends("wire", *words, "--wire", url)
                assert (ran.code, ran.out) == (2, "")
                assert said in ran.err
            status = amends("status", "--db", tmp_path / "shop.db", "--wire", url)
            assert status.code == 0
            assert said in status.out
        server.kill()
        ran = amends("wire", "parked", "--wire", server.url)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "the server is away" in ran.err


def test_only_the_owner_drops() -> None:
    """A role that takes part adds alone: it is told so, in a line."""
    with in_postgres() as url, roles("host") as (host,):
        assert amends("db", "init", "--wire", url, "--engine-role", host).code == 0
        listed = amends("wire", "parked", "--json", "--wire", url_as(host, url))
        number = str(json.loads(listed.out)["parked"][0]["number"])
        ran = amends("wire", "drop", "PAYMENT", number, "--wire", url_as(host, url))
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "permission denied" in ran.err


@pytest.mark.parametrize("url", ["memory:x", "shop.db", "redis://host"])
def test_what_names_no_wire_is_told(url: str) -> None:
    """In one line."""
    ran = amends("wire", "parked", "--wire", url)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "names no wire" in ran.err
