"""A wire in a stream of NATS JetStream; see `amends.storage.wire`.

The stream and its consumers are made where they are not there, and made anew where they are silent though messages
wait: what a server loses costs time only.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServerError

from amends.adapters.nats.address import NatsAddress, token_of
from amends.adapters.nats.connection import ANSWER_S, Connected, connected, line_of
from amends.adapters.nats.durability import Durability
from amends.adapters.nats.pulls import ConsumerGone, pull
from amends.adapters.nats.streams import PARKED_MAX, expect_server, is_ours, make_consumer, make_streams, of_wire
from amends.errors import WireAway
from amends.lines import SECOND_MS
from amends.storage.wire import AGAIN_S, Delivery, Parked, expect_channel, expect_size

PULL_S: Final = 2.0
"""For so long one pull waits; after each that found nothing one looks whether something waits all the same."""
SILENT_PULLS_MAX: Final = 2
"""So often a consumer may give nothing though messages wait; then it is made anew."""
CLOSED: Final = "the wire is closed"
NO_MESSAGE: Final = 10_057  # JSStreamMsgDeleteFailedF of the server
REASON: Final = "Amends-Reason"
CHANNEL: Final = "Amends-Channel"
ACKNOWLEDGED: Final = b"+ACK"
OVER: Final = b"+TERM"


class NatsWire:
    """The end of one coordinator or host, in the thread of one event loop."""

    def __init__(self, address: NatsAddress, *, again_s: float = AGAIN_S, pull_s: float = PULL_S) -> None:
        """Open nothing yet.

        Args:
            address: of the server, and the stream.
            again_s: what was taken and is not acknowledged comes again after so many seconds of the server's time, > 0;
                more where the work on one message takes longer.
            pull_s: for so many seconds one pull waits, > 0.
        """
        self._address, self._again_s, self._pull_s = address, again_s, pull_s
        self._server: Connected | None = None
        self._connecting = asyncio.Lock()
        self._consumers = set[str]()  # of channels: that are there, as far as is known
        self._silent: defaultdict[str, int] = defaultdict(
            int
        )  # pulls in a row that gave nothing though something waits
        self._untaken: defaultdict[str, list[Delivery]] = defaultdict(list)  # of takes that were cancelled
        self._settings = Durability(address, of_wire(address))
        self._durability = ""  # empty where it is to be read anew
        self._is_closed = False

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Publish messages, and wait until the stream has them.

        Raises:
            MessageTooBig, UnusableInput: none was.
            WireAway: whether they were is not known.
            WireUnusable: there is no wire that this one can use.
        """
        expect_channel(channel)
        expect_size(messages)
        await asyncio.gather(*(self._publish(self._address.stream, channel, message) for message in messages))

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Wait for messages, and take some.

        Raises:
            WireAway: take again, later.
            WireUnusable: there is no wire that this one can use.
        """
        expect_channel(channel)
        while True:
            if untaken := self._untaken[channel]:
                self._untaken[channel] = untaken[most:]
                return untaken[:most]
            taking = asyncio.ensure_future(self._pulled(channel, most))
            try:
                if found := await asyncio.shield(taking):
                    return found
            except asyncio.CancelledError:
                taking.add_done_callback(lambda done: self._keep(channel, done))
                raise

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002 - of the port
        """Let these come no more.

        Raises:
            WireAway: they may.
        """
        async with self._connected() as (client, *_):
            for delivery in deliveries:
                await client.publish(delivery.token, ACKNOWLEDGED)

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart, and let it come no more.

        Raises:
            WireAway: it may come again.
        """
        headers = {REASON: json.dumps(reason), CHANNEL: json.dumps(channel)}
        await self._publish(self._address.parked, channel, delivery.body, headers)
        async with self._connected() as (client, *_):
            await client.publish(delivery.token, OVER)

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """The latest of the messages that are kept apart, of a channel or of all, the oldest first.

        Raises:
            WireAway: they cannot be read now.
        """
        found: list[Parked] = []
        stream = self._address.parked
        async with self._connected() as (_, streams, _):
            last = (await streams.stream_info(stream)).state.last_seq
            subject = f"{stream}.{token_of(channel) if channel else '*'}"
            number = 1 if channel else max(1, last - PARKED_MAX + 1)
            while len(found) < PARKED_MAX:
                try:
                    each = await streams.get_msg(stream, number, subject, next=True)
                except NotFoundError:
                    break
                number = (each.seq or number) + 1
                found.append(_parked(each))
        return found

    async def drop(self, parked: Parked) -> None:
        """Keep a parked message no longer.

        Raises:
            WireAway: whether it is gone is not known.
        """
        async with self._connected() as (_, streams, _):
            try:
                await streams.delete_msg(self._address.parked, parked.number)
            except ServerError as error:
                if error.err_code != NO_MESSAGE:  # else it is gone already
                    raise

    async def ping(self) -> None:
        """See that the server has the stream, which is made anew where it is not there.

        Raises:
            WireAway: it does not answer.
            WireUnusable: there is no wire that this one can use.
        """
        async with self._connected() as (_, streams, _):
            await make_streams(streams, self._address, of_wire(self._address))

    async def durability(self) -> str:
        """What the settings of the server and the streams say.

        Raises:
            WireAway: that is not known now.
            WireUnusable: there is no wire that this one can use.
        """
        self._durability = ""
        async with self._connected():
            return self._durability

    async def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._is_closed = True
        async with self._connecting:
            server, self._server = self._server, None
        if server is not None:
            await server.client.close()

    # At the server --------------------------------------------------------------------------------------------

    async def _publish(self, stream: str, channel: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        subject = f"{stream}.{token_of(channel)}"
        async with self._connected() as (_, streams, _):
            try:
                await streams.publish(subject, body, timeout=ANSWER_S, stream=stream, headers=headers)
            except (APIError, NoStreamResponseError):  # somebody has removed it, or set it in another way
                await make_streams(streams, self._address, of_wire(self._address))
                await streams.publish(subject, body, timeout=ANSWER_S, stream=stream, headers=headers)

    async def _pulled(self, channel: str, most: int) -> Sequence[Delivery]:
        """What there is now, or comes within a pull's time."""
        async with self._connected() as (client, streams, _):
            if channel not in self._consumers:
                await make_consumer(streams, self._address, channel, self._again_s)
                self._consumers.add(channel)
            consumer = f"$JS.API.CONSUMER.MSG.NEXT.{self._address.stream}.{token_of(channel)}"
            try:
                found = await pull(client, consumer, most, self._pull_s)
            except ConsumerGone:
                await self._heal(streams, channel)
                return []
            if not found:
                await self._look(streams, channel)
            return [Delivery(message.data, message.reply) for message in found]

    async def _look(self, streams: JetStreamContext, channel: str) -> None:
        """Make a consumer anew that is silent though messages wait, is ahead of its stream, or gives other messages."""
        info = await streams.consumer_info(self._address.stream, token_of(channel))
        state = (await streams.stream_info(self._address.stream)).state
        is_ahead = info.delivered is not None and info.delivered.stream_seq > state.last_seq
        self._silent[channel] = self._silent[channel] + 1 if info.num_pending else 0
        is_another = not is_ours(info.config, self._address, channel)
        if is_ahead or is_another or self._silent[channel] > SILENT_PULLS_MAX:
            await streams.delete_consumer(self._address.stream, token_of(channel))
            await self._heal(streams, channel)

    async def _heal(self, streams: JetStreamContext, channel: str) -> None:
        """Make anew what is not there."""
        self._silent[channel] = 0
        self._consumers.discard(channel)
        await make_streams(streams, self._address, of_wire(self._address))

    def _keep(self, channel: str, done: asyncio.Future[Sequence[Delivery]]) -> None:
        if not done.cancelled() and not done.exception():
            self._untaken[channel] += done.result()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connected]:
        """The server's JetStream.

        Raises:
            WireAway: whether something was carried out is not known.
            WireUnusable: there is no wire that this one can use.
        """
        try:
            async with self._connecting:
                server = self._server or await self._connect()
                if not server.client.is_connected:
                    raise WireAway(f"{self._address}: the server is away")
                self._durability = self._durability or await self._expected(server)
            yield server
        except (NatsError, OSError, TimeoutError, asyncio.CancelledError) as error:
            if self._is_closed:  # by which the client ends what waits for an answer
                raise WireAway(f"{self._address}: {CLOSED}") from None
            if isinstance(error, asyncio.CancelledError):
                raise
            why = self._server.why(error) if self._server else line_of(error)
            is_there = isinstance(error, APIError)
            what = "the server does not do it now" if is_there else "the server is away"
            raise WireAway(f"{self._address}: {what}: {why}") from error

    async def _connect(self) -> Connected:
        if self._is_closed:
            raise WireAway(f"{self._address}: {CLOSED}")

        async def forget() -> None:
            self._durability = ""
            self._settings.forget()

        self._server = await connected(self._address, forget)
        return self._server

    async def _expected(self, server: Connected) -> str:
        """What messages survive at a server that can carry a wire.

        Raises:
            WireUnusable: it cannot, or not as it is set; which setting is told.
        """
        await expect_server(server.client, server.streams, self._address)
        return await self._settings.read(server.streams)


def _parked(found: RawStreamMsg) -> Parked:
    at_ms, headers = round(found.time.timestamp() * SECOND_MS) if found.time else 0, found.headers or {}
    return Parked(_text(headers, CHANNEL), found.seq or 0, found.data or b"", _text(headers, REASON), at_ms)


def _text(headers: dict[str, str], name: str) -> str:
    """What a header says in JSON; of a message that another program has put there, it may be anything."""
    try:
        return str(json.loads(headers.get(name, '""')))
    except (ValueError, RecursionError):
        return headers[name]
