"""What must hold of a world as a whole: at any moment, and when nothing is on its way any more."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from amends.checking.exceptions import Raised, breaks_rule, name_of
from amends.checking.layout import WorldLayout
from amends.checking.outside import OutsideSystems
from amends.checking.read_back import READ_BACK
from amends.checking.serial import Serial
from amends.checking.values import by_fields, frozen, same, told
from amends.checking.world import Broken, World, Wrong
from amends.core.definition import Step
from amends.core.state import Abandoned, Compensated, Completed, Forward, NeedsOperator, awaited, underway


class Rest:
    """The rules for worlds of a scenario."""

    def __init__(self, layout: WorldLayout) -> None:
        self.layout = layout
        self.scenario = layout.scenario
        self.start = layout.first(0)
        self.serial = Serial(layout)
        self.outside = OutsideSystems(layout)
        self._never: dict[tuple[tuple[int, ...], tuple[int, ...]], Broken | None] = {}

    def broken(self, world: World) -> Broken | None:
        """The first rule that a world breaks; that a function of the scenario raises breaks one, too."""
        if self.layout.unreadable:
            return Broken(READ_BACK, self.layout.unreadable[0])
        try:
            if self.scenario.never and (broken := self._forbidden(world)):
                return broken
            return self._at_rest(world) if self.is_at_rest(world) else None
        except Raised as raised:
            return raised.broken

    def is_at_rest(self, world: World) -> bool:
        """Whether nothing is on its way and no saga waits for an answer."""
        return not world.flight and not any(any(awaited(self.layout.runs[run].state)) for run in world.runs)

    def _forbidden(self, world: World) -> Broken | None:
        seen = world.cells, world.books
        if seen not in self._never:
            self._never[seen] = self._first_forbidden(*seen)
        return self._never[seen]

    def _first_forbidden(self, cells: tuple[int, ...], books: tuple[int, ...]) -> Broken | None:
        view = self.layout.view(cells, books)
        for rule in self.scenario.never:
            name, handed = name_of(rule), deepcopy(view)
            with breaks_rule(f"never: {name}", name, f"asked with {told(view)}"):
                wrong = rule(handed)
            if wrong:
                return Broken(f"never: {name}", wrong if isinstance(wrong, str) else f"{name} is true")
            if frozen(handed) != frozen(view):
                text = f"{name} changed what it looks at: {told(view)} became {told(handed)}"
                return Broken(f"never: {name}", text)
        return None

    def _at_rest(self, world: World) -> Broken | None:
        states = [self.layout.runs[run].state for run in world.runs]
        for saga, state in enumerate(states):
            name = self.layout.ids[saga]
            if isinstance(state, NeedsOperator | Abandoned):
                if broken := self._untold(world, saga):
                    return broken
                continue
            if not isinstance(state, Completed | Compensated):
                return Broken("every saga ends", f"{name} neither ended nor waits for anybody: {state}")
            if broken := self._wrong_effects(world, saga, completed=isinstance(state, Completed)):
                return broken
            if isinstance(state, Completed) and (
                broken := self.layout.children.broken(name, self.layout.run(world, saga))
            ):
                return broken
        if any(isinstance(state, NeedsOperator | Abandoned) for state in states):
            return None
        completed = [isinstance(state, Completed) for state in states]
        if broken := self._wrong_entities(world, completed):
            return broken
        with breaks_rule("all or nothing is left", "a function of the world outside (leaves=, view=, a model)"):
            return self.outside.broken(world, completed)

    def _untold(self, world: World, saga: int) -> Broken | None:
        """An operator is told all that is owed: what stands is to be undone, or what does not is to be done."""
        run = self.layout.run(world, saga)
        at = underway(run.state)
        owed = run.outstanding()
        forward = isinstance(at, Forward) and at.group >= run.saga.pivot
        forward = forward or (at is None and any(name.endswith("/do") for name in owed))
        for each in self.layout.steps_of[saga].values():
            stands, name = self.layout.stands(world, saga, each), f"{each.event}/{'do' if forward else 'undo'}"
            if stands is not None and (stands == 0 if forward else stands > 0) and name not in owed:
                text = f"{self.layout.ids[saga]} is left to an operator, who is told of {owed}, and not of {name}"
                return Broken("an operator is told what is owed", text)
        return None

    def _wrong_effects(self, world: World, saga: int, *, completed: bool) -> Broken | None:
        """All or nothing: what stands of each step, by the participants' books, not by ours."""
        name, ended = self.layout.ids[saga], "completed" if completed else "compensated"
        for each in self.layout.steps_of[saga].values():
            stands = self.layout.stands(world, saga, each)
            enough = stands is not None and stands >= 1 if each.at_least_once else stands == 1
            if stands is not None and not (enough if completed else stands == 0):
                text = f"{name} {ended}, and {each.event} stands {stands} times"
                text += "" if completed else self.layout.unheard(world, saga, each)
                return Broken("all or nothing is left", text)
        return None

    def _wrong_entities(self, world: World, completed: list[bool]) -> Broken | None:
        if len(completed) > 1 and (broken := self.serial.broken(world, completed)):
            return broken
        for place, cell in enumerate(self.layout.cells):
            found = self._wrong_alone(world, place, cell) if completed == [False] else None
            if found := found or self._still_held(world, place, cell):
                return found
            if completed == [True]:
                self._look_at_holds(world, place, cell)
        return None

    def _look_at_holds(self, world: World, place: int, cell: tuple[str, str]) -> None:
        before, after = self.layout.entities[self.start.cells[place]], self.layout.entities[world.cells[place]]
        for each in self._steps_on(0, cell):
            request = deepcopy(self.layout.requests[0])
            self.layout.undeclared_holds.look(self.layout.run(world, 0), each, before, after, request)

    def _steps_on(self, saga: int, cell: tuple[str, str]) -> Iterator[Step]:
        return (each for each in self.layout.local_steps[saga] if self.layout.cell_of.get((saga, each.event)) == cell)

    def _wrong_alone(self, world: World, place: int, cell: tuple[str, str]) -> Broken | None:
        """A saga that ran alone and was compensated: everything is as before, but for what is left on purpose."""
        before, after = self.layout.entities[self.start.cells[place]], self.layout.entities[world.cells[place]]
        expected = before
        for each in self._steps_on(0, cell):
            if each.leaves and self.layout.inbox(world, 0, each.event).done:
                with breaks_rule("what is compensated is as before", f"{each.event}'s leaves=", f"of {told(expected)}"):
                    expected = each.leaves(deepcopy(expected), self.layout.requests[0])
        if same(after, expected):
            return None
        text = f"{'/'.join(cell)} is {told(after)}; it was to be {told(expected)}{by_fields(after)}"
        return Broken("what is compensated is as before", text, (Wrong("/".join(cell), expected, after),))

    def _still_held(self, world: World, place: int, cell: tuple[str, str]) -> Broken | None:
        before, after = self.layout.entities[self.start.cells[place]], self.layout.entities[world.cells[place]]
        for saga in range(len(world.runs)):
            for each in self._steps_on(saga, cell):
                for name in each.holds:
                    was, is_now = getattr(before, name, None), getattr(after, name, None)
                    if was != is_now:
                        text = f"{'/'.join(cell)}.{name} is {is_now!r}, and was {was!r}: {each.event} holds it"
                        return Broken("nothing is held once all sagas have ended", text)
        return None
