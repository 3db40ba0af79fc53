"""The calls that one process has under way, counted together with those of all others: a participant bounds them."""

from __future__ import annotations

from typing import Final

from amends.checking.simulator.environment import SECOND_MS, Environment
from amends.checking.simulator.site import Site
from amends.checking.simulator.swarm import ENOUGH_PLACES
from amends.core.definition import Step
from amends.core.messages import Kind
from amends.engine.in_flight import AttemptId
from amends.storage.budgets import reserved_of

ACTION: Final = Kind.DO.value
SURELY: Final = 0.99  # of the time of a call it lasts by any clock


class ProcessPlaces:
    """What a process uses of the places of each participant, where these are for all engines together."""

    def __init__(self, world: Environment, site: Site, engine: str) -> None:
        """Use none.

        Args:
            world: around the process.
            site: whose store it is on.
            engine: with whose lease what it uses is counted; empty where it has a database for itself.
        """
        self._world = world
        self._site = site
        self._engine = engine
        self.are_shared = bool(engine) and world.swarm.places < ENOUGH_PLACES

    def begun(self, step: Step, attempt_id: AttemptId) -> None:
        """A call goes out: with it there may be no more than the participant takes."""
        if not self.are_shared:
            return
        service, now_ms = step.service, self._world.now_ms
        until_ms = now_ms + int(step.timeout_s * SECOND_MS * SURELY)
        self._world.under_way[service, self._engine, attempt_id] = until_ms
        living = [
            (engine, attempt)
            for (of, engine, attempt), over_ms in self._world.under_way.items()
            if of == service and engine in self._site.database.leases and now_ms < over_ms
        ]
        actions, most = sum(attempt[2] == ACTION for _, attempt in living), self._world.swarm.places
        if len(living) > most:
            self._world.broke("V30", f"{service} has {len(living)} calls at once, and takes {most}: {living}")
        elif actions > most - reserved_of(most):
            self._world.broke("V30", f"{service} has {actions} actions at once, and takes {most} calls: {living}")

    def over(self, service: str, attempt_id: AttemptId) -> None:
        """A call has come back, or no saga waits for it any more."""
        self._world.under_way.pop((service, self._engine, attempt_id), None)
