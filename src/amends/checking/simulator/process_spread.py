"""What one process does over a wire: the engine's own posting and hosting, on an event loop of the world."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from math import inf
from typing import Any, Final, Protocol

from amends.checking.simulator.environment import SECOND_MS, Process
from amends.checking.simulator.event_loop import SimulatedLoop
from amends.checking.simulator.interruptions import Interruptions
from amends.checking.simulator.process_shards import ProcessShards
from amends.checking.simulator.process_wire import ProcessWire
from amends.checking.simulator.storage import ProcessKilled
from amends.checking.simulator.surroundings import Surroundings
from amends.core.messages import Answered
from amends.engine.batch import BatchResult
from amends.engine.in_flight import AttemptId
from amends.engine.posting import Posting
from amends.engine.spread import OutsideCalls, Spread
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.tracing import Traces
from amends.storage.ports import Clock

PART_MAX: Final = 20  # requests that a task has at most: several tasks are needed, now and then


class SpreadProcess(Process, Clock, Protocol):
    """The process whose messages these are.

    Attributes:
        interruptions: what keeps it from going on.
        shards: those that it has of a shared database.
    """

    interruptions: Interruptions
    shards: ProcessShards | None

    def die(self, why: BaseException) -> None:
        """It is gone."""


class ProcessSpread:
    """The wire, as one process uses it."""

    def __init__(self, process: SpreadProcess, at: Surroundings) -> None:
        """Ask and hear nothing yet.

        Args:
            process: whose this is.
            at: where it runs.
        """
        self._process = process
        self._at = at
        world, is_skewed = at.world, at.world.chance.hit("skew", at.broker.skew)
        self._skew_s = world.setting.skew_s * (1, -1)[world.chance.below("skew", 2)] if is_skewed else 0.0
        self._loop = SimulatedLoop(world, lambda: process.interruptions.still_ms)  # type: ignore[abstract]  # it is enough
        end = ProcessWire(at, self._loop, self._may_stop)
        self._spread = Spread(lambda: end, at.site.elsewhere, at.site.served, self._now_s)

    def open(self, calls: OutsideCalls) -> None:
        """Begin to ask and to hear.

        Args:
            calls: those of participants outside.
        """
        self._loop.create_task(self._connected())
        self._loop.run_ready()  # none of it waits: so it is connected now
        with self._loop.running():
            self._spread.open(self._process.coordinator, calls, self._call, PART_MAX)

    async def _connected(self) -> None:
        async with self._spread.reached(f"e{self._process.life}"):
            coordinator, tell = self._process.coordinator, self.must_be_done
            posting = self._spread.connect(coordinator, self._process, tell, self._lease_left_s)
            assert posting is not None, "there is a wire"
            self._posting: Posting = posting

    def take(self, turn: BatchResult, traces: Traces) -> None:
        """Post what a turn asks elsewhere."""
        with self._loop.running():
            self.drop(turn.dropped)
            self._posting.take(turn, traces)

    def drop(self, attempts: Iterable[AttemptId]) -> None:
        """No saga here waits for some attempts any more."""
        for attempt_id in attempts:
            self._posting.drop(attempt_id)

    def takes(self, task: Task) -> bool:
        """Take in what became of a call, where that is for a coordinator elsewhere; whether it is."""
        with self._loop.running():
            return self._spread.takes(task)

    def must_be_done(self, task: Task) -> None:
        """Queue what was heard."""
        if isinstance(task, Deliver) and isinstance(task.said, Answered):
            self._at.sightings.of_answer(task.saga_id, task.said)
        self._process.ask(task, None)

    def end(self) -> None:
        """The process is gone."""
        self._loop.end()

    def _now_s(self) -> float:
        return self._at.world.now_ms / SECOND_MS + self._skew_s

    def _lease_left_s(self) -> float:
        return self._process.shards.lease_left_s() if self._process.shards else inf

    async def _may_stop(self, where: str) -> None:
        """Go on at once, after a while, or never: where the process crashes instead."""
        try:
            self._process.interruptions.expect_none(where)
        except ProcessKilled as crash:
            self._process.die(crash)
            await self._loop.create_future()
        if pause_ms := self._process.interruptions.pause_ms():
            goes_on = self._loop.create_future()
            self._at.world.after(pause_ms, goes_on.set_result, None)
            await goes_on

    async def _call(self, task: Task) -> Any:
        """Have a task carried out in a turn."""
        reply = self._loop.create_future()
        self._process.ask(task, partial(_settle, reply))
        answer = await reply
        if isinstance(answer, Exception):
            raise answer
        return answer


def _settle(reply: asyncio.Future[Any], answer: Any) -> None:
    if not reply.done():  # of a turn that was refused, and whose process is gone, it is told twice
        reply.set_result(answer)
