"""What comes to the same in another order is left out, and nothing is lost by it.

Compared with a walk over everything, which knows nothing of what is independent and keeps faults in its worlds.
``DEFINITIONS=200`` looks at as many drawn ones; ``make check-full`` does.
"""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

from amends.checking.explore import WorldSearch
from amends.checking.layout import WorldLayout
from amends.checking.rest import Rest
from amends.checking.successors import Successors
from amends.checking.world import Next, World
from amends.core.messages import Kind
from amends.errors import DefinitionError
from amends.scenario import Scenario
from tests.checking.any_saga import Drawn
from tests.checking.cases import together
from tests.checking.cases.case import Case
from tests.checking.planted.participant_bugs import BUGS

DEFINITIONS = int(os.environ.get("DEFINITIONS", "8"))
WORLDS_MAX = 3_000  # of a drawn definition; larger ones are passed over
NEVER_ENDS = "every saga ends"
Name = TypeVar("Name")


class Walk:
    """A walk over everything, which goes on where a rule is broken.

    Attributes:
        least: each rule that is broken anywhere, with the fewest faults at which it is.
    """

    def __init__(self, scenario: Scenario, faults: int) -> None:
        self.moves = Successors(WorldLayout(scenario))
        self.rest = Rest(self.moves.layout)
        self.faults = faults
        self.todo = [self.moves.layout.first(faults)]
        self.met = {*self.todo}
        self.free: dict[World, list[World]] = {}
        self.asked: dict[tuple[str, Kind], int] = {}
        self.least: dict[str, int] = {}

    def ends(self, worlds_max: int) -> bool:
        """Go everywhere; false when that was too much."""
        while self.todo and len(self.met) <= worlds_max:
            world = self.todo.pop()
            self.free[world] = []
            if broken := self.rest.broken(world):
                note(self.least, broken.rule, self.faults - world.faults)
            for following in self.moves.after(world):
                self.goes(world, following)
        for world in self.free.keys() - that_end(self.free, self.rest):
            note(self.least, NEVER_ENDS, self.faults - world.faults)
        if not self.least:  # told of when nothing else is
            for (event, kind), spent in self.asked.items():
                if broken := self.moves.layout.coverage.broken(event, kind):
                    note(self.least, broken.rule, spent)
        return not self.todo

    def goes(self, world: World, following: Next) -> None:
        """Make a move."""
        move, after, broken = following
        spent = self.faults - after.faults
        if move.what == "acts outside":
            note(self.asked, (move.step, move.kind), spent)
        if broken:
            note(self.least, broken.rule, spent)
            return
        if move.cost == 0:
            self.free[world].append(after)
        if after not in self.met:
            self.met.add(after)
            self.todo.append(after)


def note(least: dict[Name, int], name: Name, faults: int) -> None:
    """Keep the fewest faults of a rule, or of what was asked."""
    least[name] = min(faults, least.get(name, faults))


def that_end(free: dict[World, list[World]], rest: Rest) -> set[World]:
    """The worlds from which a rest is reached for free."""
    before: dict[World, list[World]] = {}
    for world, following in free.items():
        for after in following:
            before.setdefault(after, []).append(world)
    todo = [world for world in free if rest.is_at_rest(world)]
    ends = set(todo)
    while todo:
        new = [world for world in before.get(todo.pop(), ()) if world not in ends]
        ends.update(new)
        todo += new
    return ends


def compare(scenario: Scenario, faults: int, worlds_max: int = 60_000) -> bool:
    """Assert that the reduced search says what the walk over everything does; false when that was too much."""
    walk = Walk(scenario, faults)
    if not walk.ends(worlds_max):
        return False
    least = walk.least
    found = WorldSearch(Successors(WorldLayout(scenario), reduced=True), faults).run()
    shown = found.counterexample
    assert found.exhausted or shown
    assert (shown is None) == (not least), (shown and shown.broken, least)
    if shown:
        spent = sum(seen.move.cost for seen in shown.trace)
        assert spent == min(least.values())
        assert least.get(shown.broken.rule) == spent, (shown.broken, least)
    return True


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_all_the_same(bug: object) -> None:
    """The verdict, the fewest faults, and a rule that is broken with as few."""
    assert compare(bug.written, bug.faults)  # type: ignore[attr-defined]


@pytest.mark.parametrize("bug", [bug for bug in BUGS if len(bug.meant.requests) == 1], ids=lambda bug: bug.name)
def test_what_holds_holds_all_the_same(bug: object) -> None:
    """With as many faults as its bug takes, and at least one."""
    assert compare(bug.meant, max(1, bug.faults))  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", [c for c in together.CASES if len(c.buggy.requests) == 2], ids=lambda case: case.name)
def test_a_case_of_several_sagas_is_found_all_the_same(case: Case) -> None:
    """The bug, and that its twin has none."""
    assert compare(case.buggy, 0)
    assert compare(case.twin, 0)


def test_drawn_definitions_are_judged_all_the_same() -> None:
    """Whatever their shape, their models, and what is wrong with them."""
    compared = 0
    for number in range(DEFINITIONS):
        try:
            scenario = Drawn(number).scenario()
        except DefinitionError:
            continue
        for faults in (0, 1, 2):
            try:
                compared += compare(scenario, faults, WORLDS_MAX)
            except AssertionError as error:
                raise AssertionError(f"definition {number}, {faults} faults") from error
    assert compared > DEFINITIONS


def test_much_is_left_out() -> None:
    """Or it would not be worth it: of the moves of two sagas with a fault at least half."""
    scenario = together.CASES[0].twin
    everything, reduced = (
        WorldSearch(Successors(WorldLayout(scenario), reduced=each), 1).run() for each in (False, True)
    )
    assert everything.held
    assert reduced.held
    assert 2 * reduced.progress.transitions < everything.progress.transitions
