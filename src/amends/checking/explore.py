"""Over all worlds: those of no fault first, then those of one, of two; among them breadth first.

So the first counterexample has the fewest faults, and among these the fewest moves; and a saga that never ends by
itself is found before any fault is tried. Visited worlds are kept by their full value, so that no two are ever taken
for one.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from sys import maxsize
from typing import Final, NamedTuple

from amends.checking.layout import WorldLayout
from amends.checking.livelock import livelock_from
from amends.checking.read_back import AsItIs, ReadBack
from amends.checking.rest import Rest
from amends.checking.successors import Successors
from amends.checking.symmetry import Symmetry
from amends.checking.visited import NUMBER, VisitedWorlds
from amends.checking.world import Broken, Move, World
from amends.core.definition import Saga
from amends.scenario import Scenario

STATES_MAX: Final = 5_000_000  # some 2 GiB
SHORTEST_WORLDS: Final = 20_000  # explored in a second or so
SHORTEST_TIMES: Final = 4
"""To find the shortest way to what is broken everything is explored, and given up after these and so many times the
worlds that it took to find some way."""
LOOK_EVERY: Final = 2048  # worlds between two looks at the clock and the progress


class ExplorationProgress(NamedTuple):
    """How far an exploration is.

    Attributes:
        states: distinct worlds met.
        frontier: of these, not yet looked at.
        transitions: moves made.
        seconds: since it began.
    """

    states: int
    frontier: int
    transitions: int
    seconds: float


class Seen(NamedTuple):
    """One line of a counterexample: a move, and the worlds around it."""

    move: Move
    before: World
    after: World


@dataclass(frozen=True, slots=True, eq=False)
class Counterexample:
    """A way to a world in which a rule is broken: one with the fewest faults, and among these the fewest moves.

    Attributes:
        broken: the rule, and how.
        trace: the moves that lead there.
        places: which of the moves each was, in the order of `Successors.after` on this stage.
    """

    broken: Broken
    trace: tuple[Seen, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """What an exploration found.

    Attributes:
        moves: the relation that was explored, with the tables that worlds refer to.
        faults: how many might happen.
        progress: how far it came.
        exhausted: whether every world within the bound was looked at.
        cut_by: the limit that cut it; empty when none did.
        counterexample: ``None`` when every rule held in every world that was looked at.
        not_asked_afresh: functions that were not asked again in a new process, to why not; ``None`` when none was.
    """

    moves: Successors
    faults: int
    progress: ExplorationProgress
    exhausted: bool
    cut_by: str
    counterexample: Counterexample | None
    not_asked_afresh: Mapping[str, str] | None = None

    @property
    def held(self) -> bool:
        """Whether everything was looked at and held; a search that was cut never did."""
        return self.exhausted and self.counterexample is None


def explore(
    scenario: Scenario,
    *,
    faults: int = 2,
    max_states: int = STATES_MAX,
    timeout_s: float | None = None,
    report: Callable[[ExplorationProgress], None] | None = None,
    read_back: Callable[[Saga], ReadBack] = AsItIs,
) -> Exploration:
    """Look at every world that can be reached, or at one that stands for it (docs/adr/0017).

    Args:
        scenario: the saga in its small world.
        faults: how many faults may happen, of any kind. >= 0.
        max_states: stop after so many distinct worlds.
        timeout_s: stop after so many seconds; ``None`` for never.
        report: called now and then.
        read_back: what is read back of what a definition stores. `check` gives the engine's; by default values stay as
            they are, which needs no package, and finds nothing that is lost on the way.

    Returns:
        What was found: the first counterexample, or how far it held.
    """
    reduced = Successors(WorldLayout(scenario, read_back), reduced=True)
    found = WorldSearch(reduced, faults, max_states, timeout_s, report).run()
    if found.counterexample is None:
        return found
    least = sum(seen.move.cost for seen in found.counterexample.trace)
    enough = min(max_states, SHORTEST_WORLDS + SHORTEST_TIMES * found.progress.states)
    shortest = WorldSearch(Successors(WorldLayout(scenario, read_back)), least, enough, timeout_s, report).run()
    return replace(shortest, faults=faults) if shortest.counterexample else found


class Free:
    """The free moves of the worlds that were looked at with as many faults left.

    Attributes:
        looked_at: the worlds, in order.
        after: what their moves lead to, one world's after the other's.
        until: for each world, where in `after` its moves end.
    """

    def __init__(self) -> None:
        self.looked_at = array(NUMBER)
        self.after = array(NUMBER)
        self.until = array("q")

    def following(self, at: int) -> array[int]:
        """What the free moves of one of the worlds lead to."""
        return self.after[self.until[at - 1] if at else 0 : self.until[at]]


class ByMove(NamedTuple):
    """The nearest move that broke a rule.

    Attributes:
        moves: how many moves it takes, with this one; more than there ever are while none is known.
        number: the world that it was made in.
        place: which of its moves it was.
        broken: the rule; ``None`` while none is known.
    """

    moves: int = maxsize
    number: int = -1
    place: int = -1
    broken: Broken | None = None


class WorldSearch:
    """Looks once at every world that some moves reach; the parameters are those of `explore`."""

    def __init__(
        self,
        moves: Successors,
        faults: int,
        max_states: int = STATES_MAX,
        timeout_s: float | None = None,
        report: Callable[[ExplorationProgress], None] | None = None,
    ) -> None:
        self.moves = moves
        self.rest = Rest(moves.layout)
        self.symmetry = Symmetry(moves.layout)
        self.faults = faults
        self.max_states = max_states
        self.timeout_s = timeout_s
        self.report = report
        self.begun = time.monotonic()
        self.first = moves.layout.first(faults)
        self.met = VisitedWorlds(self.first)
        self.ends = bytearray()  # for each world met, whether it is known that a rest can be reached from it for free
        self.to_look_at: list[list[array[int]]] = [[] for _ in range(faults + 1)]  # by faults left, then by moves
        self.broken = [ByMove()] * (faults + 1)  # by faults left
        self.looked_at = 0
        self.transitions = 0

    def run(self) -> Exploration:
        """Look, until a rule is broken, a limit is reached, or there is nothing more."""
        self._meet(self.first, -1, -1, 0)
        for left in range(self.faults, -1, -1):
            free = Free()
            for number in self._nearest_first(left):
                if self.looked_at % LOOK_EVERY == 0 and (cut_by := self._limit()):
                    return self._found(cut_by, None)
                if self.broken[left].moves <= self.met.moves[number]:
                    break
                if broken := self._look_at(number, free):
                    return self._found("", self._way_to(number, broken))
                self.looked_at += 1
            if counterexample := self._by_a_move(left):
                return self._found("", counterexample)
            if counterexample := self._never_ends(free):
                return self._found("", counterexample)
        return self._found("", self._raises_whenever_asked())

    def _nearest_first(self, left: int) -> Iterator[int]:
        """The worlds with so many faults left, also those that are met meanwhile, the fewest moves first."""
        for moves, numbers in enumerate(self.to_look_at[left]):
            for number in numbers:
                if (self.met.left[number], self.met.moves[number]) == (left, moves):  # else it was met again, nearer
                    yield number
            self.to_look_at[left][moves] = array(NUMBER)

    def _meet(self, world: World, parent: int, place: int, moves: int) -> int:
        number, is_nearer = self.met.meet(world, self.symmetry.canonical(world), parent, place, moves)
        if number == len(self.ends):
            self.ends.append(0)
        if is_nearer:
            levels = self.to_look_at[world.faults]
            while len(levels) <= moves:
                levels.append(array(NUMBER))
            levels[moves].append(number)
        return number

    def _look_at(self, number: int, free: Free) -> Broken | None:
        """Meet what follows; the rule that the world itself breaks, if it does."""
        world, moves = self.met[number], self.met.moves[number] + 1
        if broken := self.rest.broken(world):
            return broken
        self.ends[number] = self.rest.is_at_rest(world)
        for place, (move, after, broken) in enumerate(self.moves.after(world)):
            self.transitions += 1
            if broken:
                if moves < self.broken[after.faults].moves:
                    self.broken[after.faults] = ByMove(moves, number, place, broken)
                continue
            met = self._meet(after, number, place, moves)
            if move.cost == 0:
                free.after.append(met)
        free.looked_at.append(number)
        free.until.append(len(free.after))
        return None

    def _by_a_move(self, left: int) -> Counterexample | None:
        """The nearest move found so far that broke a rule and left so many faults."""
        _, number, place, broken = self.broken[left]
        return None if broken is None else self._way_to(number, broken, place)

    def _limit(self) -> str:
        progress = self._progress()
        if self.report:
            self.report(progress)
        if self.timeout_s is not None and progress.seconds >= self.timeout_s:
            return f"--timeout {self.timeout_s:g}"
        return f"--max-states {self.max_states}" if progress.states >= self.max_states else ""

    def _progress(self) -> ExplorationProgress:
        seconds = time.monotonic() - self.begun
        return ExplorationProgress(len(self.met), len(self.met) - self.looked_at, self.transitions, seconds)

    def _found(self, cut_by: str, counterexample: Counterexample | None) -> Exploration:
        exhausted = self.looked_at == len(self.met) and not cut_by
        return Exploration(self.moves, self.faults, self._progress(), exhausted, cut_by, counterexample)

    def _never_ends(self, free: Free) -> Counterexample | None:
        """The nearest of the worlds just looked at from which no rest can be reached without a fault."""
        stuck: Sequence[int] = range(len(free.looked_at))
        looked = -1
        while len(stuck) != looked:  # free moves lead mostly to worlds met later, so that few rounds are needed
            looked, left = len(stuck), array(NUMBER)
            for at in reversed(stuck):
                number = free.looked_at[at]
                if not self.ends[number]:
                    self.ends[number] = any(map(self.ends.__getitem__, free.following(at)))
                if not self.ends[number]:
                    left.append(at)
            stuck = left[::-1]
        if not stuck:
            return None
        number = free.looked_at[stuck[0]]
        circle = livelock_from(self.moves, self.met[number])
        return self._way_to(number, circle.broken(), *circle.places)

    def _raises_whenever_asked(self) -> Counterexample | None:
        """The first time that a function was asked which raised at every time."""
        coverage = self.moves.layout.coverage
        if (broken := coverage.broken()) is None:
            return None
        nearest = sorted(range(len(self.met)), key=lambda number: (-self.met.left[number], self.met.moves[number]))
        for number in nearest:
            for place, (move, _, _) in enumerate(self.moves.after(self.met[number])):
                if move.what == "acts outside" and coverage.broken(move.step, move.kind):
                    return self._way_to(number, broken, place)
        return None

    def _way_to(self, number: int, broken: Broken, *on: int) -> Counterexample:
        """The way to a world, and on from there."""
        places = [*reversed(on)]
        while self.met.parents[number] >= 0:
            places.append(self.met.places[number])
            number = self.met.parents[number]
        return counterexample(self.moves, self.first, tuple(reversed(places)), broken)


def counterexample(moves: Successors, first: World, places: tuple[int, ...], broken: Broken) -> Counterexample:
    """The trace that some moves lead along."""
    trace, world = [], first
    for place in places:
        move, after, _ = next(islice(moves.after(world), place, None))
        trace.append(Seen(move, world, after))
        world = after
    return Counterexample(broken, tuple(trace), places)
