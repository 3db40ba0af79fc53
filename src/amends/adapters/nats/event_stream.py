"""Events in a stream of NATS JetStream, with how far each source was: they are published together (docs/events.md).

That is one atomic batch of the server: all of its messages are stored, or none. How far a chain was is a message on a
subject of its own, which replaces the one before; it names the sequence of that, so that of two publishers one is told.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from amends.adapters.nats.address import NatsAddress, nats_address, token_of
from amends.adapters.nats.connection import ANSWER_S, Connected, connected, line_of
from amends.adapters.nats.durability import Durability
from amends.adapters.nats.streams import expect_server, of_events
from amends.engine.loop_thread import LoopThread
from amends.engine.names import new_name
from amends.errors import StoreBusy, StoreConflict, StoreFailed, WireAway
from amends.events.cloud_events import CloudEvent
from amends.storage.rows import Head

EVENTS_STREAM: Final = "amends_events"
"""Where an address names none: a wire at the same server has another one."""
BATCH_MAX: Final = 1_000  # messages: as many as a server takes
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024  # which a server holds in memory until the last one is there
HEADERS_BYTES_MAX: Final = 4 * 1024  # of one message, beside its body: names of ours, of at most some hundred letters
BATCH_NAME_LENGTH: Final = 20  # 100 bits: none has had it
UNNAMED: Final = "="  # of the chain without a name: no name has that token
DUPLICATE: Final = 10_201  # JSAtomicPublishContainsDuplicateMessageErr of the server
FASTER: Final = 10_071  # JSStreamWrongLastSequenceErrF
CLOSED: Final = "the stream of events is closed"
ROLLUP: Final = "Nats-Rollup"  # what takes the place of all messages of its subject
AS_EVENT: Final = {"Content-Type": "application/cloudevents+json"}

Answer = TypeVar("Answer")


class _Cursor(msgspec.Struct):
    chain: str
    number: int
    head: str


class _Fault(msgspec.Struct):
    err_code: int
    description: str = ""


class _BatchAnswer(msgspec.Struct):
    seq: int = 0
    error: _Fault | None = None


class OutgoingMessage(NamedTuple):
    """What is published.

    Attributes:
        subject: where.
        body: of it.
        headers: beside those of the batch.
    """

    subject: str
    body: bytes
    headers: dict[str, str]


class NatsEventStream:
    """See `amends.events.publishing.EventSink`."""

    def __init__(self, address: NatsAddress) -> None:
        """Connect to it; it is made where it is not there.

        Raises:
            WireAway: no connection can be had now.
            WireUnusable: what is there is no such stream, or the server is not set as it has to be.
        """
        self._address = address
        self._settings = Durability(address, of_events(address))
        self._sequences: dict[str, int] = {}  # of the cursors, by their subjects, as far as they are known
        self._is_expected = False
        self._thread = LoopThread("amends-events", CLOSED)
        self._thread.begin(self._open())

    def cursor(self, source: str) -> dict[str, Head]:
        """How far a source is published.

        Raises:
            StoreError: it cannot be read now.
        """
        return self._do(self._cursor(source))

    def append(
        self,
        source: str,
        events: Sequence[CloudEvent],
        since: Mapping[str, int],  # noqa: ARG002 - the sequences of the cursors say it
        cursor: Sequence[Head],
    ) -> None:
        """Add events, and how far their source is published with them: all of it, or nothing, up to 1 000 messages.

        Of more, a part may be there already when they are added again.

        Raises:
            StoreConflict: another publisher was faster.
            StoreBusy: whether it is added is not known; the cursor tells.
        """
        self._do(self._append(source, events, cursor))

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        if self._thread.is_open:
            self._thread.do(self._server.client.close())
            self._thread.end()

    def _do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return self._thread.do(what)
        except WireAway as error:
            raise StoreBusy(str(error)) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise StoreBusy(f"{self._address}: the server is away: {line_of(error)}") from error

    # In the thread ----------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        async def forget() -> None:
            self._is_expected = False
            self._settings.forget()

        self._server = await connected(self._address, forget)
        try:
            await self._expect()
        except (NatsError, OSError, TimeoutError) as error:
            await self._server.client.close()
            raise WireAway(f"{self._address}: the server is away: {line_of(error)}") from error
        except BaseException:
            await self._server.client.close()
            raise

    async def _expect(self) -> Connected:
        """See that the server is there, and set as it has to be.

        Raises:
            WireAway: it is not there now.
            WireUnusable: it is not set so.
        """
        if not self._server.client.is_connected:
            raise WireAway(f"{self._address}: the server is away")
        if not self._is_expected:
            await expect_server(self._server.client, self._server.streams, self._address)
            await self._settings.read(self._server.streams)
            self._is_expected = True
        return self._server

    async def _cursor(self, source: str) -> dict[str, Head]:
        streams = (await self._expect()).streams
        self._is_expected = False  # the stream is looked at with each cursor
        await self._expect()
        found, stream = dict[str, Head](), self._address.stream
        self._sequences.clear()
        told = (await streams.stream_info(stream, subjects_filter=self._place(source, "*"))).state.subjects or {}
        for subject in told:
            try:
                last = await streams.get_last_msg(stream, subject)
            except NotFoundError:  # somebody has removed it meanwhile
                continue
            self._sequences[subject] = last.seq or 0
            try:
                each = msgspec.json.decode(last.data or b"", type=_Cursor)
                found[each.chain] = Head(each.number, bytes.fromhex(each.head), 0, each.chain)
            except (msgspec.MsgspecError, ValueError) as error:
                raise StoreFailed(
                    f"{self._address}: the last message of {subject} does not say how far events are published, and is "
                    f"none of Amends: remove it, and they come again ({error})"
                ) from error
        return found

    async def _append(self, source: str, events: Sequence[CloudEvent], cursor: Sequence[Head]) -> None:
        client = (await self._expect()).client
        messages = [self._message(event, client.max_payload - HEADERS_BYTES_MAX) for event in events]
        messages += [self._moved(source, head) for head in cursor]
        for batch in _batches(messages):
            await self._publish(batch)

    async def _publish(self, batch: Sequence[OutgoingMessage]) -> None:
        """Publish messages, all of them or none; what is there already was stored in this order, and is left out.

        Raises:
            StoreConflict: another publisher was faster.
            StoreBusy: the server does not take them now.
        """
        answer = await self._asked(batch)
        code = answer.error.err_code if answer.error else 0
        if code == DUPLICATE:
            for message in batch if len(batch) > 1 else ():
                await self._publish([message])
        elif code == FASTER:
            raise StoreConflict("another publisher was faster")
        elif answer.error:
            raise StoreBusy(f"{self._address}: the server takes no events now: {answer.error.description}")
        else:
            for place, message in enumerate(reversed(batch)):
                if ROLLUP in message.headers:
                    self._sequences[message.subject] = answer.seq - place

    async def _asked(self, batch: Sequence[OutgoingMessage]) -> _BatchAnswer:
        client, name = self._server.client, new_name(BATCH_NAME_LENGTH)
        for number, (subject, body, headers) in enumerate(batch, 1):
            of_batch = {**headers, "Nats-Batch-Id": name, "Nats-Batch-Sequence": str(number)}
            if number < len(batch):
                await client.publish(subject, body, headers=of_batch)
                continue
            of_batch["Nats-Batch-Commit"] = "1"
            answer = await client.request(subject, body, timeout=ANSWER_S, headers=of_batch)
        return msgspec.json.decode(answer.data, type=_BatchAnswer)

    def _message(self, event: CloudEvent, bytes_max: int) -> OutgoingMessage:
        body = event.as_json()
        if len(body) > bytes_max:  # no server takes it, and none that follow may wait for it
            left = {name: value for name, value in event.data.items() if name not in ("value", "why")}
            body = msgspec.structs.replace(event, data=left | {"left_out": len(body)}).as_json()
        subject = f"{self._address.stream}.{event.type.removeprefix('amends.')}"
        return OutgoingMessage(subject, body, {**AS_EVENT, "Nats-Msg-Id": token_of(f"{event.source} {event.id}")})

    def _moved(self, source: str, head: Head) -> OutgoingMessage:
        """How far a chain is published now, in the place of how far it was before."""
        subject = self._place(source, token_of(head.chain) or UNNAMED)
        expected = {"Nats-Expected-Last-Subject-Sequence": str(self._sequences.get(subject, 0)), ROLLUP: "sub"}
        return OutgoingMessage(
            subject, msgspec.json.encode(_Cursor(head.chain, head.number, head.head.hex())), expected
        )

    def _place(self, source: str, chain: str) -> str:
        """The subject of cursors: of the source, and of a chain."""
        return f"{self._address.stream}.cursor.{token_of(source)}.{chain}"


class NatsEventPlace:
    """A stream of events, or one that is to be; see `amends.events.publishing.EventPlace`.

    Attributes:
        shown: the URL without its password.
    """

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            WireUnusable: the URL is none of a NATS server.
        """
        self._address = nats_address(url, EVENTS_STREAM)
        self.shown = self._address.shown

    def sink(self) -> NatsEventStream:
        """What takes events there.

        Raises:
            WireUnusable: it cannot be had.
        """
        return NatsEventStream(self._address)


def _batches(messages: Sequence[OutgoingMessage]) -> Iterator[Sequence[OutgoingMessage]]:
    """Messages in parts, each of which a server takes at once."""
    batch, size = list[OutgoingMessage](), 0
    for message in messages:
        if batch and (len(batch) == BATCH_MAX or size + len(message.body) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.body)
    if batch:
        yield batch
