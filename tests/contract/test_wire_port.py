"""What `amends.storage.wire.Wire` promises, whatever carries the messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from amends.errors import MessageTooBig, UnusableInput
from amends.storage.wire import MESSAGE_BYTES_MAX, Delivery, Wire
from tests.contract.brokers import BROKERS, Broker

BOUND_S = 60
CHANNEL = "PAYMENT"


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Return an empty broker, of each kind."""
    with BROKERS[request.param]() as broker:
        yield broker


@asynccontextmanager
async def ends(broker: Broker, number: int) -> AsyncIterator[list[Wire]]:
    """Give so many ends of a wire."""
    wires = [broker() for _ in range(number)]
    try:
        async with asyncio.timeout(BOUND_S):
            yield wires
    finally:
        for wire in wires:
            await wire.close()


def run(broker: Broker, number: int, said: Callable[..., Awaitable[None]]) -> None:
    """Let so many ends of a wire do something."""

    async def within() -> None:
        async with ends(broker, number) as wires:
            await said(*wires)

    asyncio.run(within())


async def taken(wire: Wire, number: int, channel: str = CHANNEL) -> list[Delivery]:
    """Take so many messages, and acknowledge them."""
    found: list[Delivery] = []
    while len(found) < number:
        some = await wire.take(channel, number - len(found))
        await wire.acknowledge(channel, some)
        found += some
    return found


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    """Return what they hold."""
    return [delivery.body for delivery in deliveries]


async def nothing_waits(wire: Wire, channel: str = CHANNEL) -> None:
    """See that nothing comes before what is posted now."""
    await wire.post(channel, [b"the last one"])
    assert bodies(await taken(wire, 1, channel)) == [b"the last one"]


def test_messages_come_as_they_were_posted(broker: Broker) -> None:
    """In that order, at most so many at once, of any bytes; none where none was posted."""

    async def said(one: Wire, two: Wire) -> None:
        await one.post(CHANNEL, [])
        posted = [b"", b'{"a": "\xc3\xa4"}', bytes(range(256)), b"x" * MESSAGE_BYTES_MAX]
        await one.post(CHANNEL, posted[:3])
        await one.post(CHANNEL, posted[3:])
        first = await two.take(CHANNEL, 3)
        rest = await two.take(CHANNEL, 3)
        assert bodies([*first, *rest]) == posted
        assert len(rest) == 1
        await two.acknowledge(CHANNEL, [*first, *rest])
        await two.acknowledge(CHANNEL, [])
        await nothing_waits(two)

    run(broker, 2, said)


def test_a_channel_is_apart_from_others(broker: Broker) -> None:
    """That of a service, and that of a coordinator of the same name."""

    async def said(one: Wire, two: Wire) -> None:
        for channel in (CHANNEL, f">{CHANNEL}", "payment", "ä Ö"):
            await one.post(channel, [channel.encode()])
        for channel in ("ä Ö", "payment", f">{CHANNEL}", CHANNEL):
            assert bodies(await taken(two, 1, channel)) == [channel.encode()]

    run(broker, 2, said)


def test_each_message_comes_to_one_taker(broker: Broker) -> None:
    """Three compete, and each message is taken by one of them."""

    async def drain(wire: Wire, found: list[bytes], number: int) -> None:
        while len(found) < number:
            some = await wire.take(CHANNEL, 7)
            await wire.acknowledge(CHANNEL, some)
            found += bodies(some)

    async def said(*wires: Wire) -> None:
        posted, found = [b"%d" % number for number in range(200)], list[bytes]()
        takers = [asyncio.create_task(drain(wire, found, len(posted))) for wire in wires]
        for start in range(0, len(posted), 20):
            await wires[0].post(CHANNEL, posted[start : start + 20])
        await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
        for taker in takers:
            taker.cancel()
            with suppress(asyncio.CancelledError):
                await taker
        assert sorted(found) == sorted(posted)

    run(broker, 3, said)


def test_a_taker_waits_for_messages(broker: Broker) -> None:
    """And is woken by who posts; a wait that is cancelled loses nothing."""

    async def said(one: Wire, two: Wire) -> None:
        waiting = asyncio.create_task(two.take(CHANNEL, 5))
        await asyncio.sleep(0)
        await one.post(CHANNEL, [b"a"])
        await two.acknowledge(CHANNEL, await waiting)
        found = list[bytes]()
        for steps in range(20):
            waiting = asyncio.create_task(two.take(CHANNEL, 1))
            posting = asyncio.create_task(one.post(CHANNEL, [b"%d" % steps]))
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                some = await waiting
                await two.acknowledge(CHANNEL, some)
                found += bodies(some)
            await posting
        found += bodies(await taken(two, 20 - len(found)))
        assert sorted(found) == sorted(b"%d" % steps for steps in range(20))
        await nothing_waits(two)

    run(broker, 2, said)


