"""What a message survives on a NATS server: what its settings say is read back, or it is not used (P15)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import StreamConfig

import amends
from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.nats.monitor import SettingsHidden, settings_at
from amends.adapters.sqlite.reader import SqliteReader
from amends.errors import WireUnusable
from tests.engine.test_elsewhere import TICKETS
from tests.nats import NatsServer, nats_server

BOUND_S = 60
CHANNEL = "PAYMENT"
REDUCED = "&durability=reduced"


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Return a server of the test's own."""
    with nats_server() as server:
        yield server


def restart(server: NatsServer, *, syncs: bool) -> None:
    """Start it with another setting."""
    server.kill()
    server.syncs = syncs
    server.start()


@asynccontextmanager
async def end(url: str) -> AsyncIterator[NatsWire]:
    """Give an end of a wire."""
    wire = NatsWire(nats_address(url), pull_s=0.2)
    try:
        async with asyncio.timeout(BOUND_S):
            yield wire
    finally:
        await wire.close()


async def every_call_is_refused(url: str, said: str) -> None:
    """See that none goes over a wire, and that each says why."""
    async with end(url) as wire:
        for call in (wire.durability(), wire.post(CHANNEL, [b"x"]), wire.take(CHANNEL, 1), wire.parked(CHANNEL)):
            with pytest.raises(WireUnusable, match=said) as raised:
                await call
            assert "to run all the same, give the address ?durability=reduced" in str(raised.value)
            assert type(raised.value) is WireUnusable  # and it is not waited for


async def is_reduced(url: str, said: str) -> None:
    """See that a wire is used, and says what it is."""
    async with end(f"{url}{REDUCED}") as wire:
        await wire.post(CHANNEL, [b"x"])
        found = await wire.durability()
        assert found.startswith("reduced: ")
        assert said in found
        assert [delivery.body for delivery in await wire.take(CHANNEL, 1)] == [b"x"]


def test_a_server_that_syncs_always_is_used(server: NatsServer) -> None:
    """Its word is all that it takes; to allow for less changes nothing."""

    async def within() -> None:
        for more in ("", REDUCED):
            async with end(f"{server.url}{more}") as wire:
                assert await wire.durability() == "full"

    asyncio.run(within())


def test_a_server_that_does_not_sync_is_not_used(server: NatsServer) -> None:
    """Or is told everywhere."""
    restart(server, syncs=False)
    said = "does not sync what it takes: give it `jetstream { sync_interval: always }`"
    asyncio.run(every_call_is_refused(server.url, said))
    asyncio.run(is_reduced(server.url, said))


def test_a_server_that_does_not_say_it_is_not_used(server: NatsServer) -> None:
    """The line says where it was asked, and how it is made to."""
    plain = server.url.partition("?")[0]
    said = r"cannot be read \(http://127.0.0.1:9: .*give the server `http: 8222`"
    asyncio.run(every_call_is_refused(f"{plain}?monitor=http://127.0.0.1:9", said))
    asyncio.run(is_reduced(f"{plain}?monitor=http://127.0.0.1:9", "cannot be read (http://127.0.0.1:9: "))


def test_the_monitor_of_another_server_says_nothing_of_this_one(server: NatsServer) -> None:
    """It is known by its name."""
    with nats_server() as other:
        url = f"{server.url.partition('?')[0]}?{other.url.partition('?')[2]}"
        asyncio.run(every_call_is_refused(url, r"cannot be read \(it is another server's\)"))
        both = f"{url}&{server.url.partition('?')[2]}"  # as for a cluster

        async def within() -> None:
            async with end(both) as wire:
                assert await wire.durability() == "full"

        asyncio.run(within())


