"""One schedule, from its first draw to its rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amends.checking.simulator.chance import Chance, Draws, Listed, RecordedChance, Seeded
from amends.checking.simulator.setting import Setting
from amends.checking.simulator.site import Site
from amends.checking.simulator.world import SimulatedWorld
from amends.checking.world import Broken


class ScheduleResult(NamedTuple):
    """What became of a schedule.

    Attributes:
        broken: the first rule that was broken; ``None`` when all held.
        seen: rare things, and how often.
        head: of the audit at its end, a digest of everything that was committed.
        sagas: how many were started.
        moments: how many there were.
        trace: what happened, in words; empty where no trace was wanted.
    """

    broken: Broken | None
    seen: Mapping[str, int]
    head: bytes
    sagas: int
    moments: int
    trace: Sequence[str] = ()


def by_seed(setting: Setting, seed: int, *, traced: bool = False) -> ScheduleResult:
    """Play the schedule of a seed."""
    return play(setting, Seeded(seed), traced=traced)


def by_list(setting: Setting, draws: Draws, *, traced: bool = False) -> ScheduleResult:
    """Play a schedule in which happens what is listed, and nothing else."""
    return play(setting, Listed(draws), traced=traced)


def draws_of(setting: Setting, seed: int) -> Draws:
    """What happens in the schedule of a seed, as a list."""
    chance = RecordedChance(seed)
    play(setting, chance)
    return chance.draws


def play(setting: Setting, chance: Chance, *, traced: bool = False) -> ScheduleResult:
    """Play a schedule."""
    world = SimulatedWorld(setting, chance, traced=traced)
    world.play()
    return ScheduleResult(
        world.broken, world.seen, _digest(world.sites), len(world.view.rows), world.moments, world.trace or ()
    )


def _digest(sites: Sequence[Site]) -> bytes:
    """One digest over where every chain ends."""
    heads = [site.store.head(chain).head for site in sites for chain in site.store.chains()]
    return heads[0] if len(heads) == 1 else hashlib.sha256(b"".join(heads)).digest()
