"""The loop of an engine, on asyncio: tasks are queued, taken as one turn, and their answers and requests given out.

Each task that arrives is queued; one thread takes one turn at a time on what has been queued meanwhile. So a batch is
as large as the store is slow, nothing waits for a batch to fill, and the event loop stays free while a commit is on its
way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from amends.core.definition import Command, Saga
from amends.engine.alarm import Alarm
from amends.engine.calls import Calls
from amends.engine.coordinator import Coordinator
from amends.engine.ends import Ends
from amends.engine.health import EngineHealth
from amends.engine.home import OTHER_LOOP, Home
from amends.engine.hooks import NO_HOOKS, EventHooks, HookCaller
from amends.engine.late_undos import LateUndos
from amends.engine.limits import Limits
from amends.engine.logger import log
from amends.engine.queue import QueuedTask, TaskQueue
from amends.engine.relays import NO_RELAYS, Relays
from amends.engine.spread import ALL_HERE, Spread
from amends.engine.task import Task
from amends.engine.tracing import current_position
from amends.engine.turn_taking import TurnTaking
from amends.engine.turn_thread import TurnThread
from amends.engine.upcasting import NO_UPCASTS, Upcast
from amends.errors import EngineMisused, EngineStopped, LeaseLost, StoreError
from amends.metrics import MetricFamily
from amends.storage.codecs.sagas import definition_of
from amends.storage.ports import EngineClock, Records, Store
from amends.views.sagas import AsOf

CLOSED: Final = "the engine was closed; its sagas go on when it is opened again"

Answer = TypeVar("Answer")


class EngineLoop:
    """Takes turns on what arrives, until it is closed.

    Attributes:
        stopped: why nothing is taken any more, or yet; ``None`` while it runs.
        ends: the clients that wait for the end of a saga.
        late_undos: the operators that wait until what is owed is undone.
        calls: those of participants outside.
        health: looks how it does.
        coordinator: decides and commits; only the loop's own thread may call it.
        spread: what is asked elsewhere, and hosted for others.
        figures: gives what it did since it was opened, and how it stands, to any thread.
    """

    calls: Calls
    coordinator: Coordinator

    def __init__(  # noqa: PLR0913 - what `amends.open` is given
        self,
        store: Callable[[], Store],
        clock: Callable[[int], EngineClock],
        prefix: str,
        *,
        sagas: Iterable[Saga],
        commands: Iterable[Command],
        clients: Mapping[str, Any],
        limits: Limits,
        upcasts: Mapping[str, Upcast] = NO_UPCASTS,
        hooks: EventHooks = NO_HOOKS,
        leaves_orphans: bool = True,
        relays: Relays = NO_RELAYS,
        spread: Spread = ALL_HERE,
    ) -> None:
        """Open nothing yet.

        Args:
            store: opens the store.
            clock: gives the clock of a store that was written last at a time.
            prefix: the engine's name, which goes into the ids of its sagas; no engine before may have had it.
            sagas: the definitions, each version that may be under way.
            commands: those whose entities have types that no step tells.
            clients: by service, what its participants' functions get first.
            limits: how much is taken, done at a time, and waited for.
            upcasts: by service, what makes entities of today's type of those that are stored as another one.
            hooks: what the program wants to hear of its sagas.
            leaves_orphans: whether it opens where sagas wait whose definitions no engine knows.
            relays: of the outboxes from which letters come.
            spread: what is asked elsewhere, and hosted for others.
        """
        sagas = tuple(sagas)
        make = partial(
            Coordinator, sagas=sagas, commands=tuple(commands), elsewhere=spread.elsewhere, prefix=prefix,
            upcasts=upcasts, value_bytes_max=limits.value_bytes_max,
        )  # fmt: skip
        self.ends, self.late_undos = Ends(), LateUndos()
        self.stopped: EngineStopped | None = EngineStopped("the engine is not running; use it inside `async with`")
        knows = [*map(definition_of, sagas)]
        self._turns = TurnThread(store, clock, make, limits, name=prefix, knows=knows, leaves_orphans=leaves_orphans)
        self._queue = TaskQueue(limits.queue_max)
        self._hooks, self._relays, self.spread, self._name = HookCaller(hooks), relays, spread, prefix
        self._clients, self._limits, self._home, self._is_drained = clients, limits, Home(), False
        self.figures: Callable[[], Sequence[MetricFamily]] = tuple
        self._closing: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # Opening and closing --------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take over the store, and begin to take turns; see `Engine.__aenter__`."""
        self._home = Home()
        self._loop = asyncio.get_running_loop()
        async with self.spread.reached(self._name):
            await self._turns.open()
        self.coordinator, clock = self._turns.coordinator, self._turns.clock
        self._alarm, self.health = Alarm(clock, self.spread.trouble), EngineHealth(self._turns, self.spread)
        tell, lease_left_s = self.must_be_done, self._turns.upkeep.lease_left_s
        posting = self.spread.connect(self.coordinator, clock, tell, lease_left_s)
        self.calls = Calls(self._clients, self._limits, clock, self.coordinator.departed, tell, lease_left_s, posting)
        waiters = self.calls, self.ends, self.late_undos, self._hooks
        self._taking = TurnTaking(self._turns, self._queue, self._alarm, *waiters, lambda: self.stopped is not None)
        self.stopped, self.figures = None, self._taking.figures
        if not self._turns.wakeup.listen(self._loop, self.wake):
            self._turns.upkeep.look_often()
        self._hooks.open(self.look)
        self._relays.open(self.wake)
        self.spread.open(self.coordinator, self.calls, partial(self.call, waits=True), self.part_max)
        self._task = asyncio.create_task(self._run(), name="amends-engine")

    async def close(self, drain_s: float | None) -> None:
        """Give the store back; see `Engine.close`."""
        if not self._home.is_here or self._task is None:
            return
        if self.stopped is None:
            self.stopped = EngineStopped(CLOSED)
        if self._loop is not asyncio.get_running_loop():
            await self._close_from_elsewhere()
            return
        if self._closing is None:
            self._turns.upkeep.takes_letters = False
            pause_s = self._limits.drain_s if drain_s is None else drain_s
            self._closing = asyncio.create_task(self._close(self._task, pause_s))
        elif drain_s == 0:
            self.calls.hurry()
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            self.calls.hurry()
            raise

    async def _close(self, task: asyncio.Task[None], drain_s: float) -> None:
        try:
            await self.spread.drain()
            await self.calls.drain(drain_s)
            self._is_drained = True
            self._queue.arrived.set()
            await asyncio.wait([task])
            await self._turns.warn(self._alarm.end())
            await self.calls.close()
            await self._hooks.close(drain_s)
            await self._relays.close()
            await self.spread.close()
        except BaseException:  # the event loop itself ends
            self._is_drained = True
            self._turns.close_and_wait()
            raise
        await asyncio.wrap_future(self._turns.close(leaves=True))

    async def _close_from_elsewhere(self) -> None:
        """Give the store back once nothing runs any more that could."""
        if self._loop.is_running():
            raise EngineMisused(OTHER_LOOP)
        self._is_drained = True
        await asyncio.wrap_future(self._turns.close())

    async def end(self) -> str:
        """Wait until no turn is taken any more; why."""
        self._home.expect_process()
        if self._task is not None:
            await asyncio.wait([self._task])
        return str(self.stopped)

    @property
    def part_max(self) -> int:
        """How many sagas one task starts at most; of more there are several tasks."""
        return self._queue.part_max

    # What arrives ---------------------------------------------------------------------------------------------

    async def call(self, task: Task, *, waits: bool = False) -> Any:
        """Queue a task, and wait for its answer; a caller that stops waiting does not stop it.

        Args:
            task: what is to be done.
            waits: whether it is queued also where the queue is full.

        Raises:
            Overloaded: too much is waiting.
            EngineStopped, EngineMisused: as for `expect_caller`.
            Exception: the answer of the task, where that is one.
        """
        self.expect_caller()
        if not waits:
            self._queue.refuse_if_full(task)
        reply = self._loop.create_future()
        self._queue.put(QueuedTask(task, reply, current_position()))
        answer = await reply
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def look(self, look: Callable[[Records, AsOf], Answer]) -> Answer:
        """What a function gives, which reads what is stored, beside the turns.

        Raises:
            EngineStopped, EngineMisused: as for `expect_caller`.
        """
        self.expect_caller()
        return await self._turns.reading.look(look)

    def expect_caller(self) -> None:
        """See that a caller here can be answered.

        Raises:
            EngineStopped: no call is answered any more, or yet.
            EngineMisused: this is another process, or another event loop.
        """
        self._home.expect_process()
        self.expect_running()
        if asyncio.get_running_loop() is not self._loop:
            raise EngineMisused(OTHER_LOOP)

    def expect_running(self) -> None:
        """See that turns are taken.

        Raises:
            EngineStopped: they are not, any more or yet.
        """
        if self.stopped is not None:
            raise EngineStopped(str(self.stopped))

    def must_be_done(self, task: Task) -> None:
        """Queue a task for which no client waits, and which must not be lost, such as an answer."""
        if not self.spread.takes(task):
            self._queue.put(QueuedTask(task, None))

    def wake(self) -> None:
        """Take a turn now, and look for letters before it: a convenience, as they are looked for now and then."""
        self._turns.upkeep.look_soon()
        self._queue.arrived.set()

    def rest(self, hangs_after_s: float) -> int | None:
        """See `TurnTaking.rest`; from another thread than the loop's.

        Raises:
            EngineStopped: the engine has stopped meanwhile.
        """
        due_ms = asyncio.run_coroutine_threadsafe(self._taking.rest(hangs_after_s), self._loop).result()
        self.expect_running()
        return due_ms

    # Turns ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self._is_drained or self._queue:
                await self._taking.take(self._queue.take_batch())
                await self._taking.sleep(lambda: self._is_drained)
        except LeaseLost as error:
            self._turns.upkeep.fenced()
            log.exception("the engine stopped")
            self._refuse(EngineStopped(f"{error}; its sagas go on there, and this engine takes nothing more"))
        except StoreError as error:
            log.exception("the engine stopped")
            self._refuse(EngineStopped(f"the storage failed: {error}; nothing is answered before it is opened again"))
        except BaseException as error:
            self._refuse(EngineStopped(f"the engine stopped: {type(error).__name__}: {error}"))
            self._turns.close_and_wait()  # at the end of the event loop no one may be left to close the engine
            raise
        else:
            self._refuse(EngineStopped(str(self.stopped)))

    def _refuse(self, reason: EngineStopped) -> None:
        """No call is answered any more."""
        self.stopped = reason
        self._relays.end()
        self.spread.end()
        for queued in self._queue.take_all():
            self._queue.answer(queued, queued.task.stopped(EngineStopped(str(reason))))
        self.ends.refuse(reason)
