"""One turn on what is queued: what came of it goes out, and what found no space waits for some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from amends.engine.alarm import Alarm
from amends.engine.batch import BatchResult
from amends.engine.calls import Calls
from amends.engine.ends import Ends
from amends.engine.late_undos import LateUndos
from amends.engine.logger import log
from amends.engine.queue import QueuedTask, TaskQueue
from amends.engine.report import log_result
from amends.engine.task import Unfinished
from amends.engine.tasks import Read
from amends.engine.turn_thread import TurnThread
from amends.errors import StoreBusy, StoreConflict, StoreFull

SPACE_PAUSE_S: Final = 1.0  # before what must not be lost is tried again on a full disk


class TurnTaking:
    """Takes the turns of an engine, and tells those who wait for them."""

    def __init__(
        self,
        turns: TurnThread,
        queue: TaskQueue,
        alarm: Alarm,
        calls: Calls,
        ends: Ends,
        late_undos: LateUndos,
        is_ending: Callable[[], bool],
    ) -> None:
        """Take none yet.

        Args:
            turns: carries them out.
            queue: of the tasks, to which those go back that are not done.
            alarm: of calls that do not end.
            calls: those of participants outside.
            ends: the clients that wait for the end of a saga.
            late_undos: the operators that wait until what is owed is undone.
            is_ending: whether the engine takes nothing new any more.
        """
        self._turns = turns
        self._queue = queue
        self._alarm = alarm
        self._calls = calls
        self._ends = ends
        self._late_undos = late_undos
        self._is_ending = is_ending
        self._due_ms: int | None = None

    async def take(self, batch: list[QueuedTask]) -> None:
        """Take one, and give out what came of it.

        Raises:
            StoreError: the store failed, or there is no space for what must not be lost, and the engine is to end.
        """
        try:
            result = await self._turns.take([queued.task for queued in batch])
        except (StoreFull, StoreBusy) as full:
            await self._wait_for_space(batch, full)
            return
        except StoreConflict:  # of a shared store, which ended the turn while it read: nothing was written
            self._queue.put_back(batch)
            self._due_ms = self._turns.clock.now_ms()
            return
        except BaseException:
            self._queue.put_back(batch)  # each client that waits is told why
            raise
        self._due_ms = result.due_ms
        self._give_out(batch, result)
        await self._turns.warn(self._alarm.sound(self._calls.blocked()))

    def pause_ms(self) -> int:
        """Until a saga is due, a step of keeping the shards, or a look for letters."""
        pause_ms = self._turns.upkeep.pause_ms()
        return pause_ms if self._due_ms is None else min(pause_ms, self._due_ms - self._turns.clock.now_ms())

    def _give_out(self, batch: Sequence[QueuedTask], result: BatchResult) -> None:
        """Send the requests of a turn, and answer its tasks."""
        self._calls.take(result)
        log_result(result)
        self._ends.tell(result)
        self._ends.leave(self._turns.coordinator.shards)
        if result.letters or result.ended or result.needs_operator or result.immovable:
            self._turns.wakeup.ring()
        left: list[QueuedTask] = []
        for queued, answer in zip(batch, result.replies, strict=True):
            if isinstance(answer, Unfinished):
                left.append(queued._replace(task=answer.task))
            else:
                self._late_undos.tell(queued.task)
                self._queue.answer(queued, answer)
        self._queue.put_back(left)

    async def _wait_for_space(self, batch: Sequence[QueuedTask], full: StoreFull | StoreBusy) -> None:
        """Refuse the requests of clients; keep the answers of participants until they can be written."""
        kept = [queued for queued in batch if queued.reply is None]
        looks = [queued for queued in batch if isinstance(queued.task, Read)]
        for queued in batch:
            if not isinstance(queued.task, Read) and queued.reply is not None and not queued.reply.done():
                queued.reply.set_result(queued.task.stopped(full))
        try:
            seen = await self._turns.look([queued.task for queued in looks])
        except StoreConflict:  # as it may end a turn
            kept += looks
        else:
            for queued, answer in zip(looks, seen, strict=True):
                self._queue.answer(queued, answer)
        self._queue.put_back(kept)
        self._due_ms = self._turns.clock.now_ms()
        if self._is_ending():  # it is to end now: what is kept is asked again at the next start
            raise full
        if kept or not batch:  # else every caller was told
            log.error("%s; what participants answered is kept, and tried again", full)
        await asyncio.sleep(SPACE_PAUSE_S)
