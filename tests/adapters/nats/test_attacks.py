"""What others do to a wire in a NATS server: it costs time, is told, and stops nothing for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import NotFoundError

from amends.adapters.nats import NatsWire, nats_address
from amends.errors import WireAway, WireUnusable
from tests.nats import NatsServer, nats_server

BOUND_S = 60
CHANNEL = "PAYMENT"
DENIED = """
authorization {
  default_permissions { publish { deny: "amends.PAYMENT" } }
  users [ { user: a, password: b } ]
}
no_auth_user: a
"""


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Return a server of the test's own."""
    with nats_server() as server:
        yield server


def attack(server: NatsServer, harm: Callable[[JetStreamContext, NatsWire], Awaitable[None]]) -> None:
    """Do harm to a wire that is in use."""

    async def within() -> None:
        wire, client = NatsWire(nats_address(server.url), again_s=0.5, pull_s=0.2), await nats.connect(server.url)
        try:
            async with asyncio.timeout(BOUND_S):
                await wire.post(CHANNEL, [b"before"])
                await comes(wire, b"before")
                await harm(client.jetstream(), wire)
        finally:
            await wire.close()
            await client.close()

    asyncio.run(within())


async def comes(wire: NatsWire, body: bytes) -> list[bytes]:
    """Take until a message has come; give all that came."""
    found = list[bytes]()
    while body not in found:
        with suppress(WireAway):
            some = await wire.take(CHANNEL, 5)
            found += [delivery.body for delivery in some]
            await wire.acknowledge(CHANNEL, some)
    return found


async def until_posted(wire: NatsWire, body: bytes) -> None:
    """Post a message, once that is possible."""
    while True:
        try:
            return await wire.post(CHANNEL, [body])
        except WireUnusable:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "edited",
    [
        {"ack_policy": AckPolicy.NONE}, {"ack_policy": AckPolicy.ALL}, {"max_deliver": 1}, {"headers_only": True},
        {"filter_subject": "amends.OTHER"}, {"deliver_subject": "somewhere.else"},
    ],
)  # fmt: skip
def test_a_consumer_that_somebody_has_edited_is_made_anew(server: NatsServer, edited: dict[str, Any]) -> None:
    """It would lose messages, cut them off, or give none, for ever."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        await streams.delete_consumer("amends", CHANNEL)
        right = {"durable_name": CHANNEL, "filter_subject": f"amends.{CHANNEL}", "ack_policy": AckPolicy.EXPLICIT}
        await streams.add_consumer("amends", ConsumerConfig(**right | edited))
        await wire.post(CHANNEL, [b"after"])
        await comes(wire, b"after")
        taking = asyncio.create_task(wire.take(CHANNEL, 1))  # one that waits looks at what it waits for
        config = ConsumerConfig()
        while config.max_ack_pending != 10_000:
            with suppress(NotFoundError):  # between the old one and the new one
                config = (await streams.consumer_info("amends", CHANNEL)).config
            await asyncio.sleep(0.02)
        assert (config.ack_policy, config.filter_subject) == ("explicit", f"amends.{CHANNEL}")
        taking.cancel()

    attack(server, harm)


def test_a_filter_that_somebody_changes_in_place_is_seen(server: NatsServer) -> None:
    """No message waits then, as far as the consumer says."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        other = ConsumerConfig(durable_name=CHANNEL, filter_subject="amends.OTHER", ack_policy=AckPolicy.EXPLICIT)
        await streams.add_consumer("amends", other)
        await wire.post(CHANNEL, [b"after"])
        await comes(wire, b"after")

    attack(server, harm)


@pytest.mark.parametrize("status", ["100", "404", "408", "409", "503"])
def test_a_message_with_a_status_of_its_own_is_a_message(server: NatsServer, status: str) -> None:
    """It is no word of the server; it would come again for ever, and take what is taken with it."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        await streams.publish(f"amends.{CHANNEL}", b"foreign", headers={"Status": status, "Description": "x"})
        await wire.post(CHANNEL, [b"after"])
        assert await comes(wire, b"after") == [b"foreign", b"after"]

    attack(server, harm)


def test_a_stream_that_is_purged_takes_on(server: NatsServer) -> None:
    """What is posted afterwards comes."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        await wire.post(CHANNEL, [b"lost"])
        await streams.purge_stream("amends")
        await wire.post(CHANNEL, [b"after"])
        assert await comes(wire, b"after") == [b"after"]

    attack(server, harm)


