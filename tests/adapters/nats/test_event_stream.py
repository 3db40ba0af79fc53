"""Events in a stream of NATS JetStream: of each saga in order, each once, with how far they were read."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from amends.adapters.memory import MemoryStore
from amends.adapters.nats import NatsEventPlace
from amends.adapters.nats.event_stream import NatsEventStream
from amends.errors import StoreBusy, StoreConflict, StoreFailed, WireUnusable
from amends.events.cloud_events import cloud_events
from amends.events.log import EventLog
from amends.events.publishing import Publication, published
from amends.storage.rows import Head
from tests.contract.rows import Writer, store_of
from tests.nats import NatsServer, nats_server

ONCE = Publication("/shop", is_live=False)


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Return a server of the test's own."""
    with nats_server() as server:
        yield server


@pytest.fixture
def stream(server: NatsServer) -> Iterator[NatsEventStream]:
    """Return a stream of events."""
    with closing(NatsEventPlace(server.url).sink()) as stream:
        yield stream


def asked(server: NatsServer, question: Any) -> Any:
    """Return what a client beside ours finds."""

    async def within() -> Any:
        client = await nats.connect(server.url)
        try:
            return await question(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(within())


def told(server: NatsServer, of: str = "saga.>") -> list[Any]:
    """Return the messages of a subject, in the order of the stream: subject, headers and body."""

    async def within(streams: JetStreamContext) -> list[Any]:
        found, number = list[Any](), 1
        while True:
            try:
                each = await streams.get_msg("amends_events", number, f"amends_events.{of}", next=True)
            except nats.js.errors.NotFoundError:
                return found
            found.append((each.subject, each.headers, json.loads(each.data or b"")))
            number = (each.seq or 0) + 1

    return list(asked(server, within))


def ids(server: NatsServer) -> list[str]:
    """Return the ids of the events."""
    return [event["id"] for _, _, event in told(server)]


def test_events_lie_there_once_and_in_order(server: NatsServer, stream: NatsEventStream) -> None:
    """Each as the document that it is; a second publication adds what came since."""
    store = store_of(3)
    assert list(published(store, stream, ONCE)) == [3]
    assert list(published(store, stream, ONCE)) == []
    Writer(store)(subjects=["S0", 'S "\\\0\1 é'])
    assert list(published(store, stream, ONCE)) == [2]
    events = [each for block in EventLog(store, {}).blocks() for each in cloud_events(block, "/shop")]
    found = told(server)
    assert [event for _, _, event in found] == [json.loads(each.as_json()) for each in events]
    assert {subject for subject, _, _ in found} == {"amends_events.saga.started"}
    assert {headers["Content-Type"] for _, headers, _ in found} == {"application/cloudevents+json"}
    assert found[0][1]["Nats-Msg-Id"] == "=2Fshop=20S0=2F1"
    assert len(told(server, "cursor.>")) == 1


def test_each_source_has_a_cursor_of_its_own(server: NatsServer, stream: NatsEventStream) -> None:
    """With the hash of the block: by that an older copy of the store is known."""
    store = store_of(2)
    for source in ("/one", "/two"):
        assert list(published(store, stream, Publication(source, is_live=False))) == [2]
    assert stream.cursor("/one") == stream.cursor("/two") == {"": Head(2, store.head().head)}
    assert stream.cursor("/three") == {}
    other = MemoryStore()
    for _ in range(3):
        Writer(other)(subjects=["other"])
    with pytest.raises(StoreFailed, match="has another block 2"):
        list(published(other, stream, Publication("/one", is_live=False)))


def test_of_two_publishers_each_event_is_published_by_one(server: NatsServer, stream: NatsEventStream) -> None:
    """The one that comes late has written nothing, and begins anew."""
    store = store_of(5)
    with closing(NatsEventPlace(server.url).sink()) as slow:
        slow.cursor("/shop")
        Writer(store)(subjects=["S0"])
        assert sum(published(store, stream, ONCE)) == 6
        late = [each for block in EventLog(store_of(1), {}).blocks() for each in cloud_events(block, "/late")]
        with pytest.raises(StoreConflict, match="another publisher was faster"):
            slow.append("/shop", late, {"": 0}, [store.head()])
        assert sum(published(store, slow, ONCE)) == 0
    assert ids(server) == [f"S0/{number}" for number in range(1, 7)]


def test_many_publishers_at_once_double_nothing(
    server: NatsServer, stream: NatsEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor leave they anything out."""
    monkeypatch.setattr("amends.events.following.RECORDS_MAX", 4)
    store, counts = store_of(40), list[int]()

    def publish() -> None:
        with closing(NatsEventPlace(server.url).sink()) as sink:
            counts.extend(published(store, sink, ONCE))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(counts), ids(server)) == (40, [f"S0/{number}" for number in range(1, 41)])


def test_more_than_a_server_takes_at_once_goes_in_parts(
    server: NatsServer, stream: NatsEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one failed after others, those are known when they come again, and the order is as it was."""
    monkeypatch.setattr("amends.adapters.nats.event_stream.BATCH_MAX", 10)
    store, parts = store_of(5, each=10), list[int]()
    publish = stream._publish

    async def fails_once(batch: Any) -> None:
        parts.append(len(batch))
        if len(parts) == 3:
            raise StoreBusy("the server is away, says the test")
        await publish(batch)

    monkeypatch.setattr(stream, "_publish", fails_once)
    with pytest.raises(StoreBusy):
        list(published(store, stream, ONCE))
    assert len(ids(server)) == 20
    Writer(store)(subjects=["S3", "S1"])
    monkeypatch.setattr("amends.adapters.nats.event_stream.BATCH_MAX", 7)
    assert sum(published(store, stream, ONCE)) == 52
    found = ids(server)
    assert len(found) == len({*found}) == 52
    for place in range(10):
        of_one = [name for name in found if name.startswith(f"S{place}/")]
        assert of_one == [f"S{place}/{number}" for number in range(1, len(of_one) + 1)]


def test_by_bytes_it_goes_in_parts_too(
    server: NatsServer, stream: NatsEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server keeps a batch in its memory until all of it is there."""
    monkeypatch.setattr("amends.adapters.nats.event_stream.BATCH_BYTES_MAX", 1_000)
    assert sum(published(store_of(1, each=30), stream, ONCE)) == 30
    assert len(ids(server)) == 30


def test_an_event_that_no_server_takes_is_told_without_its_value(server: NatsServer, stream: NatsEventStream) -> None:
    """None behind it waits for it."""
    store = MemoryStore()
    block = next(EventLog(store_of(1), {}).blocks())
    (event,) = cloud_events(block, "/shop")
    large = msgspec.structs.replace(event, id="S0/0", data={"value": "x" * 2**20})
    stream.append("/shop", [large, event], {}, [store.head()])
    first, second = (event["data"] for _, _, event in told(server))
    assert "value" not in first
    assert first["left_out"] > 2**20
    assert "left_out" not in second


@pytest.mark.parametrize("purges", [True, False])
def test_a_stream_that_is_emptied_or_deleted_is_filled_anew(
    server: NatsServer, stream: NatsEventStream, purges: bool
) -> None:
    """Nothing is skipped, and nothing stands still: it begins at the beginning."""
    store = store_of(3)
    assert sum(published(store, stream, ONCE)) == 3

    async def harm(streams: JetStreamContext) -> None:
        await (streams.purge_stream("amends_events") if purges else streams.delete_stream("amends_events"))

    asked(server, harm)
    Writer(store)(subjects=["S0"])
    assert sum(published(store, stream, ONCE)) == 4
    if not purges:  # what is purged is known by its ids for two minutes more
        assert ids(server) == ["S0/1", "S0/2", "S0/3", "S0/4"]
    assert stream.cursor("/shop")[""].number == 4


def test_what_another_program_says_of_a_cursor_is_told(server: NatsServer, stream: NatsEventStream) -> None:
    """In one line, that says what to do."""
    list(published(store_of(1), stream, ONCE))

    async def harm(streams: JetStreamContext) -> None:
        await streams.publish("amends_events.cursor.=2Fshop.x", b"\xff")

    asked(server, harm)
    with pytest.raises(StoreFailed, match="remove it, and they come again"):
        stream.cursor("/shop")


def test_a_server_that_is_away_is_waited_for(server: NatsServer, stream: NatsEventStream) -> None:
    """It is told so, and goes on where it was."""
    store = store_of(2)
    assert sum(published(store, stream, ONCE)) == 2
    server.kill()
    with pytest.raises(StoreBusy, match="the server is away"):
        stream.cursor("/shop")
    with pytest.raises(WireUnusable, match="the server is away"):
        NatsEventPlace(server.url).sink()
    Writer(store)(subjects=["S0"])
    server.start()
    for _ in range(600):
        try:
            assert sum(published(store, stream, ONCE)) == 1
            break
        except StoreBusy:
            threading.Event().wait(0.05)
    assert ids(server) == ["S0/1", "S0/2", "S0/3"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"allow_atomic": False}, "has allow_atomic"),
        ({"max_age": 3600}, "has max_age 3600 s, and needs none"),
        ({"discard": "old"}, "has discard old, and needs new"),
    ],
)
def test_a_stream_that_cannot_keep_events_is_refused(server: NatsServer, wrong: dict[str, Any], said: str) -> None:
    """By the name of the setting."""
    right: dict[str, Any] = {
        "name": "amends_events", "subjects": ["amends_events.>"], "storage": "file", "discard": "new",
        "allow_atomic": True, "allow_rollup_hdrs": True,
    }  # fmt: skip

    async def make(streams: JetStreamContext) -> None:
        await streams.add_stream(StreamConfig(**{**right, **wrong}))

    asked(server, make)
    with pytest.raises(WireUnusable, match=said):
        NatsEventPlace(server.url).sink()


def test_a_full_stream_is_waited_for(server: NatsServer, stream: NatsEventStream) -> None:
    """Nothing is dropped, and it is told."""

    async def fill(streams: JetStreamContext) -> None:
        config = (await streams.stream_info("amends_events")).config
        config.max_msgs = 1
        await streams.update_stream(config)

    asked(server, fill)
    with pytest.raises(StoreBusy, match="takes no events now"):
        list(published(store_of(3), stream, ONCE))
    assert ids(server) == []
