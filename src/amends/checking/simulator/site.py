"""A site: one store, what was committed to it, and the machines whose engines share it.

There is one of the coordinators; where services are apart, each of them has a site of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amends.adapters.memory.store import MemoryStore
from amends.checking.simulator.setting import Setting
from amends.checking.simulator.storage import Hooks, SimulatedDatabase
from amends.checking.simulator.view import View
from amends.core.definition import Step


class Site:
    """One store and its engines.

    Attributes:
        service: that is hosted here; empty for the site of the coordinators.
        elsewhere: the services that its engines ask over the wire.
        database: what outlives every process.
        store: what can be read of it.
        view: what was committed.
        hooks: what the database tells, and asks.
    """

    hooks: Hooks

    def __init__(self, setting: Setting, now_ms: Callable[[], int], service: str = "") -> None:
        """Nothing is stored yet.

        Args:
            setting: what is the same in all schedules.
            now_ms: true time, milliseconds since 1970.
            service: see above.
        """
        self.service = service
        self.elsewhere = setting.elsewhere - {service}
        self.database = SimulatedDatabase(now_ms, is_shared=setting.hosts > 1)
        self.store = MemoryStore(self.database)
        self.view = View(setting, self.elsewhere)

    @property
    def served(self) -> Sequence[str]:
        """The services that its engines answer for."""
        return [self.service] if self.service else []

    def keeps(self, service: str) -> bool:
        """Whether the entities of a service are in its store, and its engines call it."""
        return service not in self.elsewhere and service in (self.served or (service,))

    def carries_out(self, step: Step) -> bool:
        """Whether its engines carry out a step themselves, in a turn."""
        return step.is_local and self.keeps(step.service)