def test_what_is_not_acknowledged_comes_again(broker: Broker) -> None:
    """To whoever takes, once who took it is gone; what was acknowledged does not."""

    async def said(one: Wire, two: Wire, three: Wire) -> None:
        await one.post(CHANNEL, [b"a", b"b", b"c", b"d"])
        first = await two.take(CHANNEL, 3)
        await two.acknowledge(CHANNEL, [first[1]])
        assert bodies(await taken(three, 1)) == [b"d"]
        await two.close()
        assert sorted(bodies(await taken(three, 2))) == [b"a", b"c"]
        await nothing_waits(three)

    run(broker, 3, said)


def test_a_message_that_nobody_can_act_on_is_kept_apart(broker: Broker) -> None:
    """With its reason, the oldest first; it blocks nothing behind it, and never comes again."""

    async def said(one: Wire, two: Wire) -> None:
        await one.post(CHANNEL, [b"\xff", b"good", b"{"])
        poison, good, more = await two.take(CHANNEL, 3)
        await two.park(CHANNEL, poison, "no JSON: \0 'ä'")
        await two.acknowledge(CHANNEL, [good])
        await two.park(CHANNEL, more, "too short")
        await two.close()
        await nothing_waits(one)
        parked = await one.parked(CHANNEL)
        assert [(each.body, each.reason) for each in parked] == [(b"\xff", "no JSON: \0 'ä'"), (b"{", "too short")]
        assert 0 < parked[0].at_ms <= parked[1].at_ms
        assert list(await one.parked("SHIPPING")) == []

    run(broker, 2, said)


def test_parked_messages_are_found_on_all_channels_and_dropped(broker: Broker) -> None:
    """One that is dropped already is no error."""

    async def said(one: Wire, two: Wire) -> None:
        channels = [CHANNEL, ">ä.1", "ö" * 90, CHANNEL]
        for channel in channels:
            await one.post(channel, [channel.encode()])
            (delivery,) = await two.take(channel, 1)
            await two.park(channel, delivery, f"of {channel}")
        found = await one.parked()
        assert [(each.channel, each.body) for each in found] == [(name, name.encode()) for name in channels]
        for _ in range(2):
            await one.drop(found[0])
        await one.drop(found[1])
        assert [*await two.parked()] == [*found[2:]]
        assert [*await two.parked(CHANNEL)] == [found[3]]

    run(broker, 2, said)


@pytest.mark.parametrize(
    ("channel", "messages", "error"),
    [
        ("a/b", [b"x"], UnusableInput),
        ("", [b"x"], UnusableInput),
        (CHANNEL, [b"x", b"x" * (MESSAGE_BYTES_MAX + 1)], MessageTooBig),
    ],
)
def test_what_cannot_be_posted_is_refused(
    broker: Broker, channel: str, messages: list[bytes], error: type[Exception]
) -> None:
    """None of it is posted."""

    async def said(one: Wire) -> None:
        with pytest.raises(error):
            await one.post(channel, messages)
        await nothing_waits(one)

    run(broker, 1, said)


def test_a_broker_that_is_there_answers_a_ping(broker: Broker) -> None:
    """Before anything else, and beside a take; no message comes of it."""

    async def said(one: Wire, two: Wire) -> None:
        await one.ping()
        taking = asyncio.create_task(two.take(CHANNEL, 1))
        await two.ping()
        await one.post(CHANNEL, [b"a"])
        assert bodies(await taking) == [b"a"]

    run(broker, 2, said)


def test_an_end_may_be_closed_twice(broker: Broker) -> None:
    """Also one that was never used."""

    async def said(one: Wire) -> None:
        await one.close()
        await one.close()

    run(broker, 1, said)


def test_it_says_what_a_message_survives(broker: Broker) -> None:
    """In a few words, of which the first is one of three."""

    async def said(one: Wire) -> None:
        found = await one.durability()
        assert found.startswith(("full", "none: "))
        assert "\n" not in found

    run(broker, 1, said)
