"""The calls of one process: they wait for slots, and go out on the wire; what was never sent is not undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from amends.checking.simulator.environment import SECOND_MS, Environment, Process
from amends.checking.simulator.process_places import ProcessPlaces
from amends.checking.simulator.process_shards import ProcessShards
from amends.checking.simulator.process_spread import ProcessSpread
from amends.checking.simulator.storage import Point, ProcessStore
from amends.checking.simulator.surroundings import Surroundings
from amends.core.definition import Step
from amends.core.effects import Send
from amends.core.messages import Answered, Kind, Request, Unknown
from amends.engine.batch import BatchResult
from amends.engine.budgets import Budget, Budgets
from amends.engine.calls import LEASE_OVER
from amends.engine.in_flight import AttemptId, Outgoing
from amends.engine.limits import Limit
from amends.engine.ownership import share_places
from amends.engine.slots import Slots
from amends.engine.task import Task
from amends.engine.tracing import Traces
from amends.storage.ports import Clock


class CallingProcess(Process, Clock, Protocol):
    """The process whose calls these are; its time is that of its turns.

    Attributes:
        world: around it.
        shards: those that it has of a shared database.
    """

    world: Environment
    shards: ProcessShards | None

    def must_be_done(self, task: Task) -> None:
        """Queue a task for which no client waits, and which must not be lost."""


class ProcessCalls:
    """The slots of every participant, as one process has them.

    Attributes:
        budgets: what it has of the places that are for all engines together.
        traces: in which calls are: none is.
    """

    def __init__(self, process: CallingProcess, at: Surroundings, engine: str, spread: ProcessSpread | None) -> None:
        self._process = process
        self._world = at.world
        self._site = at.site
        self._wire = at.wire
        self._sightings = at.sightings
        self._slots: dict[str, Slots] = {}
        self._unsent: set[tuple[str, str]] = set()
        self._spread = spread
        self.traces = Traces()
        if spread is not None:
            spread.open(self)
        self._places = ProcessPlaces(self._world, self._site, engine)
        outside = (step for step in self._world.setting.steps.values() if not step.is_local and step.action is not None)
        called = (step for step in outside if self._site.keeps(step.service))
        steps = {step.service: step for step in called} if self._places.are_shared else {}
        limit = Limit(self._world.swarm.places, fleet=True)
        budgets = [Budget(service, limit, self._slots_of(step)) for service, step in steps.items()]
        self.budgets = Budgets(engine, budgets, is_shared=True)

    def share_places(self, store: ProcessStore, elapsed_ms: int) -> Iterator[Point]:
        """Ask for places, if it is time to; the process may be stopped before it asks, and before it uses them."""
        asks = self.budgets.asks(elapsed_ms)
        if asks is None:
            return
        grants = yield from store.drive(share_places(asks))
        yield "before a look at the shards"
        self.budgets.take(grants)
        if any(grant.goal.common < grant.share.common for grant in grants):
            self._world.saw("an engine was to give places back")

    def take(self, turn: BatchResult) -> None:
        """Take in what a turn says about calls that came up before it, and about those that wait for a slot."""
        self.drop_all(turn.dropped)
        for attempt_id in turn.recalled:
            for slots in self._slots.values():
                slots.recall(attempt_id)
        for step, attempt_id in turn.held:
            if self._site.keeps(step.service):
                self._world.saw("a call waited for a place, and its saga says so")
                self._slots_of(step).hold(attempt_id)

    def drop_all(self, attempts: Iterable[AttemptId]) -> None:
        """Do not send some attempts, if they were not yet: no saga waits for them."""
        for attempt_id in attempts:
            for service, slots in self._slots.items():
                slots.drop(attempt_id)
                self._places.over(service, attempt_id)
                slots.fill()

    def leave(self, attempts: Sequence[AttemptId]) -> None:
        """Do not send some attempts, if they were not yet: another engine has their sagas."""
        if self._spread is not None:
            self._spread.drop(attempts)
        for attempt_id in attempts:
            for slots in self._slots.values():
                slots.leave(attempt_id)
                slots.fill()
                if (at_ms := slots.next_ms) is not None:
                    self._world.in_background(max(1, at_ms - self._process.now_ms()), self._fill, slots)
        if (shards := self._process.shards) is not None:  # of the others it does not know what is asked meanwhile
            self._unsent = {(saga_id, event) for saga_id, event in self._unsent if shards.has(saga_id)}

    def _fill(self, slots: Slots) -> None:
        if self._process.is_up:
            slots.fill()

    def send_all(self, turn: BatchResult) -> Iterator[Point]:
        """Send what a turn has to be sent, one by one."""
        if len(turn.sends) > 1:
            self._world.saw("two sends in one turn")
        for number, (step, send) in enumerate(turn.sends):
            yield "between two sends" if number else "between commit and send"
            if self._may_send(send.request.saga_id):
                self._sightings.of_send(send)
            if self._site.keeps(step.service):
                self._must_be_remembered(send.request)
                self.send(step, send)
        if self._spread is not None:
            self._spread.take(turn, self.traces)

    def send(self, step: Step, send: Send) -> None:
        """Send a request as soon as there is a place for it."""
        slots = self._slots_of(step)
        slots.send((step, send))
        if len(slots):
            self._world.saw("a call waited for a place")

    def drop(self, attempt_id: AttemptId) -> None:
        """Do not send an attempt, if that was not done yet: no saga waits for it."""
        self.drop_all([attempt_id])

    def ended(self, service: str, attempt_id: AttemptId) -> None:
        """A call came back: another one may have its slot."""
        self._places.over(service, attempt_id)
        self._slots[service].release(attempt_id)
        self._slots[service].give_back(attempt_id)

    def _slots_of(self, step: Step) -> Slots:
        slots = self._slots.get(step.service)
        if slots is None:
            process = self._process
            departed = process.coordinator.departed
            limit = 0 if self._places.are_shared else self._world.swarm.places
            slots = Slots(limit, process, departed, self._start, process.must_be_done)
            self._slots[step.service] = slots
        return slots

    def _start(self, attempt_id: AttemptId, asking: Outgoing) -> None:
        request = asking[1].request
        if not (self._may_ask(request) if self._site.service else self._may_send(request.saga_id)):
            self._world.saw("a send was left to the next owner")
            self._slots_of(asking[0]).unsent(attempt_id)
            unasked = Answered(request.step, request.kind, Unknown(LEASE_OVER, taken_back=True), request.call.attempt)
            self._process.heard(request.saga_id, unasked, attempt_id, asking[0].service)
            return
        if self._slots_of(asking[0]).taken > 1:
            self._world.saw("calls of one participant together")
        self._places.begun(asking[0], attempt_id)
        self._must_not_be_for_nothing(request)
        self._wire.call(self._process, *asking)

    def _may_send(self, saga_id: str) -> bool:
        """Whether the process believes that it may send for a saga; and if it does, it has to be right."""
        shards = self._process.shards
        if shards is None:
            return True
        may_send = shards.may_send()
        if may_send and (wrong := shards.must_have(saga_id)):
            self._world.broke("V26", wrong)
        return may_send

    def _may_ask(self, request: Request) -> bool:
        """Whether a function may be called for a saga that is elsewhere: not once its answer no longer counts."""
        shards = self._process.shards
        late_s = self._world.now_ms / SECOND_MS - request.call.deadline
        if late_s >= 0:
            self._world.saw("a request had no place before its time was over")
        return late_s < 0 and (shards is None or shards.may_send())

    def _must_be_remembered(self, request: Request) -> None:
        """What is asked first is not sent yet; of what is asked again, its saga's row says that it may be."""
        if request.kind is Kind.DO:
            change = self._unsent.add if request.call.attempt == 1 else self._unsent.discard
            change((request.saga_id, request.step))

    def _must_not_be_for_nothing(self, request: Request) -> None:
        """What this process asked first, and did not send, it knows not to have happened."""
        action = request.saga_id, request.step
        if request.kind is Kind.DO:
            self._unsent.discard(action)
        elif action in self._unsent:
            text = f"{request.saga_id}: {request.step}/{request.kind.value}, and it was never sent"
            self._world.broke("R24", text)
