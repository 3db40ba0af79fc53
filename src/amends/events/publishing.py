"""Publishing events: they and how far they were read are written together, so that none is left out or doubled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from amends.errors import StoreBusy, StoreConflict
from amends.events import following
from amends.events.cloud_events import CloudEvent, cloud_events
from amends.events.following import followed
from amends.events.log import EventLog
from amends.storage.ports import Records
from amends.storage.rows import Head


class EventSink(Protocol):
    """Where events go that keeps how far it was."""

    def cursor(self, source: str) -> dict[str, Head]:
        """How far a source is published: each chain to the last block.

        Raises:
            StoreError: it cannot be read now.
        """

    def append(
        self, source: str, events: Sequence[CloudEvent], since: Mapping[str, int], cursor: Sequence[Head]
    ) -> None:
        """Add events, and how far their source is published with them: all of it, or nothing.

        Args:
            source: of the events.
            events: in their order.
            since: the chains that they are of, to the last block that was published before; 0 for none.
            cursor: the last block of each of these chains that is published with them.

        Raises:
            StoreConflict: another publisher was faster. Nothing is added.
            StoreBusy: whether it is added is not known; the cursor tells.
            StoreError: nothing is added.
        """

    def close(self) -> None:
        """Give everything back. A second call does nothing."""


class EventPlace(Protocol):
    """Where events can go.

    Attributes:
        shown: what to call it when talking to people.
    """

    shown: str

    def sink(self) -> EventSink:
        """What takes them there.

        Raises:
            UnusableInput: it cannot be had.
        """


class Publication(NamedTuple):
    """What is published, and as what.

    Attributes:
        source: of the events.
        is_live: whether it goes on for ever.
        with_values: whether requests, answers and reasons are in them.
    """

    source: str
    is_live: bool
    with_values: bool = True


def published(
    records: Records, sink: EventSink, wanted: Publication, busy: Callable[[str], None] = lambda _: None
) -> Iterator[int]:
    """Publish what is behind the sink's cursor; of several that do so at once, each event is published by one.

    Args:
        records: the store.
        sink: where events go.
        wanted: of what.
        busy: told why the store, or the sink, is away; nothing, where both went on.

    Returns:
        After each commit, how many events it added.

    Raises:
        StoreError: one of the two fails, or is away and it is not to go on for ever.
    """
    while True:
        try:
            yield from _published(records, sink, wanted, busy)
        except StoreConflict:
            continue  # another publisher has committed, so there is less to do
        except StoreBusy as error:
            if not wanted.is_live:
                raise
            busy(str(error))
            time.sleep(following.LOOK_EVERY_S)
        else:
            return


def _published(records: Records, sink: EventSink, wanted: Publication, busy: Callable[[str], None]) -> Iterator[int]:
    """The same until something is in the way."""
    cursor = sink.cursor(wanted.source)
    reached = {chain: head.number for chain, head in cursor.items()}
    for batch in followed(EventLog(records, cursor), is_live=wanted.is_live, busy=busy):
        moved = {block.head.chain: block.head for block in batch}
        events = [
            each for block in batch for each in cloud_events(block, wanted.source, with_values=wanted.with_values)
        ]
        sink.append(wanted.source, events, {chain: reached.get(chain, 0) for chain in moved}, [*moved.values()])
        reached |= {chain: head.number for chain, head in moved.items()}
        yield len(events)
