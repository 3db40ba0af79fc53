"""What must hold of a world as a whole: at any moment, and when nothing is on its way any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amends.checking.serial import Serial, replay
from amends.checking.stage import Stage
from amends.checking.world import Broken, World
from amends.core.definition import Step, takes_call
from amends.core.messages import Kind
from amends.core.state import Abandoned, Compensated, Completed, Forward, NeedsOperator, asked, underway


class Rest:
    """The rules for worlds of a scenario."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.scenario = stage.scenario
        self.start = stage.first(0)
        self.serial = Serial(stage)
        self._never: dict[tuple[int, ...], Broken | None] = {}

    def broken(self, world: World) -> Broken | None:
        """The first rule that a world breaks."""
        if self.scenario.never and (broken := self._forbidden(world.cells)):
            return broken
        return self._at_rest(world) if self.is_at_rest(world) else None

    def is_at_rest(self, world: World) -> bool:
        """Whether nothing is on its way and nobody waits for an answer."""
        return not world.flight and not any(any(asked(self.stage.runs[run].state)) for run in world.runs)

    def _forbidden(self, cells: tuple[int, ...]) -> Broken | None:
        if cells not in self._never:
            self._never[cells] = self._first_forbidden(cells)
        return self._never[cells]

    def _first_forbidden(self, cells: tuple[int, ...]) -> Broken | None:
        for rule in self.scenario.never:
            if wrong := rule(self.stage.view(cells)):
                name = getattr(rule, "__name__", repr(rule))
                return Broken(f"never: {name}", wrong if isinstance(wrong, str) else f"{name} is true")
        return None

    def _at_rest(self, world: World) -> Broken | None:
        states = [self.stage.runs[run].state for run in world.runs]
        for saga, state in enumerate(states):
            name = self.stage.ids[saga]
            if isinstance(state, NeedsOperator):
                if broken := self._untold(world, saga):
                    return broken
                continue
            if not isinstance(state, Completed | Compensated | Abandoned):
                return Broken("every saga ends", f"{name} neither ended nor waits for anybody: {state}")
            if broken := self._wrong_effects(world, saga, completed=isinstance(state, Completed)):
                return broken
        if any(isinstance(state, NeedsOperator) for state in states):
            return None
        return self._wrong_entities(world, [isinstance(state, Completed) for state in states])

    def _untold(self, world: World, saga: int) -> Broken | None:
        """An operator is told all that is owed: what stands is to be undone, or what does not is to be done."""
        run = self.stage.run(world, saga)
        at = underway(run.state)
        forward = isinstance(at, Forward) and at.group >= self.stage.saga.pivot
        owed = run.outstanding()
        for each in self.stage.steps.values():
            stands, name = self.stage.stands(world, saga, each), f"{each.event}/{'do' if forward else 'undo'}"
            if stands is not None and (stands == 0 if forward else stands > 0) and name not in owed:
                text = f"{self.stage.ids[saga]} waits for an operator, who is told of {owed}, and not of {name}"
                return Broken("an operator is told what is owed", text)
        return None

    def _wrong_effects(self, world: World, saga: int, *, completed: bool) -> Broken | None:
        """All or nothing: what stands of each step, by the participants' books, not by ours."""
        name, ended = self.stage.ids[saga], "completed" if completed else "compensated"
        for each in self.stage.steps.values():
            stands = self.stage.stands(world, saga, each)
            enough = stands is not None and stands >= 1 if each.at_least_once else stands == 1
            if stands is not None and not (enough if completed else stands == 0):
                text = f"{name} {ended}, and {each.event} stands {stands} times"
                return Broken("all or nothing is left", text)
        return self._wrong_books(world) if len(world.runs) == 1 and not completed else None

    def _wrong_books(self, world: World) -> Broken | None:
        for (service, model), number in zip(self.stage.models.items(), world.books, strict=True):
            books = self.stage.books[number]
            if model.standing is None and books != model.start:
                text = f"{service} (outside) has {books!r}, and had {model.start!r}"
                return Broken("all or nothing is left", text)
        return None

    def _wrong_entities(self, world: World, completed: list[bool]) -> Broken | None:
        for place, cell in enumerate(self.stage.cells):
            found = self._wrong_alone(world, place, cell, completed[0]) if len(completed) == 1 else None
            found = found or (self._wrong_among(world, place, cell, completed) if len(completed) > 1 else None)
            found = found or self._still_held(world, place, cell)
            if found:
                return found
        return None

    def _steps_on(self, saga: int, cell: tuple[str, str]) -> Iterator[Step]:
        request = self.scenario.requests[saga]
        return (s for s in self.stage.local_steps if s.entity and (s.service, s.entity(request)) == cell)

    def _wrong_alone(self, world: World, place: int, cell: tuple[str, str], completed: bool) -> Broken | None:
        """A saga that ran alone and was compensated: everything is as before, but for what is left on purpose."""
        if completed:
            return None
        before, after = self.stage.entities[self.start.cells[place]], self.stage.entities[world.cells[place]]
        expected = before
        for each in self._steps_on(0, cell):
            if each.leaves and self.stage.inbox(world, 0, each.event).done:
                expected = each.leaves(expected, self.scenario.requests[0])
        if after == expected:
            return None
        return Broken("what is compensated is as before", f"{_at(cell)} is {after!r}; it was to be {expected!r}")

    def _wrong_among(self, world: World, place: int, cell: tuple[str, str], completed: list[bool]) -> Broken | None:
        """Among others: as if the compensated sagas had never been (the replay rule).

        Only the requests of completed sagas are replayed, in the order in which they took effect, on the entities of
        the start; the entities and the answers must be the same.
        """
        replayed = self.stage.entities[self.start.cells[place]]
        for message in self.stage.histories[world.history[place]]:
            each = self.stage.steps[message.step]
            if not completed[message.saga]:
                if message.kind is Kind.UNDO and each.leaves:
                    replayed = each.leaves(replayed, self.scenario.requests[message.saga])
                continue
            answer: object
            try:
                replayed, answer = replay(each, replayed, self.stage.request(message))
            except Exception as error:  # noqa: BLE001 - a user's decider, asked with what it never expected
                answer = f"{type(error).__name__}: {error}"
            given = dict(self.stage.inbox(world, message.saga, each.event).answers).get(Kind.DO.value)
            if answer != given:
                text = (
                    f"{self.stage.ids[message.saga]} {each.event} was answered {given!r}; without the sagas that were "
                    f"compensated it would have been {answer!r}. Hold first: give out only after the pivot what an "
                    "undo may take back"
                )
                return Broken("no dirty read", text)
        after = self.stage.entities[world.cells[place]]
        if after == replayed:
            return (
                self._not_serial(world, cell, after, completed) if self._is_written_from_a_read(world, place) else None
            )
        text = (
            f"{_at(cell)} is {after!r}; by the completed sagas alone it would be {replayed!r}. Make action and undo "
            "commutative (add and subtract), or check a version and read again"
        )
        return Broken("no lost update", text)

    def _is_written_from_a_read(self, world: World, place: int) -> bool:
        """Whether a step may have written to an entity what an earlier one of its saga read there.

        Where none has, no update can be lost; sagas may then come in another order at each of their steps.
        """
        for message in self.stage.histories[world.history[place]]:
            earlier = {each.event for each in self._steps_on(message.saga, self.stage.cells[place])}
            answers = message.call.answers if message.call else {}
            if takes_call(self.stage.steps[message.step].action) and not earlier.isdisjoint(answers):
                return True
        return False

    def _not_serial(self, world: World, cell: tuple[str, str], after: Any, completed: list[bool]) -> Broken | None:
        """Among completed sagas: an entity is as one after the other, in some order, would have left it."""
        possible = self.serial.after(world, cell, completed)
        if not possible or after in possible:
            return None
        text = (
            f"{_at(cell)} is {after!r}; one after the other, the completed sagas would leave "
            f"{' or '.join(dict.fromkeys(map(repr, possible)))}. Read and write in one step (hold first), or check a "
            "version and read again"
        )
        return Broken("no lost update", text)

    def _still_held(self, world: World, place: int, cell: tuple[str, str]) -> Broken | None:
        before, after = self.stage.entities[self.start.cells[place]], self.stage.entities[world.cells[place]]
        for saga in range(len(world.runs)):
            for each in self._steps_on(saga, cell):
                for name in each.holds:
                    was, is_now = getattr(before, name, None), getattr(after, name, None)
                    if was != is_now:
                        text = f"{_at(cell)}.{name} is {is_now!r}, and was {was!r}: {each.event} holds it"
                        return Broken("nothing is held once all sagas have ended", text)
        return None


def _at(cell: tuple[str, str]) -> str:
    return f"{cell[0]}/{cell[1]}"
