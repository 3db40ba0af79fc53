"""The swarm: each schedule first draws which faults there are in it, and how strong each is.

A mix of everything at once hides bugs: what a crash would show, a retry heals. So each fault is off in half of the
schedules, and no two schedules are alike (A. Groce and others, "Swarm Testing", ISSTA 2012).
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple, TypeVar, get_type_hints

from amends.checking.simulator.chance import Chance

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
SWARM: Final = "swarm"
ENOUGH_PLACES: Final = 64  # of a participant, by default: so many that no schedule has a call that waits for one
OFF: Final = (0, 0)  # half of the schedules are without it


class Swarm(NamedTuple):
    """How a schedule is, with what each may be, the plainest first; faults are of a thousand chances, 0 for never.

    Attributes:
        sagas: how many clients at most ask for one.
        faults_ms: how long anything goes wrong.
        spread_ms: within which time the clients come.
        places: how many calls of one participant at a time; fewer than enough are for all engines together.
        crash_every: I/Os of a process before it crashes, about; 0 for never.
        away: a process that crashed stays away for long.
        clock: the machine's clock is wrong when a process starts.
        full: a commit finds no space.
        failed: a commit fails, before or after it took effect.
        broken: a call fails before anything happened.
        lost_request: a request never arrives.
        lost_answer: an answer never arrives.
        failed_answer: it happened, and the call fails all the same.
        slow: a request takes almost until its limit.
        late: a request arrives after its limit.
        doubled: a request arrives twice.
        repeated: an answer arrives twice.
        down: a participant is down from now on, for long.
        whim: a participant does another thing that its model may do: decline, answer later, refuse to undo.
        raises: a local decider raises.
        stubborn: which local decider always raises, from 1 on; 0 for none.
        cancel: a client cancels.
        twin: a client asks twice under its key.
        reuse: a client asks for something else under its key.
        operator: an operator does not wait until all is healed.
        rival: a second operator comes at the same time, and knows nothing of the first.
        meddle: operators say something to a saga that goes on by itself.
        wait: a process waits a moment between two things that it does.
        pause: a process stands still between two things that it does, for a second or for minutes.
        drift: the clock of a host is too fast, or too slow.
        leave: an engine that shares its database leaves it, as at a deploy; asked twice in a second.
    """

    sagas: Annotated[int, 3, 4, 6, 8]
    faults_ms: Annotated[int, 30_000, 5_000, 5 * MINUTE_MS, 2 * HOUR_MS, 40 * HOUR_MS]
    spread_ms: Annotated[int, 1, 50, 2_000, 20_000]
    places: Annotated[int, ENOUGH_PLACES, ENOUGH_PLACES, 2, 1]
    crash_every: Annotated[int, *OFF, 4, 15, 40]
    away: Annotated[int, *OFF, 200]
    clock: Annotated[int, *OFF, 500]
    full: Annotated[int, *OFF, 60, 300]
    failed: Annotated[int, *OFF, 40, 150]
    broken: Annotated[int, *OFF, 60, 250]
    lost_request: Annotated[int, *OFF, 60, 200]
    lost_answer: Annotated[int, *OFF, 60, 200]
    failed_answer: Annotated[int, *OFF, 60, 200]
    slow: Annotated[int, *OFF, 150]
    late: Annotated[int, *OFF, 100, 300]
    doubled: Annotated[int, *OFF, 150]
    repeated: Annotated[int, *OFF, 300]
    down: Annotated[int, *OFF, 0, 20]
    whim: Annotated[int, *OFF, 100, 400]
    raises: Annotated[int, *OFF, 100, 400]
    stubborn: Annotated[int, *OFF, 0, 0, 1, 2, 3, 4, 5, 6]
    cancel: Annotated[int, *OFF, 300, 800]
    twin: Annotated[int, *OFF, 500]
    reuse: Annotated[int, *OFF, 400]
    operator: Annotated[int, *OFF, 500]
    rival: Annotated[int, 0, 500, 900]
    meddle: Annotated[int, *OFF, 200]
    wait: Annotated[int, *OFF, 100, 400]
    pause: Annotated[int, *OFF, 0, 5, 30]
    drift: Annotated[int, *OFF, 500]
    leave: Annotated[int, *OFF, 0, 20]


class WireFaults(NamedTuple):
    """What goes wrong on the wire between services that are apart, of a thousand chances; as in `Swarm`.

    Attributes:
        lost: a message never arrives.
        late: a message arrives after seconds or minutes.
        doubled: a message arrives twice.
        poison: beside a message arrives one that no host can act on.
        away: the broker takes nothing, and gives nothing.
        away_after: the broker is away, and had taken all.
        forgotten: what was acknowledged comes again.
        skew: the clock of a machine, by which deadlines are told, is wrong.
    """

    lost: Annotated[int, *OFF, 60, 250]
    late: Annotated[int, *OFF, 100, 300]
    doubled: Annotated[int, *OFF, 100, 400]
    poison: Annotated[int, *OFF, 50]
    away: Annotated[int, *OFF, 40, 200]
    away_after: Annotated[int, *OFF, 40, 200]
    forgotten: Annotated[int, *OFF, 100, 400]
    skew: Annotated[int, *OFF, 500]


Drawn = TypeVar("Drawn", Swarm, WireFaults)
_LEVELS: Final[dict[type, dict[str, tuple[int, ...]]]] = {
    faults: {name: kind.__metadata__ for name, kind in get_type_hints(faults, include_extras=True).items()}
    for faults in (Swarm, WireFaults)
}


def drawn_of(faults: type[Drawn], chance: Chance) -> Drawn:
    """A schedule's own swarm, or what goes wrong on its wire."""
    levels = _LEVELS[faults]
    return faults(**{name: values[chance.below(SWARM, len(values))] for name, values in levels.items()})


def healed(swarm: Swarm) -> Swarm:
    """The same, with nothing that goes wrong any more but what is on its way."""
    calm: list[int] = [0] * len(swarm)
    return Swarm(*calm)._replace(sagas=swarm.sagas, places=swarm.places, spread_ms=swarm.spread_ms)
