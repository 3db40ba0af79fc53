"""Operators: they are called when a saga waits for one, find out what is the case, and decide.

What an operator says of a step is true; of what cannot be known yet, none says anything.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.told import STUCK
from amends.checking.simulator.wire import Wire
from amends.core.messages import Abandon, Compensate, Kind, Resolve, Retry, Verb
from amends.storage.rows import NEEDS_OPERATOR

ARRIVES_MS: Final = (10_000, 1_000, 300_000, 3_600_000)  # the first where all is healed
PATIENCE: Final = 6  # times that something is tried before a saga is abandoned
VERBS: Final = 5


class Operators:
    """The operators of a schedule: each saga that needs one is seen to by one."""

    def __init__(self, world: Environment, wire: Wire) -> None:
        self._world = world
        self._wire = wire
        self._called: dict[str, None] = {}
        self._tried: Counter[str] = Counter()

    def call(self, saga_id: str) -> None:
        """Let an operator see to a saga, once there is time."""
        world = self._world
        if saga_id in self._called or not (world.is_healed or world.chance.hit("operator", world.swarm.operator)):
            return
        self._called[saga_id] = None
        place = 0 if world.is_healed else world.chance.below("operator", len(ARRIVES_MS))
        world.after(ARRIVES_MS[place], self._see, saga_id)

    def _see(self, saga_id: str) -> None:
        self._called.pop(saga_id, None)
        world = self._world
        row = world.view.rows[saga_id]
        if row.status != NEEDS_OPERATOR:
            return
        verb = self._verb(saga_id)
        self._tried[saga_id] += 1
        world.tell("operator", f"{saga_id}: {verb}")
        if not world.gateway.deliver(saga_id, verb, lambda _: self._after(saga_id)):
            self._after(saga_id)

    def _after(self, saga_id: str) -> None:
        """Come again where that did not help."""
        if self._world.view.rows[saga_id].status == NEEDS_OPERATOR:
            self.call(saga_id)

    def _verb(self, saga_id: str) -> Verb:
        world = self._world
        body = world.view.bodies[saga_id]
        event = next(event for event, status in body["members"].items() if status == STUCK)
        choice = world.chance.below("operator", VERBS)
        if self._tried[saga_id] >= PATIENCE or choice == VERBS - 1:
            return Abandon("written off")
        if choice == VERBS - 2:
            return Compensate("better so")
        if choice == 1:
            return self._resolved(saga_id, event, body) or Retry(event, "try again")
        if choice == 2:  # noqa: PLR2004 - which of the verbs
            self._wire.lift(saga_id, self._world.setting.steps[event])
        return Retry(event, "try again")

    def _resolved(self, saga_id: str, event: str, body: Any) -> Verb | None:
        world, step = self._world, self._world.setting.steps[event]
        if step.is_local:
            return None
        kind = Kind(body["waiting"][event]["kind"])
        truth = self._wire.truth(saga_id, step, kind, world.request_of(world.view.rows[saga_id]))
        return None if truth is None else Resolve(event, truth, "looked it up")
