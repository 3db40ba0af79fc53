"""What must hold of each turn of a process: it records what it hears, takes up what was left, and does not spin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from amends.checking.simulator.clock import HostClock
from amends.checking.simulator.environment import Environment
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.told import ASKED_BY, FINAL
from amends.core.messages import Answered
from amends.engine.batch import BatchResult
from amends.engine.task import Task
from amends.engine.tasks import Deliver

IDLE_MAX: Final = 3  # turns in which nothing changes, one after the other without a pause


class ProcessRules:
    """The rules that one process is held to, turn by turn."""

    def __init__(self, world: Environment, sightings: Sightings, clock: HostClock) -> None:
        self._world = world
        self._sightings = sightings
        self._clock = clock
        self._is_first = True
        self._idle = 0
        self._last = 0
        self._found = {row.saga_id: row.version for row in world.view.rows.values() if row.status not in FINAL}

    def before_turn(self) -> None:
        """A turn begins."""
        self._last = self._world.view.block.number
        self._sightings.recorded.clear()

    def after_turn(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        """A turn is over.

        Args:
            tasks: what was carried out in it.
            turn: what became of it, with an answer for each of these.
        """
        self._must_not_spin(tasks, turn)
        self._must_record(tasks, turn)
        if self._is_first:
            self._must_have_looked()
        self._is_first = False

    def _must_record(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        for task, answer in zip(tasks, turn.replies, strict=True):
            if isinstance(task, Deliver) and isinstance(task.said, Answered):
                self._sightings.must_be_recorded(task.saga_id, task.said, answer)

    def _must_have_looked(self) -> None:
        """Answers to the process before are lost: what it had asked has to be taken up at once."""
        view = self._world.view
        for saga_id, version in self._found.items():
            told, waiting = view.told[saga_id], view.bodies[saga_id].get("waiting", {})
            if version != view.rows[saga_id].version or told.phase in FINAL:
                continue
            for event, request in waiting.items():
                is_asked = told.members.get(event) in ASKED_BY[request["kind"]]
                is_asked = is_asked and not (request.get("taken") or request.get("unsent"))
                is_old = request["at_ms"] <= self._clock.start_ms
                if is_asked and not self._world.setting.steps[event].is_local and is_old:
                    self._world.broke("P2", f"{saga_id} waits for {event}, which a process before asked")

    def _must_not_spin(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        """A process whose turns change nothing, and which wants the next one at once, keeps a processor busy."""
        is_idle = not tasks and self._world.view.block.number == self._last
        at_once = turn.due_ms is not None and turn.due_ms <= self._clock.now_ms()
        self._idle = self._idle + 1 if is_idle and at_once else 0
        if self._idle > IDLE_MAX:
            self._world.broke("P16", f"it takes one turn after the other, and nothing changes; due at {turn.due_ms}")
