"""The queue of an engine: what arrives while a turn is taken waits here, up to a limit, and is the next turn.

What belongs to sagas that go back has a lane of its own, which comes first: an undo never waits behind new work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from amends.engine.logger import about, log
from amends.engine.task import Task
from amends.engine.tracing import UNTRACED, TracePosition
from amends.errors import Overloaded, StoreError
from amends.exceptions import raised

BATCH_MAX: Final = 3000  # sagas, commands or inputs in a turn: some 75 ms; a hot entity is read and written once in it
SHARED_BATCH_MAX: Final = 500
"""The same where engines share a store: each waits for what the other's turn has locked, and of a machine that is busy
an engine gets a tenth of a core; a turn that took as long as a lease would cost it its sagas. A turn of a thousand is
no faster a saga (docs/speed.md)."""


def batch_max(*, is_shared: bool) -> int:
    """How many sagas, commands or inputs a turn takes; fewer where engines share the store."""
    return SHARED_BATCH_MAX if is_shared else BATCH_MAX


class QueuedTask(NamedTuple):
    """A task in the queue.

    Attributes:
        task: what is to be done.
        reply: gets the answer; ``None`` where no client waits for one: then the task must not be lost.
        position: where the client is in a trace.
    """

    task: Task
    reply: asyncio.Future[Any] | None
    position: TracePosition = UNTRACED


class TaskQueue:
    """Tasks that wait for a turn, in order; those of sagas that go back before all others.

    Attributes:
        arrived: set when a task arrives; its reader clears it.
        is_shared: whether engines share the store.
    """

    def __init__(self, limit: int) -> None:
        """Nothing waits yet.

        Args:
            limit: how many sagas, commands or inputs of clients may wait, >= 1.
        """
        self.arrived = asyncio.Event()
        self.is_shared = False
        self._limit = limit
        self._amends: deque[QueuedTask] = deque()
        self._others: deque[QueuedTask] = deque()
        self._size = 0

    @property
    def part_max(self) -> int:
        """How large a task may be, so that it fits in a turn, and in the queue."""
        return min(self._batch_max, self._limit)

    @property
    def _batch_max(self) -> int:
        return batch_max(is_shared=self.is_shared)

    def __len__(self) -> int:
        """How many tasks wait."""
        return len(self._amends) + len(self._others)

    def refuse_if_full(self, task: Task) -> None:
        """Refuse a client's task that has no place any more.

        Raises:
            Overloaded: it has none.
        """
        if self._size + task.size > self._limit:
            raise Overloaded(
                f"{self._size} requests are waiting, which is as many as the engine takes; try again later"
            )

    def put(self, queued: QueuedTask) -> None:
        """Put a task last in its lane."""
        self._lane_of(queued).append(queued)
        self._size += queued.task.size
        self.arrived.set()

    def put_back(self, batch: Sequence[QueuedTask]) -> None:
        """Put tasks first that a turn did not carry out."""
        for queued in reversed(batch):
            self._lane_of(queued).appendleft(queued)
            self._size += queued.task.size

    def take_batch(self) -> list[QueuedTask]:
        """Take the first tasks: as many as a turn carries out, and one in any case."""
        batch: list[QueuedTask] = []
        size, most = 0, self._batch_max
        for lane in (self._amends, self._others):
            while lane and (not batch or size + lane[0].task.size <= most):
                batch.append(lane.popleft())
                size += batch[-1].task.size
        self._size -= size
        return batch

    def take_all(self) -> list[QueuedTask]:
        """Take every task that waits."""
        tasks = [*self._amends, *self._others]
        self._amends.clear()
        self._others.clear()
        self._size = 0
        return tasks

    def answer(self, queued: QueuedTask, answer: Any) -> None:
        """Answer a task that was taken; one that must not be lost is queued again where there was no space for it."""
        if queued.reply is not None:
            if not queued.reply.done():
                queued.reply.set_result(answer)
        elif isinstance(answer, StoreError):  # there was no space for it, though there was for what came before
            self.put(queued)
        elif isinstance(answer, Exception):
            log.warning("%s", raised(answer), extra=about("a task that no caller waits for was refused"))

    def _lane_of(self, queued: QueuedTask) -> deque[QueuedTask]:
        return self._amends if queued.task.goes_back else self._others
