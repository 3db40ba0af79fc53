"""A host: a machine on which a process of the engine runs, and another one after each crash; it has a clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from amends.checking.simulator.clock import DRIFT_PPM, HostClock
from amends.checking.simulator.process import EngineProcess
from amends.checking.simulator.surroundings import Surroundings
from amends.checking.simulator.swarm import HOUR_MS, MINUTE_MS
from amends.core.definition import Saga

AWAY_MS: Final = (1, 10, 200, 5_000)  # what a supervisor takes to start a process again
LONG_MS: Final = (60_000, HOUR_MS, 8 * HOUR_MS)  # the default limit of a step, a longer fault, a night
CLOCK_MS: Final = (-1_000, 1_000, -MINUTE_MS, MINUTE_MS, -HOUR_MS, HOUR_MS)  # a step of NTP, a bad clock, a wrong zone


class Host:
    """One machine.

    Attributes:
        process: that runs on it now; it may have crashed.
    """

    def __init__(self, at: Surroundings, *, is_first: bool) -> None:
        self._knows_all = is_first or bool(at.site.service)  # so that no saga has to wait for ever
        self._at = at
        self._world = world = at.world
        self._drift_ppm = 0
        if world.chance.hit("drift", world.swarm.drift):
            self._drift_ppm = (-DRIFT_PPM, DRIFT_PPM)[world.chance.below("drift", 2)]
        self.process = self._born()

    def restart(self, life: int) -> None:
        """Start another process, unless that has been done since.

        Args:
            life: of the process that crashed.
        """
        if life == self.process.life and not self.process.is_up:
            self._at.sightings.of_restart()
            self.process = self._born()
            self._world.is_up()

    def heal(self) -> None:
        """From now on the process does not crash; one that crashed is started again."""
        self.process.interruptions.until_crash = 0
        self.restart(self.process.life)

    def _born(self) -> EngineProcess:
        world = self._world
        world.lives += 1
        life, error_ms = world.lives, self._clock_error_ms()
        of = f"a host of {self._at.site.service}; " if self._at.site.service else ""
        world.tell(f"engine {life}", f"starts; {of}its clock is {error_ms} ms wrong")
        if error_ms:
            world.saw(f"clock set {'back' if error_ms < 0 else 'forward'} between two processes")
        clock = HostClock(world, error_ms, self._drift_ppm, self._at.site.store.head().at_ms)
        return EngineProcess(self._at, life, clock, self._crashed, self._given(life))

    def _given(self, life: int) -> Sequence[Saga]:
        """The definitions of a process: all, or on another host than the first one some, as while a deploy lasts."""
        parts = self._world.setting.parts
        if self._knows_all or len(parts) == 1:
            return parts[0]
        given = parts[self._world.chance.below("definitions", len(parts))]
        self._world.tell(f"engine {life}", f"is given {', '.join(saga.name for saga in given)}")
        return given

    def _clock_error_ms(self) -> int:
        world = self._world
        if world.lives < 2 or not world.chance.hit("clock", world.swarm.clock):  # noqa: PLR2004 - the first one's is right
            return 0
        return CLOCK_MS[world.chance.below("clock error", len(CLOCK_MS))]

    def _crashed(self) -> None:
        """The process is gone; another one starts after a while."""
        chance = self._world.chance
        is_long = chance.hit("away", self._world.swarm.away)
        pauses = LONG_MS if is_long else AWAY_MS
        if is_long:
            self._world.saw("a process away for long")
        self._world.in_background(pauses[chance.below("pause", len(pauses))], self.restart, self.process.life)
