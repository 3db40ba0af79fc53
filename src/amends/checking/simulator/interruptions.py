"""What keeps a simulated process from going on: a crash, a wait, a long pause."""

from __future__ import annotations

from typing import Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.storage import ProcessKilled

WAIT_MS: Final = 50  # of a thread that waits for a database or a network in the same data centre, at most
PAUSE_MS: Final = (500, 5_000, 20_000, 60_000, 600_000)  # garbage collected, a machine moved, a lid closed
SHARED_PAUSE_MS: Final = 90_000  # the longest where others go on: twenty leases, and longer than the limit of a step
LIVES_MAX: Final = 20  # in one schedule, for each store; later ones do not crash, so that it gets anywhere


class Interruptions:
    """Those of one process, between any two things that it does.

    Attributes:
        until_crash: how many I/Os it still does; 0 for any number.
    """

    def __init__(self, world: Environment, life: int) -> None:
        """Draw when it crashes.

        Args:
            world: around the process.
            life: the number of the process.
        """
        self.until_crash = (
            world.chance.after("crash", world.swarm.crash_every) if life < LIVES_MAX * len(world.sites) else 0
        )
        self._world = world
        self._name = f"engine {life}"
        self._paused_until_ms = 0

    @property
    def still_ms(self) -> int:
        """For how long all of the process stands still; 0 where it does not."""
        return max(self._paused_until_ms - self._world.now_ms, 0)

    def expect_none(self, where: str) -> None:
        """Count an I/O; the process may crash instead.

        Raises:
            ProcessKilled: it crashes here.
        """
        if self.until_crash:
            self.until_crash -= 1
            if not self.until_crash:
                raise ProcessKilled(where)

    def pause_ms(self) -> int:
        """How long what it does now waits; all else in the process waits, too, where that is long."""
        world, chance, swarm = self._world, self._world.chance, self._world.swarm
        if chance.hit("stand still", swarm.pause):
            longest_ms = SHARED_PAUSE_MS if world.database.is_shared else PAUSE_MS[-1]
            pause_ms = min(PAUSE_MS[chance.below("stand still", len(PAUSE_MS))], longest_ms)
            self._paused_until_ms = world.now_ms + pause_ms
            world.saw("a process stood still")
            world.tell(self._name, f"stands still for {pause_ms / 1000:g} s")
            return pause_ms
        return 1 + chance.below("wait", WAIT_MS) if chance.hit("wait", swarm.wait) else 0
