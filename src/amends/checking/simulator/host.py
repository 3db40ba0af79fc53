"""The engine's process: what `amends.engine.engine` does with asyncio, done with the simulated world.

It takes one turn at a time on what was queued meanwhile, sends and answers once that is committed, and can crash
between any two of these. `Coordinator` is the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from amends.checking.simulator.environment import Environment, Reply
from amends.checking.simulator.setting import known_salts
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.storage import DISK_FAILED, ProcessKilled
from amends.checking.simulator.told import ASKED_BY, FINAL
from amends.checking.simulator.wire import Wire
from amends.core.definition import Step
from amends.core.messages import Answered, Kind, Request
from amends.engine.coordinator import BatchResult, Coordinator
from amends.engine.in_flight import AttemptId, Outgoing
from amends.engine.slots import Slots
from amends.engine.task import Task, Unfinished
from amends.engine.tasks import Deliver
from amends.errors import EngineStopped, StoreFailed, StoreFull

PAUSE_MS: Final = 1  # between two turns: what a commit takes
SPACE_PAUSE_MS: Final = 1000  # as the shell waits on a full disk
IDLE_MAX: Final = 3  # turns in which nothing changes, one after the other without a pause
LIVES_MAX: Final = 20  # in one schedule; later ones do not crash, so that it gets anywhere
STOPPED: Final = EngineStopped("the process is gone")


class Queued(NamedTuple):
    """A task, and the reply to its client; ``None`` without one: then it must not be lost."""

    task: Task
    reply: Reply | None


class Host:
    """One process, from its start to its crash.

    Attributes:
        life: its number.
        is_up: whether it runs.
        until_crash: how many I/Os it still does; 0 for any number.
        coordinator: the engine's loop.
    """

    def __init__(
        self,
        world: Environment,
        wire: Wire,
        sightings: Sightings,
        life: int,
        clock_error_ms: int,
        crashed: Callable[[], None],
    ) -> None:
        self.world = world
        self._wire = wire
        self._sightings = sightings
        self._crashed = crashed
        self.life = life
        self.is_up = True
        self.until_crash = world.chance.after("crash", world.swarm.crash_every) if life < LIVES_MAX else 0
        self._born_ms = world.now_ms
        self._start_ms = max(world.now_ms + clock_error_ms, world.store.head().at_ms)  # as `SystemClock` does it
        self.coordinator = Coordinator(
            world.store, [world.setting.played], now_ms=self._start_ms, prefix=f"e{life}", salts=known_salts
        )
        self._queue: list[Queued] = []
        self._turn_at_ms = -1
        self._turns = 0
        self._idle = 0
        self._slots: dict[str, Slots] = {}
        self._unsent: set[tuple[str, str]] = set()
        self._found = {row.saga_id: row.version for row in world.view.rows.values() if row.status not in FINAL}
        world.tell(f"engine {life}", f"starts; its clock is {clock_error_ms} ms wrong")
        if clock_error_ms:
            world.saw(f"clock set {'back' if clock_error_ms < 0 else 'forward'} between two processes")
        self._wake(0)

    def now_ms(self) -> int:
        """This process's clock."""
        return self._start_ms + self.world.now_ms - self._born_ms

    def io(self, where: str) -> None:
        """Count an I/O; the process may crash instead.

        Raises:
            ProcessKilled: it crashes here.
        """
        if self.until_crash:
            self.until_crash -= 1
            if not self.until_crash:
                raise ProcessKilled(where)

    # What comes in --------------------------------------------------------------------------------------------

    def ask(self, task: Task, reply: Reply | None) -> None:
        """Queue a task; the reply is `EngineStopped` once the process is gone."""
        if not self.is_up:
            if reply is not None:
                reply(STOPPED)
            return
        self._queue.append(Queued(task, reply))
        self._wake(PAUSE_MS)

    def hear(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> None:
        """A call comes back."""
        if not self.is_up:
            self.world.saw("an answer to a process that is gone")
            return
        try:
            self.io("when an answer arrives")
        except ProcessKilled as crash:
            self._die(crash)
            return
        self._sightings.of_answer(saga_id, said)
        self.ask(Deliver(saga_id, said), None)
        self._slots[service].calls.pop(attempt_id, None)
        self._slots[service].fill()

    # A turn ---------------------------------------------------------------------------------------------------

    def _wake(self, pause_ms: int) -> None:
        at_ms = self.world.now_ms + max(pause_ms, 0)
        if self._turn_at_ms < 0 or at_ms < self._turn_at_ms:
            self._turn_at_ms = at_ms
            self.world.after(max(pause_ms, 0), self._turn)

    def _turn(self) -> None:
        if not self.is_up or self._turn_at_ms != self.world.now_ms:
            return
        self._turn_at_ms = -1
        batch, self._queue = self._queue, []
        try:
            self._take(batch)
        except ProcessKilled as crash:
            self._die(crash, batch)
        except StoreFailed as failed:
            if str(failed) != DISK_FAILED:
                self.world.broke("P16", f"it stopped, and no disk had failed: {failed}")
            self._die(failed, batch)

    def _take(self, batch: list[Queued]) -> None:
        last = self.world.view.block.number
        self._sightings.recorded.clear()
        try:
            turn = self.coordinator.turn([queued.task for queued in batch], self.now_ms())
        except StoreFull:
            self._wait_for_space(batch)
            return
        except StoreFailed:
            raise
        except Exception as error:  # noqa: BLE001 - any exception is what the simulator looks for
            self.world.broke("P16", f"the turn ended with {type(error).__name__}: {error}")
            return
        batch, turn = self._put_back(batch, turn)
        self._turns += 1
        self._must_not_spin(batch, turn, last)
        self._must_record(batch, turn)
        if self._turns == 1:
            self._must_have_looked()
        if turn.due_ms is not None:
            self._wake(max(turn.due_ms - self.now_ms(), PAUSE_MS))
        self._give_back(batch, turn)

    def _put_back(self, batch: list[Queued], turn: BatchResult) -> tuple[list[Queued], BatchResult]:
        """What a turn left is first in the next one. Gives what it carried out."""
        pairs = list(zip(batch, turn.replies, strict=True))
        left = [queued._replace(task=answer.task) for queued, answer in pairs if isinstance(answer, Unfinished)]
        if left:
            self._queue[:0] = left
            self._wake(PAUSE_MS)
        done = [(queued, answer) for queued, answer in pairs if not isinstance(answer, Unfinished)]
        return [queued for queued, _ in done], turn._replace(replies=[answer for _, answer in done])

    def _must_record(self, batch: list[Queued], turn: BatchResult) -> None:
        for queued, answer in zip(batch, turn.replies, strict=True):
            task = queued.task
            if isinstance(task, Deliver) and isinstance(task.said, Answered):
                self._sightings.must_be_recorded(task.saga_id, task.said, answer)

    def _must_have_looked(self) -> None:
        """Answers to the process before are lost: what it had asked has to be taken up at once."""
        view = self.world.view
        for saga_id, version in self._found.items():
            told, waiting = view.told[saga_id], view.bodies[saga_id].get("waiting", {})
            if version != view.rows[saga_id].version or told.phase in FINAL:
                continue
            for event, request in waiting.items():
                is_asked = told.members.get(event) in ASKED_BY[request["kind"]]
                is_asked = is_asked and not (request.get("taken") or request.get("unsent"))
                if is_asked and not self.world.setting.steps[event].is_local and request["at_ms"] <= self._start_ms:
                    self.world.broke("P2", f"{saga_id} waits for {event}, which a process before asked")

    def _must_not_spin(self, batch: list[Queued], turn: BatchResult, last: int) -> None:
        """A process whose turns change nothing, and which wants the next one at once, keeps a processor busy."""
        is_idle = not batch and self.world.view.block.number == last
        at_once = turn.due_ms is not None and turn.due_ms <= self.now_ms()
        self._idle = self._idle + 1 if is_idle and at_once else 0
        if self._idle > IDLE_MAX:
            self.world.broke("P16", f"it takes one turn after the other, and nothing changes; due at {turn.due_ms}")

    def _give_back(self, batch: list[Queued], turn: BatchResult) -> None:
        for attempt_id in turn.dropped:
            for slots in self._slots.values():
                slots.drop(attempt_id)
                slots.fill()
        for attempt_id in turn.recalled:
            for slots in self._slots.values():
                slots.recall(attempt_id)
        for step, attempt_id in turn.held:
            self.world.saw("a call waited for a place, and its saga says so")
            self._slots_of(step).hold(attempt_id)
        answers = [(queued, answer) for queued, answer in zip(batch, turn.replies, strict=True) if queued.reply]
        answers_first = bool(turn.sends and answers and self.world.chance.below("order", 2))
        if answers_first:
            self._answer(batch, answers)
        self._send(turn)
        for saga_id, run in turn.ended.items():
            self._sightings.of_end(saga_id, run)
        if not answers_first:
            self._answer(batch, answers)

    def _answer(self, batch: list[Queued], answers: list[tuple[Queued, Any]]) -> None:
        for queued, answer in answers:
            self.io("before an answer to a client")
            batch.remove(queued)
            assert queued.reply is not None, "only who asked is answered"
            queued.reply(answer)

    def _send(self, turn: BatchResult) -> None:
        if len(turn.sends) > 1:
            self.world.saw("two sends in one turn")
        for number, (step, send) in enumerate(turn.sends):
            self.io("between two sends" if number else "between commit and send")
            self._sightings.of_send(send)
            if send.request.kind is Kind.DO and send.request.call.attempt == 1:
                self._unsent.add((send.request.saga_id, send.request.step))
            slots = self._slots_of(step)
            slots.send((step, send))
            if len(slots):
                self.world.saw("a call waited for a place")

    def _slots_of(self, step: Step) -> Slots:
        slots = self._slots.get(step.service)
        if slots is None:
            tell = partial(self.ask, reply=None)
            slots = Slots(self.world.swarm.places, self, self.coordinator.departed, self._start, tell)
            self._slots[step.service] = slots
        return slots

    def _start(self, _attempt_id: AttemptId, asking: Outgoing) -> None:
        if len(self._slots_of(asking[0]).calls) > 1:
            self.world.saw("calls of one participant together")
        self._must_not_be_for_nothing(asking[1].request)
        self._wire.call(self, *asking)

    def _must_not_be_for_nothing(self, request: Request) -> None:
        """What this process asked first, and did not send, it knows not to have happened."""
        action = request.saga_id, request.step
        if request.kind is Kind.DO:
            self._unsent.discard(action)
        elif action in self._unsent:
            self.world.broke("R24", f"{request.saga_id}: {request.step}/{request.kind.value}, and it was never sent")

    def _wait_for_space(self, batch: list[Queued]) -> None:
        self.world.tell(f"engine {self.life}", "finds no space")
        self._sightings.was_full = True
        self._queue = [queued for queued in batch if queued.reply is None] + self._queue
        for queued in batch:
            if queued.reply is not None:
                queued.reply(StoreFull("there is no space"))
        self._turn_at_ms = -1
        self._wake(SPACE_PAUSE_MS)

    def _die(self, why: BaseException, batch: list[Queued] | None = None) -> None:
        self.is_up = False
        self._sightings.of_crash(str(why), self.life, self._turns)
        self.world.tell(f"engine {self.life}", f"crashes: {why}")
        for queued in [*(batch or []), *self._queue]:
            if queued.reply is not None:
                queued.reply(STOPPED)
        self._crashed()
