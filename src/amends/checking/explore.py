"""Over all worlds: those of no fault first, then those of one, of two; among them breadth first.

So the first counterexample has the fewest faults, and among these the fewest moves; and a saga that never ends by
itself is found before any fault is tried. Visited worlds are kept by their full value, so that no two are ever taken
for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from amends.checking.circles import circle_from
from amends.checking.moves import Moves
from amends.checking.rest import Rest
from amends.checking.stage import Stage
from amends.checking.trip import AsItIs, Trip
from amends.checking.world import Broken, Move, Next, World
from amends.core.definition import Saga
from amends.scenario import Scenario

STATES_MAX: Final = 5_000_000  # some 2 GiB
LOOK_EVERY: Final = 2048  # worlds between two looks at the clock and the progress


class Progress(NamedTuple):
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
        places: which of the moves each was, in the order of `Moves.after` on this stage.
    """

    broken: Broken
    trace: tuple[Seen, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What an exploration found.

    Attributes:
        moves: the relation that was explored, with the tables that worlds refer to.
        faults: how many might happen.
        progress: how far it came.
        exhausted: whether every world within the bound was looked at.
        cut_by: the limit that cut it; empty when none did.
        counterexample: ``None`` when every rule held in every world that was looked at.
    """

    moves: Moves
    faults: int
    progress: Progress
    exhausted: bool
    cut_by: str
    counterexample: Counterexample | None

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
    report: Callable[[Progress], None] | None = None,
    trip: Callable[[Saga], Trip] = AsItIs,
) -> Found:
    """Look at every world that can be reached.

    Args:
        scenario: the saga in its small world.
        faults: how many faults may happen, of any kind. >= 0.
        max_states: stop after so many distinct worlds.
        timeout_s: stop after so many seconds; ``None`` for never.
        report: called now and then.
        trip: what is read back of what a definition stores. `check` gives the engine's; by default values stay as they
            are, which needs no package, and finds nothing that is lost on the way.

    Returns:
        What was found: the first counterexample, or how far it held.
    """
    return _Search(Moves(Stage(scenario, trip)), faults, max_states, timeout_s, report).search()


class _Search:
    def __init__(
        self,
        moves: Moves,
        faults: int,
        max_states: int,
        timeout_s: float | None,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self.moves = moves
        self.rest = Rest(moves.stage)
        self.faults = faults
        self.max_states = max_states
        self.timeout_s = timeout_s
        self.report = report
        self.begun = time.monotonic()
        self.worlds: list[World] = []
        self.numbers: dict[World, int] = {}
        self.parents: list[int] = []
        self.places: list[int] = []
        self.moves_to: list[int] = []
        self.to_look_at: list[list[list[int]]] = [[] for _ in range(faults + 1)]  # by faults left, then by moves
        self.looked_at = 0
        self.transitions = 0

    def search(self) -> Found:
        self._meet(self.moves.stage.first(self.faults), -1, -1, 0)
        for left in range(self.faults, -1, -1):
            free: dict[int, list[int]] = {}
            for number in self._nearest_first(left):
                if self.looked_at % LOOK_EVERY == 0 and (cut_by := self._limit()):
                    return self._found(cut_by, None)
                counterexample = self._look_at(number, free)
                self.looked_at += 1
                if counterexample:
                    return self._found("", counterexample)
            if counterexample := self._never_ends(free):
                return self._found("", counterexample)
        return self._found("", self._raises_whenever_asked())

    def _nearest_first(self, left: int) -> Iterator[int]:
        """The worlds with so many faults left, also those that are met meanwhile, the fewest moves first."""
        for moves, numbers in enumerate(self.to_look_at[left]):
            for number in numbers:
                if self.moves_to[number] == moves:  # else met again on a shorter way, and looked at
                    yield number
            numbers.clear()

    def _meet(self, world: World, parent: int, place: int, moves: int) -> int:
        key = self.moves.stage.canonical(world)
        number = self.numbers.get(key)
        if number is not None and self.moves_to[number] <= moves:
            return number
        if number is None:
            number = self.numbers[key] = len(self.worlds)
            self.worlds.append(world)
            self.parents.append(parent)
            self.places.append(place)
            self.moves_to.append(moves)
        else:  # a world that was met after a fault that came late, and is reached sooner after an earlier one
            self.worlds[number], self.parents[number], self.places[number] = world, parent, place
            self.moves_to[number] = moves
        self._is_to_be_looked_at(number, self.to_look_at[world.faults], moves)
        return number

    def _is_to_be_looked_at(self, number: int, levels: list[list[int]], moves: int) -> None:
        while len(levels) <= moves:
            levels.append([])
        levels[moves].append(number)

    def _look_at(self, number: int, free: dict[int, list[int]]) -> Counterexample | None:
        world, moves = self.worlds[number], self.moves_to[number] + 1
        if broken := self.rest.broken(world):
            return self._way_to(number, broken)
        following = free[number] = []
        for place, (move, after, broken) in enumerate(self.moves.after(world)):
            self.transitions += 1
            if broken:
                return self._way_to(number, broken, place)
            met = self._meet(after, number, place, moves)
            if move.cost == 0:
                following.append(met)
        return None

    def _limit(self) -> str:
        progress = self._progress()
        if self.report:
            self.report(progress)
        if self.timeout_s is not None and progress.seconds >= self.timeout_s:
            return f"--timeout {self.timeout_s:g}"
        return f"--max-states {self.max_states}" if progress.states >= self.max_states else ""

    def _progress(self) -> Progress:
        seconds = time.monotonic() - self.begun
        return Progress(len(self.worlds), len(self.worlds) - self.looked_at, self.transitions, seconds)

    def _found(self, cut_by: str, counterexample: Counterexample | None) -> Found:
        exhausted = self.looked_at == len(self.worlds) and not cut_by
        return Found(self.moves, self.faults, self._progress(), exhausted, cut_by, counterexample)

    def _never_ends(self, free: dict[int, list[int]]) -> Counterexample | None:
        """The nearest of the worlds just looked at from which no rest can be reached without a fault."""
        reaches: set[int] = set()
        stuck, looked = [*free], 0
        while len(stuck) != looked:  # free moves lead mostly to worlds met later, so that few rounds are needed
            looked, left = len(stuck), []
            for number in reversed(stuck):
                if reaches.isdisjoint(free[number]) and not self.rest.is_at_rest(self.worlds[number]):
                    left.append(number)
                else:
                    reaches.add(number)
            stuck = left[::-1]
        if not stuck:
            return None
        circle = circle_from(self.moves, self.worlds[stuck[0]])
        return self._way_to(stuck[0], circle.broken(), *circle.places)

    def _raises_whenever_asked(self) -> Counterexample | None:
        """The first time that a function was asked which raised at every time."""
        ran = self.moves.stage.ran
        if (broken := ran.broken()) is None:
            return None
        nearest = sorted(
            range(len(self.worlds)), key=lambda number: (-self.worlds[number].faults, self.moves_to[number])
        )
        for number in nearest:
            for place, (move, _, _) in enumerate(self.moves.after(self.worlds[number])):
                if move.what == "acts outside" and ran.broken(move.step, move.kind):
                    return self._way_to(number, broken, place)
        return None

    def _way_to(self, number: int, broken: Broken, *on: int) -> Counterexample:
        """The way to a world, and on from there."""
        places = [*reversed(on)]
        while self.parents[number] >= 0:
            places.append(self.places[number])
            number = self.parents[number]
        return counterexample(self.moves, self.worlds[0], tuple(reversed(places)), broken)


def counterexample(moves: Moves, first: World, places: tuple[int, ...], broken: Broken) -> Counterexample:
    """The trace that some moves lead along."""
    trace, world = [], first
    for place in places:
        move, after, _ = _nth(moves, world, place)
        trace.append(Seen(move, world, after))
        world = after
    return Counterexample(broken, tuple(trace), places)


def _nth(moves: Moves, world: World, place: int) -> Next:
    for number, following in enumerate(moves.after(world)):
        if number == place:
            return following
    raise IndexError(f"this world has no move number {place}")
