"""What may happen first without a loss: a part of a world's moves that stands for all of them.

Moves that touch nothing in common come to the same world in either order, so that one order is enough. What is chosen
here is a persistent set: nothing outside of it, now or later, depends on it until one of it has happened. docs/adr/0017
says why no verdict is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from amends.checking.coordinator import SOON_MS, Stepped
from amends.checking.layout import WorldLayout
from amends.checking.world import World
from amends.core.messages import Answered, Input, Kind, Unknown
from amends.core.state import Backward, Finished, NeedsOperator, awaited, member_of, underway

NOWHERE: Final = -1
StepOf = Callable[[int, int, Input, int, int], Stepped]
"""Saga, run, what is said, when, by which message, to what the coordinator does."""


class First(NamedTuple):
    """The moves that come first.

    Attributes:
        messages: what is on its way and arrives, or is lost.
        saga: whose clock may run out, and to which clients and operators may say something; `NOWHERE` for none.
    """

    messages: tuple[int, ...]
    saga: int = NOWHERE


class About(NamedTuple):
    """A message, as far as it matters who else touches what it does.

    Attributes:
        saga: place of the saga.
        step: event name.
        kind: what is, or was, asked.
        spot: what it touches beside its inbox: an entity, or books; `NOWHERE` for an answer.
        inbox: place of the inbox of a local step; `NOWHERE` for an answer, and of a step outside.
    """

    saga: int
    step: str
    kind: Kind
    spot: int
    inbox: int


class Independent:
    """Finds what comes first in a world."""

    def __init__(self, layout: WorldLayout, step_of: StepOf) -> None:
        self.layout = layout
        self.step_of = step_of
        self.spots = self._all_spots()
        self._about: dict[int, About] = {}
        self._reached: dict[tuple[int, int], frozenset[int]] = {}
        self._heard: dict[tuple[int, int, tuple[int, ...]], tuple[int, tuple[int, ...]] | None] = {}

    def first(self, world: World) -> First | None:
        """What comes first; ``None`` where only everything together does.

        While a fault may still happen, it may happen at any moment: what is late then may be overtaken. Only what can
        be overtaken by nothing comes first: a double that its inbox knows, and an answer to a saga that has ended.
        """
        flight = [(number, self._of(number)) for number in dict.fromkeys(world.flight)]
        for number, about in flight:
            if self._changes_nothing(world, about):
                return First((number,))
        if world.faults:
            return None
        for number, about in flight:
            if about.spot != NOWHERE and self._is_met_by_none(world, number, about, flight):
                return First((number,))
        for saga in range(len(world.runs)):
            if first := self._of_one_saga(world, saga, flight):
                return first
        return None

    def _all_spots(self) -> dict[tuple[int, str], int]:
        """What each step of each saga touches; the same number for what is the same."""
        numbers: dict[object, int] = {}
        spots = {}
        for saga in range(len(self.layout.ids)):
            for each in self.layout.steps_of[saga].values():
                place: object = self.layout.cell_of.get((saga, each.event), (each.service,))
                if not each.is_local and (each.action is None or self.layout.models[each.service].keyed):
                    place = (saga, each.event)
                spots[saga, each.event] = numbers.setdefault(place, len(numbers))
        return spots

    def _of(self, number: int) -> About:
        if number not in self._about:
            message = self.layout.messages[number]
            saga, step = message.saga, message.step
            is_request = message.outcome is None
            self._about[number] = About(
                saga,
                step,
                message.kind,
                self.spots[saga, step] if is_request else NOWHERE,
                self.layout.inbox_at.get((saga, step), NOWHERE) if is_request else NOWHERE,
            )
        return self._about[number]

    def _changes_nothing(self, world: World, about: About) -> bool:
        """Whether a message changes nothing but what is on its way, whenever it arrives."""
        if about.spot == NOWHERE:
            return isinstance(self.layout.runs[world.runs[about.saga]].state, Finished)
        if about.inbox == NOWHERE:
            return False
        answers = self.layout.inboxes[world.inboxes[about.inbox]].answers
        return any(name == about.kind.value for name, _ in answers)

    def _is_met_by_none(self, world: World, number: int, about: About, flight: list[tuple[int, About]]) -> bool:
        """Whether nothing else can touch what a request does before it arrives: its own saga waits for it."""
        is_wait = self.layout.steps_of[about.saga][about.step].wait is not None  # who is notified may answer before
        if is_wait or self.layout.scenario.never or not self._waits_for(world, about):
            return False
        for other_number, other in flight:
            if other_number != number and other.saga == about.saga:
                same_step, other_group = other.step == about.step, self._group(other) != self._group(about)
                if same_step or (other.spot != NOWHERE and (other_group or other.spot == about.spot)):
                    return False
        group = self.layout.sagas[about.saga].groups[self._group(about)]
        shared = sum(self.spots[about.saga, each.event] == about.spot for each in group) > 1
        return not shared and not self._is_contended(world, about.saga, about.spot, flight)

    def _waits_for(self, world: World, about: About) -> bool:
        state = self.layout.runs[world.runs[about.saga]].state
        at = underway(state)
        if at is None or at.group != self._group(about):
            return False
        group = self.layout.sagas[about.saga].groups[at.group]
        return any(group[member].event == about.step and kind is about.kind for member, kind in awaited(state))

    def _group(self, about: About) -> int:
        return self.layout.groups_of[about.saga][about.step]

    def _is_contended(self, world: World, saga: int, spot: int, flight: list[tuple[int, About]]) -> bool:
        """Whether another saga may still touch a spot."""
        return any(about.spot == spot and about.saga != saga for _, about in flight) or any(
            spot in self._still_reached(other, run) for other, run in enumerate(world.runs) if other != saga
        )

    def _still_reached(self, saga: int, run: int) -> frozenset[int]:
        """What the requests of a saga touch that it may still send."""
        key = (saga, run)
        if key not in self._reached:
            state = self.layout.runs[run].state
            at, groups = underway(state), self.layout.sagas[saga].groups
            if at is None:
                groups = ()
            elif isinstance(at, Backward):
                groups = groups[: at.group + 1]
            elif at.group > self.layout.sagas[saga].pivot:
                groups = groups[at.group :]
            self._reached[key] = frozenset(self.spots[saga, each.event] for group in groups for each in group)
        return self._reached[key]

    def _of_one_saga(self, world: World, saga: int, flight: list[tuple[int, About]]) -> First | None:
        """All that a saga can do next, where no other saga touches any of it."""
        run = world.runs[saga]
        mine = [(number, about) for number, about in flight if about.saga == saga]
        spots = [about.spot for _, about in mine if about.spot != NOWHERE]
        if spots and (self.layout.scenario.never or any(self._is_contended(world, saga, s, flight) for s in spots)):
            return None
        numbers = tuple(number for number, _ in mine)
        flying = {(about.step, about.kind) for _, about in mine}
        definition, state = self.layout.sagas[saga], self.layout.runs[run].state
        waits = [(member_of(definition, state, member).event, kind) for member, kind in awaited(state)]
        if not flying.issuperset(waits) or self._asks_a_person(run):
            return First(numbers, saga)
        if not numbers:
            return None
        answers = tuple(number for number in world.flight if number in numbers)
        if not spots and not self._is_told(run) and self._comes_to(saga, run, answers):
            return First(numbers[:1])
        return First(numbers, saga)

    def _is_told(self, run: int) -> bool:
        """Whether an operator may say something to a saga, beside what else it hears."""
        return bool(self.layout.scenario.operators) and isinstance(self.layout.runs[run].state, NeedsOperator)

    def _asks_a_person(self, run: int) -> bool:
        """Whether a person of the saga's group may say a word at any moment, also too late, or a time may be over."""
        definition, at = self.layout.runs[run].saga, underway(self.layout.runs[run].state)
        return at is not None and any(each.wait is not None for each in definition.groups[at.group])

    def _comes_to(self, saga: int, run: int, answers: tuple[int, ...]) -> tuple[int, tuple[int, ...]] | None:
        """The run, and what it sends, when some answers were heard, if that is the same in every order.

        ``None`` where it is not, where something is sent before the last was heard, or where one breaks a rule.
        """
        key = (saga, run, answers)
        if key not in self._heard:
            self._heard[key] = self._heard_in_any_order(saga, run, answers)
        return self._heard[key]

    def _heard_in_any_order(self, saga: int, run: int, answers: tuple[int, ...]) -> tuple[int, tuple[int, ...]] | None:
        ends = []
        for place, number in enumerate(answers):
            message = self.layout.messages[number]
            assert message.outcome is not None, "an answer has an outcome"
            if isinstance(message.outcome, Unknown):  # it may come at either of two times
                return None
            said = Answered(message.step, message.kind, message.outcome)
            stepped = self.step_of(saga, run, said, SOON_MS, number)
            rest = answers[:place] + answers[place + 1 :]
            end = self._comes_to(saga, stepped.run, rest) if rest else (stepped.run, stepped.sends)
            may_hear_more = self._is_told(stepped.run) or self._asks_a_person(stepped.run)
            if stepped.broken or end is None or (rest and (stepped.sends or may_hear_more)):
                return None
            ends.append(end)
        return ends[0] if all(end == ends[0] for end in ends) else None