def test_a_server_that_comes_back_with_another_setting_is_not_used_any_more(server: NatsServer) -> None:
    """Nobody has to look for it: who is connected again reads anew."""

    async def within() -> None:
        async with end(server.url) as wire:
            await wire.post(CHANNEL, [b"x"])
            await asyncio.to_thread(restart, server, syncs=False)
            said = ""
            while "does not sync" not in said:
                try:
                    await wire.post(CHANNEL, [b"x"])
                except WireUnusable as error:
                    said = str(error)
                await asyncio.sleep(0.01)
            await asyncio.to_thread(restart, server, syncs=True)
            while said:
                try:
                    await wire.post(CHANNEL, [b"x"])
                    said = ""
                except WireUnusable:
                    await asyncio.sleep(0.01)

    asyncio.run(within())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"storage": "memory"}, "has storage memory, and needs file"),
        ({"max_age": 5}, "has max_age 5 s, and needs 3600 s"),
        ({"max_msgs_per_subject": 1}, "has max_msgs_per_subject 1, and needs -1"),
    ],
)
def test_a_stream_that_loses_what_it_took_is_told(server: NatsServer, wrong: dict[str, Any], said: str) -> None:
    """One that has other subjects is none that could be used in any case."""

    async def within() -> None:
        client = await nats.connect(server.url)
        right: dict[str, Any] = {"name": "amends", "subjects": ["amends.*"], "storage": "file", "discard": "new"}
        await client.jetstream().add_stream(StreamConfig(**{**right, **wrong}))
        await every_call_is_refused(server.url, said)
        await is_reduced(server.url, said)
        await client.jetstream().update_stream(StreamConfig(**{**right, **wrong, "subjects": ["amends.>"]}))
        async with end(f"{server.url}{REDUCED}") as wire:
            with pytest.raises(WireUnusable, match="has subjects"):
                await wire.durability()
        await client.close()

    asyncio.run(within())


# Engines -----------------------------------------------------------------------------------------------------------


def test_no_engine_starts_over_a_server_that_does_not_sync(server: NatsServer) -> None:
    """With one line, and its store is as free as before."""
    restart(server, syncs=False)
    opening = amends.open("memory:nats-durability", sagas=[TICKETS], wire=server.url, hosts=["SEATS"])
    for _ in range(2):
        with pytest.raises(WireUnusable, match="does not sync"), opening:
            pass


def test_an_engine_tells_that_its_wire_is_reduced(
    server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In its log, to who asks it, and to who looks at its store."""
    restart(server, syncs=False)
    caplog.set_level(logging.WARNING, "amends")
    store, wire = tmp_path / "seats.db", f"{server.url}{REDUCED}"
    with amends.open(f"sqlite:///{store}", sagas=[TICKETS], wire=wire, hosts=["SEATS"]) as engine:
        assert engine.wire_durability.startswith("reduced: server ")
        assert any("what goes over the wire may be lost" in said for said in caplog.messages)
        with closing(SqliteReader(store)) as seen:
            until_it_says(seen, f"the wire's durability is {engine.wire_durability}")
    with closing(SqliteReader(store)) as seen:
        assert seen.warning() == ""


def until_it_says(seen: SqliteReader, warning: str) -> None:
    """Wait until the store says what is wrong with its engine."""
    for _ in range(1_000):
        if seen.warning() == warning:
            return
        time.sleep(0.01)
    raise AssertionError(seen.warning())


def test_an_engine_whose_server_is_away_starts(server: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    """What waits for the wire waits; it is said once."""
    server.kill()
    caplog.set_level(logging.WARNING, "amends")
    with amends.open("memory:nats-away", sagas=[TICKETS], wire=server.url, hosts=["SEATS"]) as engine:
        assert engine.wire_durability == ""
        assert sum("the wire is away" in said for said in caplog.messages) == 1


# What is no monitor ------------------------------------------------------------------------------------------------


async def answered(said: bytes, *, ends: bool) -> str:
    """Return what is said of a port that answers so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /base/varz HTTP/1.0\r\nHost: 127.0.0.1:")
        writer.write(said)
        try:
            if not ends:
                await reader.read()
        finally:
            writer.close()

    port = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with port, asyncio.timeout(BOUND_S):
        with pytest.raises(SettingsHidden) as raised:
            await settings_at(f"http://127.0.0.1:{port.sockets[0].getsockname()[1]}/base")
    return str(raised.value)


OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "it answers ''"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "it answers 'HTTP/1.1 401 Unauthorized'"),
        (b"\xff\x00\n", "it answers"),
        (OK + b"<html>", "JSON is malformed"),
        (OK + b'{"server_name": 7}', "Expected `str`, got `int`"),
        (OK + b"x" * 2_000_000, "JSON is malformed"),
    ],
)
def test_what_says_something_else_is_told(said: bytes, why: str) -> None:
    """In one line."""
    found = asyncio.run(answered(said, ends=True))
    assert why in found
    assert "\n" not in found


def test_what_says_nothing_is_not_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as one that does not say it."""
    monkeypatch.setattr("amends.adapters.nats.monitor.ANSWER_S", 0.1)
    assert "no answer within 0.1 s" in asyncio.run(answered(b"HTTP/1.0 200", ends=False))
