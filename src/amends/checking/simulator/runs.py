"""Many schedules: seed after seed, in one process or in several, with the same answer."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from amends.checking.simulator.chance import Draws
from amends.checking.simulator.invariants import broken
from amends.checking.simulator.schedule import ScheduleResult, by_list, by_seed, draws_of
from amends.checking.simulator.setting import Setting
from amends.checking.simulator.shrink import shrunk
from amends.checking.world import Broken

CHUNK: Final = 50  # seeds that a process takes at a time
AGAIN_EVERY: Final = 50  # one schedule of so many is played twice, to see that it is the same


class BrokenSchedule(NamedTuple):
    """A schedule in which a rule breaks.

    Attributes:
        place: of the setting.
        seed: that it came from; 0 when it was given as a list.
        drawn: how much happened in it at first.
        broken: the rule that does not hold, and what was found.
        draws: what happens in it, once it was shrunk.
        trace: what happens, in words.
    """

    place: int
    seed: int
    drawn: int
    broken: Broken
    draws: Draws
    trace: Sequence[str]


class Reached(NamedTuple):
    """How far a run is.

    Attributes:
        schedules: how many were played.
        wanted: how many are to be.
        seconds: since it began.
    """

    schedules: int
    wanted: int
    seconds: float


class SimulationResult(NamedTuple):
    """What a run came to.

    Attributes:
        first: the first seed.
        seeds: how many.
        schedules: how many were played: each seed once in each setting, up to the first failure.
        sagas: that were started.
        moments: in all of them.
        seen: rare things, and how often.
        digest: of everything that was ever committed: the same for the same seeds everywhere.
        seconds: what it took.
        failure: the first one, shrunk; ``None`` when all held.
    """

    first: int
    seeds: int
    schedules: int
    sagas: int
    moments: int
    seen: Counter[str]
    digest: str
    seconds: float
    failure: BrokenSchedule | None


class PlayedSeeds(NamedTuple):
    """Some seeds, played.

    Attributes:
        schedules: how many.
        sagas: that were started.
        moments: in all of them.
        seen: rare things, and how often.
        digest: of what was committed.
        failed: seed, place of the setting and rule of the first failure.
    """

    schedules: int
    sagas: int
    moments: int
    seen: Counter[str]
    digest: bytes
    failed: tuple[int, int, Broken] | None


def simulated(
    settings: Sequence[Setting],
    seeds: int,
    first: int = 1,
    processes: int = 1,
    report: Callable[[Reached], None] | None = None,
) -> SimulationResult:
    """Play the schedules of some seeds, up to the first in which a rule breaks.

    Args:
        settings: each seed is played in each.
        seeds: how many.
        first: the first of them.
        processes: among how many the seeds are divided.
        report: is told how far it is.
    """
    begun = time.monotonic()
    schedules, sagas, moments, seen, digest, failed = 0, 0, 0, Counter[str](), hashlib.sha256(), None
    starts = range(first, first + seeds, CHUNK)
    parts = [range(start, min(start + CHUNK, first + seeds)) for start in starts]
    with _chunks(settings, parts, processes) as chunks:
        for chunk in chunks:
            schedules, sagas, moments = schedules + chunk.schedules, sagas + chunk.sagas, moments + chunk.moments
            seen.update(chunk.seen)
            digest.update(chunk.digest)
            if report is not None:
                report(Reached(schedules, seeds * len(settings), time.monotonic() - begun))
            if failed := chunk.failed:
                break
    failure = _failure(settings, *failed) if failed else None
    seconds = time.monotonic() - begun
    return SimulationResult(first, seeds, schedules, sagas, moments, seen, digest.hexdigest(), seconds, failure)


@contextmanager
def _chunks(settings: Sequence[Setting], parts: Sequence[range], processes: int) -> Iterator[Iterable[PlayedSeeds]]:
    """The chunks in the order of their seeds, however many processes play them."""
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():  # noqa: PLR2004 - this one is one
        yield (_chunk(settings, part) for part in parts)
        return
    _PLAYED.append(settings)  # a fork has it; a definition's functions could not be sent
    with multiprocessing.get_context("fork").Pool(processes, gc.freeze) as pool:  # what is there is no garbage
        yield pool.imap(_chunk_of_fork, parts)
    _PLAYED.pop()


_PLAYED: list[Sequence[Setting]] = []


def _chunk_of_fork(part: range) -> PlayedSeeds:
    return _chunk(_PLAYED[-1], part)


def _chunk(settings: Sequence[Setting], part: range) -> PlayedSeeds:
    schedules, sagas, moments, seen, digest = 0, 0, 0, Counter[str](), hashlib.sha256()
    for seed in part:
        for place, setting in enumerate(settings):
            played = by_seed(setting, seed)
            schedules, sagas, moments = schedules + 1, sagas + played.sagas, moments + played.moments
            seen.update(played.seen)
            digest.update(played.head)
            if wrong := played.broken or _differs(setting, seed, played):
                return PlayedSeeds(schedules, sagas, moments, seen, digest.digest(), (seed, place, wrong))
    return PlayedSeeds(schedules, sagas, moments, seen, digest.digest(), None)


def _differs(setting: Setting, seed: int, played: ScheduleResult) -> Broken | None:
    if seed % AGAIN_EVERY:
        return None
    again = by_seed(setting, seed)
    if (again.head, again.moments, again.seen) == (played.head, played.moments, played.seen):
        return None
    return broken("V20", f"seed {seed} was played twice, and came to something else")


def _failure(settings: Sequence[Setting], seed: int, place: int, wrong: Broken) -> BrokenSchedule:
    draws = draws_of(settings[place], seed)
    small = by_list(settings[place], draws)
    drawn = len(draws)
    if small.broken is not None and small.broken.rule == wrong.rule:
        draws = shrunk(settings[place], draws, wrong.rule)
    return of_list(settings, place, draws, seed, drawn) or BrokenSchedule(
        place, seed, drawn, wrong, draws, by_seed(settings[place], seed, traced=True).trace
    )


def of_list(
    settings: Sequence[Setting], place: int, draws: Draws, seed: int = 0, drawn: int = 0
) -> BrokenSchedule | None:
    """What a listed schedule comes to; ``None`` when nothing is broken in it any more."""
    played = by_list(settings[place], draws, traced=True)
    if played.broken is None:
        return None
    return BrokenSchedule(place, seed, drawn or len(draws), played.broken, draws, played.trace)
