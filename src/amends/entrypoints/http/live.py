"""What happens to sagas, live: one reader of the store for all who listen, and a bounded buffer for each of them.

A listener that is slower than what happens is told to look anew (``reset``), and is let go: no other waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from amends.client.client import Client
from amends.errors import AmendsError
from amends.events.cloud_events import cloud_events
from amends.events.log import EventBlock, EventLog
from amends.storage.ports import ClientRecords
from amends.storage.rows import Head

LOOK_S: Final = 0.2  # between two looks at the store while there is a listener: a person sees it as at once
HEARTBEAT_S: Final = 15.0  # proxies end what is silent for longer, most after a minute
BUFFER_BYTES: Final = 64 * 1024  # of one listener: some hundred events
BLOCKS_MAX: Final = 2_000  # commits that are read at once; who is further behind looks anew
LISTENERS_MAX: Final = 200  # of one process
RESET: Final = b"event: reset\ndata: {}\n\n"
BEAT: Final = b": \n\n"

Cursor = Mapping[str, Head]


class Told(NamedTuple):
    """What was read of a store.

    Attributes:
        cursor: behind it.
        messages: as server-sent events, in order.
        is_behind: whether more happened than is told one by one.
    """

    cursor: Cursor
    messages: Sequence[bytes]
    is_behind: bool


class Listener:
    """One who listens.

    Attributes:
        is_lost: whether it was too slow.
    """

    def __init__(self) -> None:
        self.is_lost = False
        self._waiting = deque[bytes]()
        self._bytes = 0
        self._woken = asyncio.Event()

    def tell(self, message: bytes) -> None:
        """Have it told; what is beyond its buffer, and all after that, it is not."""
        if self.is_lost:
            return
        if self._bytes + len(message) > BUFFER_BYTES:
            self.is_lost = True
        else:
            self._waiting.append(message)
            self._bytes += len(message)
        self._woken.set()

    def end(self) -> None:
        """Have it told nothing more."""
        self.is_lost = True
        self._woken.set()

    async def told(self) -> AsyncIterator[bytes]:
        """What it is told, until it is lost; a heartbeat where there is nothing."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                self._bytes -= len(message)
                yield message
            if self.is_lost:
                yield RESET
                return
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._woken.wait()
            if not self._woken.is_set():
                yield BEAT


class LiveEvents:
    """The events of a store, for all who listen."""

    def __init__(self, client: Client) -> None:
        """Read nothing yet: the store is looked at while there is a listener.

        Args:
            client: that reads.
        """
        self._client = client
        self._listeners = set[Listener]()
        self._reading: asyncio.Task[None] | None = None
        self._cursor: Cursor | None = None

    @property
    def is_full(self) -> bool:
        """Whether it has as many listeners as it takes."""
        return len(self._listeners) >= LISTENERS_MAX

    async def listen(self, last: str = "") -> AsyncIterator[bytes]:
        """What happens from now on; from an earlier event on, where its id is given.

        Args:
            last: the id of the last event that was heard; empty for none.
        """
        listener = Listener()
        self._listeners.add(listener)
        try:
            if self._reading is None or self._reading.done():
                self._cursor = None
                self._reading = asyncio.create_task(self._read(), name="amends-live")
            async for message in self._missed(last):
                yield message
            async for message in listener.told():
                yield message
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Let all go, as the process ends: each is told to look anew, which it does elsewhere, or later."""
        for listener in self._listeners:
            listener.end()

    async def _missed(self, last: str) -> AsyncIterator[bytes]:
        """What happened since an event; once more what happens while it is read."""
        yield BEAT
        cursor = cursor_of(last) if last else None
        if last and cursor is None:
            yield RESET
            return
        if cursor is None:
            return
        try:
            told = await self._client.connection.look_apart(lambda records, _: read_on(records, cursor))
        except AmendsError:
            yield RESET
            return
        for message in told.messages:
            yield message
        if told.is_behind:
            yield RESET

    async def _read(self) -> None:
        while self._listeners:
            with contextlib.suppress(AmendsError):  # the store is away: it is looked at again
                await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        cursor = self._cursor
        told = await self._client.connection.look(lambda records, _: read_on(records, cursor))
        self._cursor = told.cursor
        together = b"".join(told.messages)  # one message for each listener: what a look found is sent at once
        for listener in self._listeners:
            if together:
                listener.tell(together)
            if told.is_behind:
                listener.tell(RESET)


def read_on(records: ClientRecords, cursor: Cursor | None) -> Told:
    """What happened behind a cursor; from now on where there is none."""
    ends = records.block_numbers()
    now = {chain: Head(number, b"", 0, chain) for chain, number in ends.items()}
    if cursor is None:
        return Told(now, (), is_behind=False)
    behind = sum(max(number - cursor.get(chain, Head()).number, 0) for chain, number in ends.items())
    if behind > BLOCKS_MAX:
        return Told(now, (), is_behind=True)
    log = EventLog(records, cursor)
    messages = [message for block in log.blocks() for message in _messages(log, block)]
    return Told(dict(log.cursor), messages, is_behind=False)


def _messages(log: EventLog, block: EventBlock) -> Iterator[bytes]:
    """The events of a block; the last one has the id behind which the next block begins."""
    events = [event.as_json() for event in cloud_events(block, with_values=False)]
    for event in events[:-1]:
        yield b"data: " + event + b"\n\n"
    for event in events[-1:]:
        yield b"id: " + cursor_text(log.cursor).encode() + b"\ndata: " + event + b"\n\n"


def cursor_text(cursor: Cursor) -> str:
    """A cursor as the id of an event: of each chain its name and number."""
    return ",".join(f"{chain}:{head.number}" for chain, head in sorted(cursor.items()))


def cursor_of(text: str) -> Cursor | None:
    """The cursor of an id; ``None`` where it is none."""
    found = dict[str, Head]()
    for part in text.split(","):
        chain, colon, number = part.rpartition(":")
        if not (colon and number.isascii() and number.isdecimal() and len(number) <= len(str(2**63))):
            return None
        found[chain] = Head(int(number), b"", 0, chain)
    return found
