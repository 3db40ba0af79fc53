"""What must hold of each turn of a process: it records what it hears, takes up what was left, and does not spin."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from typing import Final

from amends.checking.simulator.environment import SECOND_MS
from amends.checking.simulator.surroundings import Surroundings
from amends.checking.simulator.told import ASKED_BY, FINAL
from amends.core.messages import Answered, Kind
from amends.engine.batch import BatchResult
from amends.engine.serving import ServeRequests
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.errors import RequestRefused
from amends.storage.ports import Clock
from amends.storage.rows import SagaRow
from amends.storage.shards import shard_of

IDLE_MAX: Final = 3  # turns in which nothing changes, one after the other without a pause


class ProcessRules:
    """The rules that one process is held to, turn by turn."""

    def __init__(self, at: Surroundings, clock: Clock, chain: str, known: Container[str]) -> None:
        self._world = at.world
        self._site = at.site
        self._sightings = at.sightings
        self._clock = clock
        self._chain = chain
        self._known = known
        self._idle = 0
        self._last = 0
        self._taken: dict[str, SagaRow] = {}
        self._looking: dict[str, SagaRow] = {}
        self._late: set[str] = set()

    def took(self, shards: Collection[int]) -> None:
        """The process has more shards: what was asked for their sagas until now may be lost.

        Those of definitions that it was not given it leaves.
        """
        for row in self._site.view.rows.values():
            if row.status not in FINAL and shard_of(row.saga_id) in shards and row.definition in self._known:
                self._taken[row.saga_id] = row

    def before_turn(self, tasks: Sequence[Task]) -> None:
        """A turn begins, on tasks."""
        self._looking |= self._taken
        self._taken = {}
        self._last = self._site.view.last(self._chain).number
        self._late = self._met(tasks)
        self._sightings.recorded.pop(self._chain, None)

    def after_turn(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        """A turn is over.

        Args:
            tasks: what was carried out in it.
            turn: what became of it, with an answer for each of these.
        """
        self._must_not_spin(tasks, turn)
        if not self._site.service:  # what an engine hears too late for sagas elsewhere it leaves alone
            self._must_record(tasks, turn)
        self._must_not_be_late()
        self._must_have_looked()

    def _must_record(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        for task, answer in zip(tasks, turn.replies, strict=True):
            if isinstance(task, Deliver) and isinstance(task.said, Answered) and not self._is_told(task.said, answer):
                self._sightings.must_be_recorded(task.saga_id, task.said, answer, self._chain)

    def _is_told(self, said: Answered, answer: object) -> bool:
        """Whether a person was told that the answer does not count: it leaves nothing."""
        return self._world.setting.steps[said.step].wait is not None and isinstance(answer, RequestRefused)

    def _must_have_looked(self) -> None:
        """Answers to the process before are lost: what it had asked has to be taken up at once."""
        view = self._site.view
        for saga_id, row in self._looking.items():
            if self._site.database.owners.get(shard_of(saga_id), "") != self._chain:
                continue  # it has been given away since
            told, waiting = view.told[saga_id], view.bodies[saga_id].get("waiting", {})
            if row.version != view.rows[saga_id].version or told.phase in FINAL:
                continue
            for event, request in waiting.items():
                is_asked = told.members.get(event) in ASKED_BY[request["kind"]]
                is_asked = is_asked and not (request.get("taken") or request.get("unsent"))
                is_old = request["at_ms"] <= row.changed_ms  # else it was to be sent later
                if is_asked and not self._site.carries_out(self._world.setting.steps[event]) and is_old:
                    self._world.broke("P2", f"{saga_id} waits for {event}, which a process before asked")
        self._looking = {}

    def _met(self, tasks: Sequence[Task]) -> set[str]:
        """The keys of requests whose time is over, each time that they come; what else is met is a rare thing."""
        kept, late, in_time = self._site.view.keys, set[str](), set[str]()
        for hosted in (each for task in tasks if isinstance(task, ServeRequests) for each in task.requests):
            action, undo = hosted.keys
            key = undo if hosted.request.kind is not Kind.DO else action
            is_late = hosted.request.call.deadline < self._world.now_ms / SECOND_MS - self._world.setting.skew_s
            (late if is_late else in_time).add(key)
            if key in kept:
                self._world.saw("a host found what it had answered")
            elif is_late:
                self._world.saw("a request came after its time")
            elif key == action and undo in kept:
                self._world.saw("a host met a tombstone")
        return late - in_time - kept.keys()

    def _must_not_be_late(self) -> None:
        """Whether an answer counts is looked at before anything is done for it."""
        for key in sorted(self._late):
            if self._site.view.served.get(key) == self._chain:
                self._world.broke("V32", f"{key} was done, and its time was over")
        self._late = set()

    def _must_not_spin(self, tasks: Sequence[Task], turn: BatchResult) -> None:
        """A process whose turns change nothing, and which wants the next one at once, keeps a processor busy."""
        is_idle = not tasks and self._site.view.last(self._chain).number == self._last
        at_once = turn.due_ms is not None and turn.due_ms <= self._clock.now_ms()
        self._idle = self._idle + 1 if is_idle and at_once else 0
        if self._idle > IDLE_MAX:
            self._world.broke("P16", f"it takes one turn after the other, and nothing changes; due at {turn.due_ms}")
