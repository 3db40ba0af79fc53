"""A wire over NATS JetStream, beside what the port says: all that a server loses costs time, and no more."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, SequenceInfo, StreamConfig, StreamInfo, StreamState

from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.nats.address import token_of
from amends.errors import WireAway, WireUnusable
from amends.storage.wire import Delivery
from tests.nats import NatsServer, nats_server

BOUND_S = 60
CHANNEL = "PAYMENT"


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Return a server of the test's own."""
    with nats_server() as server:
        yield server


@asynccontextmanager
async def ends(server: NatsServer, number: int = 2) -> AsyncIterator[list[NatsWire]]:
    """Give so many ends of a wire, whose pulls are short."""
    wires = [NatsWire(nats_address(server.url), again_s=0.5, pull_s=0.2) for _ in range(number)]
    try:
        async with asyncio.timeout(BOUND_S):
            yield wires
    finally:
        for wire in wires:
            await wire.close()


@asynccontextmanager
async def jetstream(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    """Give a client beside the wire's."""
    client = await nats.connect(server.url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    """Return what they hold."""
    return [delivery.body for delivery in deliveries]


async def patiently(say: Callable[[], Awaitable[None]]) -> None:
    """Say it until the server is there."""
    while True:
        try:
            return await say()
        except WireAway:
            await asyncio.sleep(0.05)


async def delete_stream(server: NatsServer) -> None:
    """Remove the stream, and its consumers with it."""
    async with jetstream(server) as streams:
        await streams.delete_stream("amends")


async def delete_consumer(server: NatsServer) -> None:
    """Remove the consumer alone."""
    async with jetstream(server) as streams:
        await streams.delete_consumer("amends", CHANNEL)


async def restart(server: NatsServer) -> None:
    """Kill the server, and start it."""
    server.kill()
    await asyncio.to_thread(server.start)


async def lose_all(server: NatsServer) -> None:
    """Kill the server, remove its data, and start it."""
    server.kill()
    shutil.rmtree(server.data)
    await asyncio.to_thread(server.start)


async def lose_messages(server: NatsServer) -> None:
    """Have the stream forget its messages, and the consumer none of what it delivered: it is ahead then."""
    server.kill()
    for folder in server.data.rglob("msgs"):
        shutil.rmtree(folder)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("harm", [delete_stream, delete_consumer, restart, lose_all, lose_messages])
def test_what_is_lost_under_load_costs_messages_and_nothing_else(
    server: NatsServer, harm: Callable[[NatsServer], Awaitable[None]]
) -> None:
    """What is posted afterwards comes."""

    async def within() -> None:
        async with ends(server) as (sender, taker):
            found = list[bytes]()

            async def take() -> None:
                while b"last" not in found:
                    with suppress(WireAway):
                        some = await taker.take(CHANNEL, 5)
                        found.extend(bodies(some))
                        await taker.acknowledge(CHANNEL, some)
                    await asyncio.sleep(0)

            taking = asyncio.create_task(take())
            for number in range(30):
                await sender.post(CHANNEL, [b"%d" % number])
            while len(found) < 10:
                await asyncio.sleep(0.01)
            await harm(server)
            after = [b"%d" % number for number in range(30, 60)]
            for body in [*after, b"last"]:
                await patiently(lambda body=body: sender.post(CHANNEL, [body]))  # type: ignore[misc]
            await taking
            while not {*found} >= {*after}:
                await patiently(lambda: _take(taker, found))

    asyncio.run(within())


async def _take(taker: NatsWire, found: list[bytes]) -> None:
    some = await taker.take(CHANNEL, 5)
    found.extend(bodies(some))
    await taker.acknowledge(CHANNEL, some)


def test_a_consumer_that_is_silent_though_messages_wait_is_made_anew(server: NatsServer) -> None:
    """One that was paused is, as a real one that hangs would be."""

    async def within() -> None:
        async with ends(server) as (sender, taker), jetstream(server) as streams:
            await sender.post(CHANNEL, [b"a"])
            await taker.acknowledge(CHANNEL, await taker.take(CHANNEL, 1))
            await streams.delete_consumer("amends", CHANNEL)
            paused = ConsumerConfig(
                durable_name=CHANNEL, filter_subject=f"amends.{CHANNEL}", pause_until="2100-01-01T00:00:00Z"
            )
            await streams.add_consumer("amends", paused)
            await sender.post(CHANNEL, [b"b"])
            found = list[bytes]()
            while b"b" not in found:
                found += bodies(await taker.take(CHANNEL, 9))

    asyncio.run(within())


class AheadOfItsStream:
    """What a server says of a consumer that delivered what its stream has lost (nats-server#5412)."""

    deleted: str = ""

    async def consumer_info(self, stream: str, consumer: str) -> ConsumerInfo:
        """Say how far it is."""
        delivered = SequenceInfo(consumer_seq=9, stream_seq=9)
        config = ConsumerConfig(filter_subject=f"{stream}.{consumer}", ack_policy=AckPolicy.EXPLICIT)
        return ConsumerInfo(consumer, stream, config, datetime.now(UTC), delivered, num_pending=0)

    async def stream_info(self, name: str) -> StreamInfo:
        """Say that the stream is not so far."""
        state = StreamState(messages=3, bytes=3, first_seq=1, last_seq=3, consumer_count=1)
        return StreamInfo(StreamConfig(name=name), state)

    async def delete_consumer(self, stream: str, consumer: str) -> None:
        """Keep which one is deleted."""
        self.deleted = consumer


def test_a_consumer_that_is_ahead_of_its_stream_is_made_anew(server: NatsServer) -> None:
    """A server of today does not bring it about when it is asked to: the answers of one that does are given."""

    async def within() -> None:
        async with ends(server, 1) as (one,), one._connected() as (_, streams, _):
            said = AheadOfItsStream()
            for name in ("consumer_info", "stream_info", "delete_consumer"):
                setattr(streams, name, getattr(said, name))
            one._consumers.add(CHANNEL)
            with suppress(WireUnusable):  # of the settings that were said
                await one._look(streams, CHANNEL)
            assert said.deleted == CHANNEL
            assert CHANNEL not in one._consumers

    asyncio.run(within())


def test_what_a_cancelled_take_would_have_given_comes_next(server: NatsServer) -> None:
    """At once: by the time of the server it would come again much later."""

    async def within() -> None:
        wire, found = NatsWire(nats_address(server.url), again_s=600, pull_s=0.2), list[bytes]()
        try:
            for number in range(20):
                await wire.post(CHANNEL, [b"%d" % number])
                taking = asyncio.create_task(wire.take(CHANNEL, 1))
                for _ in range(number):
                    await asyncio.sleep(0)
                taking.cancel()
                with suppress(asyncio.CancelledError):
                    found += bodies(await taking)
            while len(found) < 20:
                found += bodies(await wire.take(CHANNEL, 7))
        finally:
            await wire.close()
        assert sorted(found) == sorted(b"%d" % number for number in range(20))

    asyncio.run(asyncio.wait_for(within(), BOUND_S))


def test_what_is_parked_or_acknowledged_waits_for_nothing_more(server: NatsServer) -> None:
    """The server counts it no longer among what comes again."""

    async def within() -> None:
        async with ends(server, 1) as (one,), jetstream(server) as streams:
            await one.post(CHANNEL, [b"a", b"b", b"c"])
            taken = [*await one.take(CHANNEL, 9)]
            while len(taken) < 3:
                taken += await one.take(CHANNEL, 9)
            await one.park(CHANNEL, taken[0], "why")
            await one.acknowledge(CHANNEL, taken[1:2])
            while (await streams.consumer_info("amends", CHANNEL)).num_ack_pending != 1:
                await asyncio.sleep(0.01)

    asyncio.run(within())


def test_a_wait_ends_with_its_wire(server: NatsServer) -> None:
    """It was not cancelled, and is told so."""

    async def within() -> None:
        async with ends(server, 1) as (one,):
            waiting = asyncio.create_task(one.take(CHANNEL, 1))
            await one.parked(CHANNEL)
            await asyncio.sleep(0.1)  # until it waits
            await one.close()
            with pytest.raises(WireAway, match="the wire is closed"):
                await waiting
            with pytest.raises(WireAway, match="the wire is closed"):
                await one.post(CHANNEL, [b"x"])

    asyncio.run(within())


def test_every_call_says_that_the_server_is_away(server: NatsServer) -> None:
    """Also those of an end that was never connected; once it is back, all go on."""

    async def within() -> None:
        async with ends(server, 3) as (one, two, three):
            await one.post(CHANNEL, [b"a"])
            (delivery,) = await two.take(CHANNEL, 1)
            server.kill()
            for wire in (one, two, three):
                for call in (
                    wire.post(CHANNEL, [b"c"]), wire.take(CHANNEL, 1), wire.park(CHANNEL, delivery, "why"),
                    wire.parked(CHANNEL), wire.ping(),
                ):  # fmt: skip
                    with pytest.raises(WireAway, match="the server is away"):
                        await call
            await asyncio.to_thread(server.start)
            found = list[bytes]()
            while b"a" not in found:
                await patiently(lambda: _take(three, found))

    asyncio.run(within())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"storage": "memory"}, "has storage memory, and needs file"),
        ({"discard": "old"}, "has discard old, and needs new"),
        ({"subjects": ["amends.>"]}, "has subjects"),
        ({"no_ack": True}, "has no_ack"),
        ({"persist_mode": "async"}, "persist_mode async"),
    ],
)
def test_a_stream_that_loses_what_it_took_is_refused(server: NatsServer, wrong: dict[str, Any], said: str) -> None:
    """By the name of the setting."""

    async def within() -> None:
        async with jetstream(server) as streams, ends(server, 1) as (one,):
            right = {"name": "amends", "subjects": ["amends.*"], "storage": "file", "discard": "new"}
            await streams.add_stream(StreamConfig(**{**right, **wrong}))
            with pytest.raises(WireUnusable, match=said) as raised:
                await one.post(CHANNEL, [b"x"])
            assert not isinstance(raised.value, WireAway)

    asyncio.run(within())


