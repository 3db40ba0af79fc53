"""One turn on what is queued: what came of it goes out, what found no space waits for some; and the sleep after it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from amends.core.step import SagaInstance
from amends.core.waiting import SECOND_MS
from amends.engine.alarm import Alarm
from amends.engine.batch import BatchResult
from amends.engine.budgets import Budgets
from amends.engine.calls import Calls
from amends.engine.ends import Ends
from amends.engine.hooks import HookCaller
from amends.engine.late_undos import LateUndos
from amends.engine.logger import log
from amends.engine.metering import meter
from amends.engine.queue import QueuedTask, TaskQueue
from amends.engine.report import log_result
from amends.engine.task import Unfinished
from amends.engine.tasks import Read
from amends.engine.turn_thread import TurnThread
from amends.errors import StoreBusy, StoreConflict, StoreFull
from amends.metrics import MetricFamily
from amends.storage.rows import NEVER

SLICE_S: Final = 5.0  # a sleeping loop looks at the clock as often: timers stand still in a suspended machine
REST_LOOK_S: Final = 0.001  # between two looks at whether it rests: a test lets it rest a thousand times
SPACE_PAUSE_S: Final = 1.0  # before what must not be lost is tried again on a full disk, or without a server
FIRST_PAUSE_S: Final = 0.05  # the same at first, which doubles: a connection that was lost is there again at once


class TurnTaking:
    """Takes the turns of an engine, and tells those who wait for them.

    Attributes:
        due_ms: when a saga is due next, milliseconds since 1970 (UTC); ``None`` for never.
        budgets: what the engine has of limits for all engines together.
    """

    def __init__(
        self,
        turns: TurnThread,
        queue: TaskQueue,
        alarm: Alarm,
        calls: Calls,
        ends: Ends,
        late_undos: LateUndos,
        hooks: HookCaller,
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
            hooks: what the program wants to hear.
            is_ending: whether the engine takes nothing new any more.
        """
        self._turns = turns
        self._queue = queue
        queue.is_shared = is_shared = turns.coordinator.shards.are_shared
        self._alarm = alarm
        self._calls = calls
        self._ends = ends
        self._late_undos = late_undos
        self._hooks = hooks
        self._is_ending = is_ending
        self.due_ms: int | None = None
        self.budgets = Budgets(turns.lease.engine, calls.budgets(), is_shared=is_shared)
        self._is_asleep = False
        meter(calls.measures, self)
        self._told = ""  # of a store that takes nothing for now
        self._pause_s = FIRST_PAUSE_S

    def figures(self) -> Sequence[MetricFamily]:
        """What was done, and how it stands; from any thread."""
        return (*self._calls.figures(len(self._queue)),)

    async def take(self, batch: list[QueuedTask]) -> None:
        """Take one, and give out what came of it.

        Raises:
            StoreError: the store failed, or there is no space for what must not be lost, and the engine is to end.
        """
        try:
            self._calls.fill()
            await self._share_places()
            began_s = time.monotonic()
            asked = sum(queued.task.size for queued in batch if queued.reply is not None)
            result = await self._turns.take([queued.task for queued in batch], asked)
        except (StoreFull, StoreBusy) as full:
            await self._wait_for_space(batch, full)
            return
        except StoreConflict:  # of a shared store, which ended the turn while it read: nothing was written
            self._queue.put_back(batch)
            self.due_ms = self._turns.clock.now_ms()
            return
        except BaseException:
            self._queue.put_back(batch)  # each client that waits is told why
            raise
        self.due_ms, self._told, self._pause_s = result.due_ms, "", FIRST_PAUSE_S
        self._calls.measures.turned(result, time.monotonic() - began_s)
        self._give_out(batch, result)
        await self._turns.warn(self._alarm.sound(self._calls.blocked()))

    async def sleep(self, is_drained: Callable[[], bool]) -> None:
        """Until something arrives or is due, by the clock: timers stand still while the machine is suspended.

        Args:
            is_drained: whether no more is to arrive.
        """
        arrived = self._queue.arrived
        arrived.clear()
        while not (is_drained() or self._queue or arrived.is_set()):
            pause_ms = self._pause_ms()
            if pause_ms <= 0:
                await asyncio.sleep(0)  # callers who were answered just now ask before clients of other processes
                return
            self._calls.fill()
            pause_ms = min(pause_ms, self._until(self._calls.next_ms))
            self._is_asleep = True
            with contextlib.suppress(TimeoutError):  # `wait_for` of Python 3.11 may lose a cancellation
                async with asyncio.timeout(min(pause_ms / SECOND_MS, SLICE_S)):
                    await arrived.wait()
            self._is_asleep = False

    async def rest(self, hangs_after_s: float) -> int | None:
        """Wait until all is done that is due, and every call has returned, or hangs; or the engine is to end.

        Args:
            hangs_after_s: a call that has not returned by then hangs. Seconds.

        Returns:
            When a saga is due next, or a rate lets a request go; milliseconds since 1970 (UTC), ``None`` for never.
        """
        self._turns.upkeep.look_soon()
        self._queue.arrived.set()
        until = time.monotonic() + hangs_after_s
        while not self._rests or (self._calls.are_under_way and time.monotonic() < until):
            if self._is_ending():
                break
            await asyncio.sleep(REST_LOOK_S)
        return min((at_ms for at_ms in (self.due_ms, self._calls.next_ms) if at_ms is not None), default=None)

    @property
    def _rests(self) -> bool:
        """Whether nothing is to be done before something arrives, or is due."""
        return self._is_asleep and not self._queue.arrived.is_set()

    def _pause_ms(self) -> int:
        """Until a saga is due, a step of keeping the shards or asking for places, or a look for letters."""
        until_ask_ms = self.budgets.next_ms() - self._turns.machine.elapsed_ms()
        return min(self._turns.upkeep.pause_ms(), until_ask_ms, self._until(self.due_ms))

    def _until(self, at_ms: int | None) -> int:
        return NEVER if at_ms is None else at_ms - self._turns.clock.now_ms()

    async def _share_places(self) -> None:
        """Ask for places of budgets, where it is time to."""
        if asks := self.budgets.asks(self._turns.machine.elapsed_ms()):
            with contextlib.suppress(StoreFull, StoreBusy, StoreConflict):  # it is asked again soon
                self.budgets.take(await self._turns.share_places(asks))

    def _give_out(self, batch: Sequence[QueuedTask], result: BatchResult) -> None:
        """Send the requests of a turn, and answer its tasks."""
        for queued, answer in zip(batch, result.replies, strict=True):
            if queued.position.parent:
                self._calls.traces.begin(_started_in(answer), queued.position)
        log_result(result, self._calls.traces)
        self._calls.take(result)
        self._ends.tell(result)
        self._hooks.tell(result)
        self._ends.leave(self._turns.coordinator.shards)
        if result.letters or result.posts or result.ended or result.needs_operator or result.immovable:
            self._turns.wakeup.ring(engines=bool(result.posts))
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
        except StoreBusy as away:  # of a database that is not there: nothing can be read either
            for queued in looks:
                self._queue.answer(queued, queued.task.stopped(away))
        else:
            for queued, answer in zip(looks, seen, strict=True):
                self._queue.answer(queued, answer)
        self._queue.put_back(kept)
        self.due_ms = self._turns.clock.now_ms()
        if self._is_ending():  # it is to end now: what is kept is asked again at the next start
            raise full
        if (kept or not batch) and self._told != str(full):  # else every caller was told
            self._told = str(full)
            log.error("%s; what participants answered is kept, and tried again", full)
        await asyncio.sleep(min(self._pause_s, SPACE_PAUSE_S))
        self._pause_s = min(2 * self._pause_s, SPACE_PAUSE_S)


def _started_in(answer: Any) -> list[str]:
    """The ids of the sagas that a task has started, by its answer."""
    begun = getattr(answer.task, "before", ()) if isinstance(answer, Unfinished) else answer
    return [each.saga_id for each in begun if isinstance(each, SagaInstance)] if isinstance(begun, list) else []
