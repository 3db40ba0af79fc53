"""The streams and consumers of a wire: made where they are not, and looked at before they are used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import Final

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import BadRequestError, NotFoundError, ServerError, ServiceUnavailableError

from amends.adapters.nats.address import NatsAddress, token_of
from amends.errors import WireUnusable
from amends.storage.wire import MESSAGE_BYTES_MAX

OLDEST: Final = (2, 12, 3)
"""Of the server: the first that keeps a stream through the loss of one of its replicas (nats-server#7545)."""
KEPT_S: Final = 3_600.0
"""An hour, for which a message is there: who waits for longer has asked anew."""
BYTES_MAX: Final = 4 * 1024**3
"""Of all messages of that hour; then the server refuses more, and drops none that is unread."""
PARKED_MAX: Final = 1_000  # of each channel, the latest: more than a person reads
PARKED_BYTES_MAX: Final = 1024**3  # of all of them: 2 000 of the largest
PENDING_MAX: Final = 10_000  # messages of a channel that are taken and not acknowledged: a host takes some hundred
MATTERS: Final = ("subjects", "retention", "allow_atomic", "allow_rollup_hdrs")
"""Settings without which nothing works."""
REMOVE: Final = "remove the stream, or name another one, ?stream=..."
TAKEN: Final = 10_065  # JSStreamSubjectOverlapErr of the server
NO_ROOM: Final = 10_047  # JSStorageResourcesExceededErr of the server
IDLE_S: Final = 24 * 3_600.0
"""A day, after which a consumer that has no taker is gone: coordinators come and go."""


async def expect_server(client: Client, streams: JetStreamContext, address: NatsAddress) -> None:
    """See that a server can carry a wire.

    Raises:
        WireUnusable: it is too old, has no JetStream, or takes no message of our size.
    """
    version = client.connected_server_version
    if (version.major, version.minor, version.patch) < OLDEST:
        raise WireUnusable(
            f"{address}: the server has version {version}: at least {'.'.join(map(str, OLDEST))} is needed"
        )
    if client.max_payload < MESSAGE_BYTES_MAX:
        raise WireUnusable(
            f"{address}: the server's max_payload is {client.max_payload}: at least {MESSAGE_BYTES_MAX} is needed"
        )
    try:
        await streams.account_info()
    except ServiceUnavailableError as error:
        raise WireUnusable(
            f"{address}: the server has no JetStream: `jetstream {{store_dir: ...}}` in its settings"
        ) from error


async def make_streams(
    streams: JetStreamContext, address: NatsAddress, wanted: Sequence[StreamConfig]
) -> Sequence[StreamInfo]:
    """Make streams, where they are not, and see that they are as they have to be.

    Args:
        streams: the server's.
        address: which says what is allowed for.
        wanted: how they have to be.

    Raises:
        WireUnusable: one is not; the setting is named.
    """
    infos = [await _made(streams, address, each) for each in wanted]
    for info, each in zip(infos, wanted, strict=True):
        for setting in _differences(info.config, each, MATTERS):
            raise WireUnusable(f"{address}: {setting}; {REMOVE}")
    expect_no_loss(address, [*losses_of(infos, wanted)])
    return infos


async def _made(streams: JetStreamContext, address: NatsAddress, wanted: StreamConfig) -> StreamInfo:
    try:
        return await streams.stream_info(str(wanted.name))
    except NotFoundError:
        if not address.is_made:
            raise WireUnusable(f"{address}: there is no stream {wanted.name!r}: who comes first makes it") from None
    try:
        await streams.add_stream(wanted)
        return await streams.stream_info(str(wanted.name))  # which says what server has it
    except (BadRequestError, ServerError) as error:
        if error.err_code == TAKEN:
            raise WireUnusable(f"{address}: another stream has subjects of {wanted.name!r}: {REMOVE}") from error
        if error.err_code != NO_ROOM:
            raise
        raise WireUnusable(
            f"{address}: the server has no {wanted.max_bytes} bytes for {wanted.name!r}: see max_file_store"
        ) from error


def losses_of(infos: Sequence[StreamInfo], wanted: Sequence[StreamConfig]) -> Iterator[str]:
    """What of the streams would lose messages that were taken, in words."""
    for info, each in zip(infos, wanted, strict=True):
        for loss in _losses(info.config, each):
            yield f"{loss}; {REMOVE}"


def expect_no_loss(address: NatsAddress, losses: Sequence[str]) -> None:
    """See that nothing is lost that an address does not allow for.

    Raises:
        WireUnusable: something is, and why.
    """
    if losses and not address.may_lose:
        raise WireUnusable(f"{address}: {losses[0]}; or, to run all the same, give the address ?durability=reduced")


async def make_consumer(streams: JetStreamContext, address: NatsAddress, channel: str, again_s: float) -> None:
    """Make the consumer of a channel, where it is not; one that gives other messages is made anew."""
    token = token_of(channel)
    wanted = ConsumerConfig(
        durable_name=token, filter_subject=f"{address.stream}.{token}", ack_policy=AckPolicy.EXPLICIT,
        ack_wait=again_s, max_deliver=-1, max_ack_pending=PENDING_MAX, inactive_threshold=IDLE_S,
    )  # fmt: skip
    try:
        info = await streams.add_consumer(address.stream, wanted)
    except (BadRequestError, ServerError):  # there is one that cannot be set so
        info = None
    if info is None or not is_ours(info.config, address, channel):
        with suppress(NotFoundError):
            await streams.delete_consumer(address.stream, token)
        await streams.add_consumer(address.stream, wanted)


def is_ours(config: ConsumerConfig, address: NatsAddress, channel: str) -> bool:
    """Whether a consumer gives the messages of a channel, whole, and each again that is not acknowledged."""
    is_whole = not (config.headers_only or config.deliver_subject or config.filter_subjects)
    is_repeated = _word(config.ack_policy) == AckPolicy.EXPLICIT.value and (config.max_deliver or -1) < 0
    return is_whole and is_repeated and config.filter_subject == f"{address.stream}.{token_of(channel)}"


def of_wire(address: NatsAddress) -> Sequence[StreamConfig]:
    """The streams of a wire: that of its messages, and that of those that are kept apart."""
    waiting = StreamConfig(
        name=address.stream, subjects=[f"{address.stream}.*"], retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE, discard=DiscardPolicy.NEW, max_age=KEPT_S, max_bytes=BYTES_MAX,
        num_replicas=address.replicas,
    )  # fmt: skip
    parked = StreamConfig(
        name=address.parked, subjects=[f"{address.parked}.*"], retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE, discard=DiscardPolicy.OLD, max_msgs_per_subject=PARKED_MAX,
        max_bytes=PARKED_BYTES_MAX, num_replicas=address.replicas,
    )  # fmt: skip
    return waiting, parked


def of_events(address: NatsAddress) -> Sequence[StreamConfig]:
    """The stream of events, with how far each source is published: that is never too old."""
    return (
        StreamConfig(
            name=address.stream, subjects=[f"{address.stream}.>"], retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE, discard=DiscardPolicy.NEW, num_replicas=address.replicas, allow_atomic=True,
            allow_rollup_hdrs=True,
        ),
    )  # fmt: skip


def _differences(found: StreamConfig, wanted: StreamConfig, settings: Sequence[str]) -> Iterator[str]:
    """What of a stream is set in another way than it has to be, in words."""
    for setting in settings:
        is_so, has_to_be = (_word(getattr(config, setting)) for config in (found, wanted))
        if is_so != has_to_be and getattr(wanted, setting):
            yield f"stream {found.name!r} has {setting} {is_so}, and needs {has_to_be}"


def _losses(found: StreamConfig, wanted: StreamConfig) -> Iterator[str]:
    """What of a stream would lose messages that were taken, in words."""
    yield from _differences(found, wanted, ("storage", "discard", "num_replicas", "max_msgs_per_subject"))
    if 0 < (found.max_age or 0) < (wanted.max_age or math.inf):
        needed = f"{wanted.max_age:g} s, or more" if wanted.max_age else "none"
        yield f"stream {found.name!r} has max_age {found.max_age:g} s, and needs {needed}"
    if found.sealed:
        yield f"stream {found.name!r} is sealed, and takes nothing"
    if found.no_ack:
        yield f"stream {found.name!r} has no_ack, and has to say what it has taken"
    if found.persist_mode == PersistMode.ASYNC:
        yield f"stream {found.name!r} has persist_mode async, by which it says so before it has"


def _word(value: object) -> str:
    """A setting as a server's tools show it."""
    return str(value.value if isinstance(value, Enum) else value)