def test_messages_larger_than_ours_come(server: NatsServer) -> None:
    """Hosts park them; none behind them waits."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        await streams.publish(f"amends.{CHANNEL}", b"x" * 1_000_000)
        await wire.post(CHANNEL, [b"after"])
        assert [len(body) for body in await comes(wire, b"after")] == [1_000_000, 5]

    attack(server, harm)


def test_a_stream_in_the_place_of_ours_is_told(server: NatsServer) -> None:
    """By what is wrong with it; once it is gone, all goes on."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        await streams.delete_stream("amends")
        await streams.add_stream(StreamConfig(name="foreign", subjects=["amends.>"]))
        with pytest.raises(WireUnusable, match="another stream has subjects of 'amends'"):
            await wire.post(CHANNEL, [b"x"])
        await streams.delete_stream("foreign")
        await until_posted(wire, b"after")
        await comes(wire, b"after")

    attack(server, harm)


def test_a_stream_that_is_sealed_or_full_is_told(server: NatsServer) -> None:
    """A full one takes on once there is room."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        config = (await streams.stream_info("amends")).config
        config.max_msgs = 1
        await streams.update_stream(config)
        with pytest.raises(WireAway, match=r"the server does not do it now: .*maximum messages"):
            await wire.post(CHANNEL, [b"x", b"y"])
        config.max_msgs = -1
        await streams.update_stream(config)
        await until_posted(wire, b"after")
        await comes(wire, b"after")
        config.sealed = True
        await streams.update_stream(config)
        with pytest.raises(WireUnusable, match="stream 'amends' is sealed"):
            await wire.post(CHANNEL, [b"x"])

    attack(server, harm)


def test_rights_that_are_taken_away_are_told(server: NatsServer) -> None:
    """By what the server says; given back, all goes on."""

    async def harm(_: JetStreamContext, wire: NatsWire) -> None:
        server.kill()
        server.more = DENIED
        await asyncio.to_thread(server.start)
        said = ""
        while 'the server said: nats: permissions violation for publish to "amends.payment"' not in said:
            with pytest.raises(WireAway) as raised:
                await wire.post(CHANNEL, [b"x"])
            said = str(raised.value)
        server.kill()
        server.more = ""
        await asyncio.to_thread(server.start)
        await until_posted(wire, b"after")
        await comes(wire, b"after")

    attack(server, harm)


def test_a_server_that_comes_back_without_jetstream_is_told(server: NatsServer) -> None:
    """And is used again once it has it, also with another folder of data."""

    async def harm(_: JetStreamContext, wire: NatsWire) -> None:
        server.kill()
        server.more = "jetstream: disabled"
        await asyncio.to_thread(server.start)
        said = ""
        while "the server has no JetStream" not in said:
            with pytest.raises(WireUnusable) as raised:
                await wire.post(CHANNEL, [b"x"])
            said = str(raised.value)
        server.kill()
        server.more = f'jetstream {{ store_dir: "{server.folder}/other", sync_interval: always, max_file_store: 9GB }}'
        await asyncio.to_thread(server.start)
        await until_posted(wire, b"after")
        await comes(wire, b"after")

    attack(server, harm)


def test_foreign_messages_among_those_that_are_parked_are_listed(server: NatsServer) -> None:
    """Whatever their headers say."""

    async def harm(streams: JetStreamContext, wire: NatsWire) -> None:
        for reason in ("no JSON", "[" * 20_000, "7", "{}"):
            await streams.publish("amends_parked.X", b"\xff", headers={"Amends-Reason": reason})
        await streams.publish("amends_parked.X", b"")
        assert [each.reason[:7] for each in await wire.parked()] == ["no JSON", "[" * 7, "7", "{}", ""]

    attack(server, harm)