def test_a_server_without_room_for_a_stream_is_told(server: NatsServer) -> None:
    """It keeps free what a stream may take; a second wire finds nothing left."""

    async def within() -> None:
        wire = NatsWire(nats_address(f"{server.url}&stream=second"))
        async with ends(server, 1) as (one,):
            await one.post(CHANNEL, [b"x"])
            with pytest.raises(
                WireUnusable, match="the server has no 1073741824 bytes for 'second_parked': see max_file_store"
            ):
                await wire.post(CHANNEL, [b"x"])
        await wire.close()

    asyncio.run(within())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://", "give nats://host:port"),
        ("nats://host:port", "it is no address"),
        ("nats://me:secret@host?strem=x", "give nats://host:port"),
        ("nats://me:secret@host?stream=a.b", "stream='a.b' is no name"),
        ("nats://host/path", "give nats://host:port"),
    ],
)
def test_an_address_that_is_none_is_told(url: str, said: str) -> None:
    """In one line, without its password."""
    with pytest.raises(WireUnusable, match=said) as raised:
        nats_address(url)
    assert "secret" not in str(raised.value)


def test_a_channel_has_a_part_of_a_subject_for_itself() -> None:
    """Plain names stand for themselves."""
    assert token_of("PAYMENT") == "PAYMENT"
    assert token_of(">ä.1") == "=3E=C3=A4=2E1"
    assert len(token_of("ä" * 100)) == len(token_of("ö" * 100)) == 64
    assert token_of("ä" * 100) != token_of("ö" * 100)
