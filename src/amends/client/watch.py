"""What the callers of a client wait for, and the looks at the store that tell when it is there.

A look is for all callers at once. It comes when a wake-up does, and without one after pauses that grow: so what was
written is found in any case, and a client in which no caller waits does not look at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from amends.engine.waiters import Waiters
from amends.errors import EngineStopped
from amends.storage.ports import Records
from amends.storage.rows import FINAL, NEEDS_OPERATOR, KeyRow, SagaRow, Unreadable

FIRST_PAUSE_S: Final = 0.005  # between the first looks, where nothing wakes the client: some commits to a disk
LAST_PAUSE_S: Final = 0.5  # between looks in the long run: what a person does not wait for

Row = KeyRow | SagaRow | Unreadable | None


class Subject(NamedTuple):
    """What is waited for.

    Attributes:
        kind: ``key`` for the answer under a client key, ``saga`` for the end of a saga.
        name: the key, or the saga's id.
    """

    kind: str
    name: str

    def row_in(self, records: Records) -> tuple[bool, Row]:
        """Whether it need not be waited for any longer, and what is stored of it."""
        if self.kind == "key":
            key = records.key(self.name)
            return key is not None, key
        saga = records.saga(self.name)
        return not isinstance(saga, SagaRow) or saga.status in FINAL or saga.status == NEEDS_OPERATOR, saga


Look = Callable[[Sequence[Subject]], Awaitable[Sequence[tuple[bool, Row]]]]


class StoreWatch:
    """The callers that wait, by what they wait for."""

    def __init__(self, look: Look, is_woken: Callable[[], bool]) -> None:
        """Wait for nothing yet, in the event loop that runs.

        Args:
            look: reads what is stored of some subjects, as `Subject.row_in` does.
            is_woken: tries to be woken by an engine; whether one is there that does.
        """
        self._look = look
        self._is_woken = is_woken
        self._waiters = Waiters[Subject, Row]()
        self._news = asyncio.Event()
        self._closed = ""
        self._task = asyncio.create_task(self._run(), name="amends-client")

    async def wait(self, subject: Subject) -> Row:
        """What is stored of a subject, once it is there: of a saga once it is over, or needs an operator, or is gone.

        Raises:
            StoreError, StoreUnusable: the store cannot be read.
            EngineStopped: nothing is waited for any more.
        """
        if self._closed:
            raise EngineStopped(self._closed)
        with self._waiters.waiter(subject) as waiter:
            self._news.set()
            return await waiter

    def look_soon(self) -> None:
        """Look now: something was written."""
        self._news.set()

    async def close(self, reason: str) -> None:
        """Wait for nothing any more, and tell the callers that still do.

        Args:
            reason: why.
        """
        self._closed = reason
        self._task.cancel()
        await asyncio.wait([self._task])
        self._fail(EngineStopped(reason))

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            if self._waiters:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._news.wait()
            else:
                await self._news.wait()
            is_news = self._news.is_set()
            self._news.clear()
            try:
                first_s = LAST_PAUSE_S if self._is_woken() else FIRST_PAUSE_S
                pause_s = first_s if is_news else min(max(2 * pause_s, first_s), LAST_PAUSE_S)
                await self._look_once([*self._waiters])
            except Exception as error:  # noqa: BLE001 - it is told to each caller, and none is left for whom to try again
                self._fail(error)

    async def _look_once(self, subjects: Sequence[Subject]) -> None:
        found = await self._look(subjects) if subjects else ()
        for subject, (is_there, row) in zip(subjects, found, strict=True):
            for waiter in self._waiters.waiting(subject) if is_there else ():
                waiter.set_result(row)

    def _fail(self, error: Exception) -> None:
        for subject in [*self._waiters]:
            self._waiters.fail(subject, error)
