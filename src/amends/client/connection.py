"""A client's connection to a store in which engines run sagas: it reads, posts letters, and waits for what is written.

One thread reads and one posts, so that no look waits until a letter is on the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

from amends.client.posting import LetterPosting
from amends.client.watch import Row, StoreWatch, Subject
from amends.engine.home import Home
from amends.engine.looking import Answer
from amends.engine.thread import OneThread
from amends.errors import EngineMisused, EngineStopped
from amends.storage.letters import start_letter_of
from amends.storage.ports import ClientRecords, ClientStore
from amends.storage.rows import Letter
from amends.views.sagas import AsOf

CLOSED: Final = "the client was closed; what it posted is acted on all the same"
NOT_OPEN: Final = "the client is not open; use it inside `async with` or `with`"
OTHER_PROCESS: Final = (
    "this client was connected by process %d, and this is process %d, a child of it, in which nothing of it runs: ask "
    "process %d; or connect one here, after the fork; or use the blocking client, a plain `with amends.connect(...)`, "
    "which does so by itself"
)
OTHER_LOOP: Final = (
    "this client was opened in another event loop: await it there; connect one in each asyncio.run; or use the "
    "blocking client, a plain `with amends.connect(...)`, from whatever thread"
)

ClientLook = Callable[[ClientRecords, AsOf], Answer]
"""Reads what is stored, and who works at it, as it is at a moment."""


class StoreConnection:
    """The store, as it is asked from one event loop of one process."""

    def __init__(self, store: Callable[[], ClientStore]) -> None:
        """Open nothing yet.

        Args:
            store: opens the store, without an engine.
        """
        self._open_store = store
        self._closed: str | None = NOT_OPEN

    def open(self) -> None:
        """Open the store, for callers in the event loop that runs.

        Raises:
            StoreUnusable: no store can be there.
        """
        self._home, self._loop = Home(OTHER_PROCESS), asyncio.get_running_loop()
        self._store = self._open_store()
        self._reading = OneThread("amends-read")
        self._posting = LetterPosting(self._store.mailbox, self._store.wakeup.ring)
        self._watch = StoreWatch(self.rows_of, self._is_woken)
        self._is_woken()
        self._closed = None

    async def close(self) -> None:
        """Give the store back, and tell callers that wait. In a forked child it does nothing: it is the parent's.

        Letters that are posted just now are waited for: some five seconds, where another process keeps the mailbox
        locked. It may also be called once the client's own event loop has ended, and all that waited there.

        Raises:
            EngineMisused: the client's event loop runs, and is another one.
        """
        if self._closed is not None or not self._home.is_here:
            return
        has_ended = self._loop is not asyncio.get_running_loop()
        if has_ended and self._loop.is_running():
            raise EngineMisused(OTHER_LOOP)
        self._closed = CLOSED
        try:
            if not has_ended:
                await self._watch.close(CLOSED)
            self._store.wakeup.close()
            await self._posting.close(CLOSED, has_ended=has_ended)
            await self._reading.call(self._store.close)
        finally:
            self._reading.shutdown(wait=False)

    def expect_caller(self) -> None:
        """See that a caller here can be answered.

        Raises:
            EngineStopped: the client is not open.
            EngineMisused: this is another process, or another event loop.
        """
        self._expect_open()
        self._home.expect_process()
        if asyncio.get_running_loop() is not self._loop:
            raise EngineMisused(OTHER_LOOP)

    async def look(self, look: ClientLook[Answer]) -> Answer:
        """What a function gives, which reads what is stored.

        Raises:
            EngineStopped, EngineMisused: as for `expect_caller`.
        """
        self.expect_caller()
        seen: Answer = await self._read(self._seen, look)
        return seen

    async def look_apart(self, look: ClientLook[Answer]) -> Answer:
        """What a function gives that reads for long, on a connection and a thread of its own: no other look waits.

        Raises:
            EngineStopped, EngineMisused: as for `expect_caller`.
            StoreUnusable: there is no store that can be read.
        """
        self.expect_caller()
        return await asyncio.to_thread(self._seen_apart, look)

    async def rows_of(self, subjects: Sequence[Subject]) -> Sequence[tuple[bool, Row]]:
        """For each subject whether it need not be waited for any longer, and what is stored of it.

        Raises:
            EngineStopped: the client was closed meanwhile.
        """
        found: Sequence[tuple[bool, Row]] = await self._read(self._rows, subjects)
        return found

    async def standing(self, saga_id: str) -> Row | Letter:
        """What is stored of a saga; the letter that starts it, where it waits; ``None`` for neither."""
        subject = Subject("saga", saga_id)
        ((_, row),) = await self.rows_of([subject])
        letter: Letter | None = None if row else await self._read(self._letter_in_store, saga_id)
        if row is None and letter is None:
            letter = await self._posting.look(self._letter_of_client, saga_id)
        if letter:
            return letter
        if row is None:  # it may have been acted on between the two looks
            ((_, row),) = await self.rows_of([subject])
        return row

    async def post(self, letters: Sequence[Letter]) -> None:
        """Put letters into the mailbox; they are on stable storage then.

        Raises:
            Overloaded, StoreFull, StoreBusy, EngineStopped: nothing was posted; see `LetterPosting.post`.
        """
        if letters:
            await self._posting.post(letters)

    async def wait(self, subject: Subject) -> Row:
        """What is stored of a subject, once it is there; see `StoreWatch.wait`."""
        return await self._watch.wait(subject)

    async def _read(self, function: Callable[..., Any], *given: Any) -> Any:
        self._expect_open()
        return await self._reading.call(function, *given)

    def _expect_open(self) -> None:
        if self._closed is not None:
            raise EngineStopped(self._closed)

    def _is_woken(self) -> bool:
        return self._store.wakeup.listen(self._loop, self._watch.look_soon)

    # In the threads of the store ------------------------------------------------------------------------------

    def _seen(self, look: ClientLook[Answer]) -> Answer:
        return _looked(self._store, look)

    def _seen_apart(self, look: ClientLook[Answer]) -> Answer:
        with closing(self._open_store()) as store:
            return _looked(store, look)

    def _rows(self, subjects: Sequence[Subject]) -> Sequence[tuple[bool, Row]]:
        records = self._store.records()
        return [subject.row_in(records) for subject in subjects]

    def _letter_in_store(self, saga_id: str) -> Letter | None:
        """The letter that starts a saga which follows from another one, where it waits for an engine."""
        return start_letter_of(self._store.records(), saga_id)

    def _letter_of_client(self, saga_id: str) -> Letter | None:
        """The letter of a client that starts a saga, where it waits for an engine."""
        return start_letter_of(self._store.mailbox, saga_id)


def _looked(store: ClientStore, look: ClientLook[Answer]) -> Answer:
    records = store.records()
    return look(records, AsOf.of(records, now_ms()))


def now_ms() -> int:
    """The clock of clients, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
