"""Operators: they are called when a saga waits for one, find out what is the case, and decide. Some say a word unasked.

What an operator says of a step is true; of what cannot be known yet, none says anything. Several may come to one saga
at the same time, and know nothing of each other: of two verbs that exclude each other the first is taken. What an
operator was told is true, too: a verb that was taken is on record once, and one that was refused has left nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.invariants import broken
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.told import STUCK
from amends.checking.simulator.wire import SimulatedWire
from amends.checking.world import Broken
from amends.core.effects import Decline
from amends.core.messages import Abandon, Cancel, Compensate, Kind, Resolve, Retry, Verb
from amends.storage.rows import FINAL, NEEDS_OPERATOR, SagaRow

ARRIVES_MS: Final = (10_000, 1_000, 300_000, 3_600_000)  # the first where all is healed
TOGETHER_MS: Final = 1_000  # within which a second operator comes: before, while or after the first is heard
PATIENCE: Final = 6  # times that something is tried before a saga is abandoned
VERBS: Final = 5
MEDDLES_MS: Final = (1, 500, 10_000, 120_000)  # after a saga's commit, with a word that it has not asked for


class Operators:
    """The operators of a schedule: each saga that needs one is seen to by one, or by two at once."""

    def __init__(self, world: Environment, wire: SimulatedWire, sightings: Sightings) -> None:
        self._world = world
        self._wire = wire
        self._sightings = sightings
        self._called: Counter[str] = Counter()
        self._tried: Counter[str] = Counter()
        self._number = 0
        self._told: dict[str, tuple[str, Verb, bool]] = {}

    # Called -----------------------------------------------------------------------------------------------------

    def call(self, saga_id: str) -> None:
        """Let an operator see to a saga, once there is time; and another one, who was called, too."""
        world = self._world
        if self._called[saga_id] or not (world.is_healed or world.chance.hit("operator", world.swarm.operator)):
            return
        place = 0 if world.is_healed else world.chance.below("operator", len(ARRIVES_MS))
        self._comes(saga_id, ARRIVES_MS[place])
        if world.chance.hit("operator", world.swarm.rival):
            world.saw("two operators at once")
            self._comes(saga_id, ARRIVES_MS[place] + world.chance.below("operator", TOGETHER_MS))

    def _comes(self, saga_id: str, pause_ms: int) -> None:
        self._called[saga_id] += 1
        self._world.after(pause_ms, self._see, saga_id)

    def _see(self, saga_id: str) -> None:
        self._called[saga_id] -= 1
        if self._world.view.rows[saga_id].status != NEEDS_OPERATOR:
            return
        self._tried[saga_id] += 1
        self._say(saga_id, self._verb(saga_id), again=True)

    def _after(self, saga_id: str) -> None:
        """Come again where that did not help."""
        if self._world.view.rows[saga_id].status == NEEDS_OPERATOR:
            self.call(saga_id)

    def _verb(self, saga_id: str) -> Verb:
        world, by = self._world, self._name()
        body = world.view.bodies[saga_id]
        event = next(event for event, status in body["members"].items() if status == STUCK)
        choice = world.chance.below("operator", VERBS)
        if self._tried[saga_id] >= PATIENCE or choice == VERBS - 1:
            return Abandon("written off", by)
        if choice == VERBS - 2:
            return Compensate("better so", by)
        if choice == 1:
            return self._resolved(saga_id, event, body, by) or Retry(event, "try again", by)
        if choice == 2:  # noqa: PLR2004 - which of the verbs
            self._wire.lift(saga_id, self._world.setting.steps[event])
        return Retry(event, "try again", by)

    def _resolved(self, saga_id: str, event: str, body: Any, by: str) -> Verb | None:
        world, step = self._world, self._world.setting.steps[event]
        if step.is_local:  # of those that are elsewhere, too, an operator asks again
            return None
        kind = Kind(body["waiting"][event]["kind"])
        truth = self._wire.truth(saga_id, step, kind, world.request_of(world.view.rows[saga_id]))
        return None if truth is None else Resolve(event, truth, "looked it up", by)

    # Unasked ----------------------------------------------------------------------------------------------------

    def look(self, row: SagaRow) -> None:
        """Let operators say a word, by chance, to a saga that is committed."""
        world = self._world
        if row.status in FINAL or not world.chance.hit("meddle", world.swarm.meddle):
            return
        pause_ms = MEDDLES_MS[world.chance.below("meddle", len(MEDDLES_MS))]
        world.after(pause_ms, self._meddle, row.saga_id)
        if world.chance.hit("meddle", world.swarm.rival):
            world.saw("two operators at once")
            world.after(pause_ms + world.chance.below("meddle", TOGETHER_MS), self._meddle, row.saga_id)

    def _meddle(self, saga_id: str) -> None:
        world = self._world
        events = [*world.view.bodies[saga_id].get("members", ())]
        if not events:  # it has ended meanwhile
            return
        event, by = events[world.chance.below("meddle", len(events))], self._name()
        words = Retry(event, "at once", by), Cancel("no need", by), Compensate("better so", by), Abandon("no use", by)
        world.saw("an operator said something unasked")
        self._say(saga_id, words[world.chance.below("meddle", len(words))], again=False)

    # Said and told ----------------------------------------------------------------------------------------------

    def _name(self) -> str:
        self._number += 1
        return f"operator {self._number}"

    def _say(self, saga_id: str, verb: Verb, *, again: bool) -> None:
        world = self._world
        world.tell("operator", f"{saga_id}: {verb}")
        if not world.gateway.deliver(saga_id, verb, partial(self._hear, saga_id, verb, again)) and again:
            self._after(saga_id)

    def _hear(self, saga_id: str, verb: Verb, again: bool, answer: Any) -> None:
        if answer is None or isinstance(answer, Decline):
            self._told[verb.by] = saga_id, verb, answer is None
        if isinstance(answer, Decline):
            self._world.saw("an operator came second")
        elif answer is None and isinstance(verb, Cancel | Compensate):
            self._world.journal.cancels[saga_id] = None
        if again:
            self._after(saga_id)

    def first_broken(self) -> Iterator[Broken]:
        """At rest: what operators were told of their verbs is what is on record."""
        for by, (saga_id, verb, is_taken) in self._told.items():
            times = self._sightings.said[by]
            if times != int(is_taken):
                told = "taken" if is_taken else "refused"
                yield broken("V28", f"{saga_id}: {verb} was {told}, as {by} was told, and is on record {times} times")
