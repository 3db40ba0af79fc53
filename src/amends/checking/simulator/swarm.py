"""The swarm: each schedule first draws which faults there are in it, and how strong each is.

A mix of everything at once hides bugs: what a crash would show, a retry heals. So each fault is off in half of the
schedules, and no two schedules are alike (A. Groce and others, "Swarm Testing", ISSTA 2012).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.checking.simulator.chance import Chance

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
SWARM: Final = "swarm"


class Swarm(NamedTuple):
    """How a schedule is; faults are of a thousand chances, 0 for never.

    Attributes:
        sagas: how many clients at most ask for one.
        faults_ms: how long anything goes wrong.
        spread_ms: within which time the clients come.
        places: how many calls of one participant at a time.
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
        wait: a process waits a moment between two things that it does.
        pause: a process stands still between two things that it does, for a second or for minutes.
        drift: the clock of a host is too fast, or too slow.
        leave: an engine that shares its database leaves it, as at a deploy; asked twice in a second.
    """

    sagas: int
    faults_ms: int
    spread_ms: int
    places: int
    crash_every: int
    away: int
    clock: int
    full: int
    failed: int
    broken: int
    lost_request: int
    lost_answer: int
    failed_answer: int
    slow: int
    late: int
    doubled: int
    repeated: int
    down: int
    whim: int
    raises: int
    stubborn: int
    cancel: int
    twin: int
    reuse: int
    operator: int
    wait: int
    pause: int
    drift: int
    leave: int


OFF: Final = (0, 0)  # half of the schedules are without it
LEVELS: Final[dict[str, tuple[int, ...]]] = {
    "sagas": (3, 4, 6, 8),
    "faults_ms": (30_000, 5_000, 5 * MINUTE_MS, 2 * HOUR_MS, 40 * HOUR_MS),
    "spread_ms": (1, 50, 2_000, 20_000),
    "places": (64, 64, 2, 1),
    "crash_every": (*OFF, 4, 15, 40),
    "away": (*OFF, 200),
    "clock": (*OFF, 500),
    "full": (*OFF, 60, 300),
    "failed": (*OFF, 40, 150),
    "broken": (*OFF, 60, 250),
    "lost_request": (*OFF, 60, 200),
    "lost_answer": (*OFF, 60, 200),
    "failed_answer": (*OFF, 60, 200),
    "slow": (*OFF, 150),
    "late": (*OFF, 100, 300),
    "doubled": (*OFF, 150),
    "repeated": (*OFF, 300),
    "down": (*OFF, 0, 20),
    "whim": (*OFF, 100, 400),
    "raises": (*OFF, 100, 400),
    "stubborn": (*OFF, 0, 0, 1, 2, 3, 4, 5, 6),
    "cancel": (*OFF, 300, 800),
    "twin": (*OFF, 500),
    "reuse": (*OFF, 400),
    "operator": (*OFF, 500),
    "wait": (*OFF, 100, 400),
    "pause": (*OFF, 0, 5, 30),
    "drift": (*OFF, 500),
    "leave": (*OFF, 0, 20),
}
"""What each may be; the first is the plainest."""


def drawn(chance: Chance) -> Swarm:
    """A schedule's own swarm."""
    return Swarm(**{name: values[chance.below(SWARM, len(values))] for name, values in LEVELS.items()})


def healed(swarm: Swarm) -> Swarm:
    """The same, with nothing that goes wrong any more but what is on its way."""
    calm: list[int] = [0] * len(swarm)
    return Swarm(*calm)._replace(sagas=swarm.sagas, places=swarm.places, spread_ms=swarm.spread_ms)
