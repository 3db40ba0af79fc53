"""Everything that can happen next: the very `step`, inbox rule and deciders that run in production, and the faults.

The network may deliver in any order, for free. It costs a fault each: a message lost or doubled (a receiver that
crashes before it writes loses the request, one that crashes after it loses the answer), a participant that fails,
refuses, or is slower than its time limit, a coordinator that crashes between two of its I/Os and starts again, a
cancel, a deadline. Time has two values: soon, and after every limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from amends.checking.coordinator import CoordinatorMoves
from amends.checking.layout import WorldLayout
from amends.checking.partial_order import Independent
from amends.checking.participants import ParticipantMoves
from amends.checking.world import Message, Move, Next, What, World, add
from amends.core.messages import Kind


class Successors:
    """The successor relation of a stage.

    Args:
        layout: the scenario, laid out.
        reduced: leave out what comes to the same in another order; without it, everything that can happen does.
    """

    def __init__(self, layout: WorldLayout, *, reduced: bool = False) -> None:
        self.layout = layout
        self.coordinator = CoordinatorMoves(layout)
        self.participants = ParticipantMoves(layout)
        self.independent = Independent(layout, self.coordinator.stepped) if reduced else None

    def after(self, world: World) -> Iterator[Next]:
        """What can happen next, in a fixed order: everything, or what stands for it."""
        first = self.independent.first(world) if self.independent else None
        numbers = dict.fromkeys(world.flight) if first is None else first.messages  # equal messages are one
        for number in numbers:
            yield from self._with_message(world, world.flight.index(number), number)
        for saga in range(len(world.runs)):
            if first is None or first.saga == saga:
                yield from self._of_a_saga(world, saga)
        if world.faults and first is None:
            yield self.coordinator.recovered(world, Move("crash", 0, note="while it waits", cost=1))

    def _of_a_saga(self, world: World, saga: int) -> Iterator[Next]:
        """What comes to a saga by itself: its clock, its clients, its operators."""
        yield from self.coordinator.clock(world, saga)
        yield from self.coordinator.people(world, saga)
        if self.layout.scenario.operators:
            yield from self.coordinator.operator(world, saga)
            yield from self.coordinator.halts(world, saga) if world.faults else ()

    def _with_message(self, world: World, place: int, number: int) -> Iterator[Next]:
        message = self.layout.messages[number]
        without = world._replace(flight=world.flight[:place] + world.flight[place + 1 :])
        delivered = self._delivered(without, message, number)
        yield from delivered
        if world.faults:
            less = world.faults - 1
            about = (message.saga, message.step, message.kind)
            what: What = "lost request" if message.outcome is None else "lost answer"
            yield Next(Move(what, *about, cost=1), without._replace(faults=less))
            for move, after, broken in delivered:
                if move.cost == 0:
                    doubled = after._replace(flight=add(after.flight, (number,)), faults=less)
                    twice = move._replace(aside="a double of it is on its way", cost=1)
                    yield Next(twice, doubled, broken)
            if message.outcome is None:
                yield from self.participants.failing(without._replace(faults=less), message)

    def _delivered(self, world: World, message: Message, number: int) -> list[Next]:
        if message.outcome is not None:
            return [*self.coordinator.heard(world, message, number)]
        if message.kind is Kind.PROBE and self._may_still_act(world, message):
            return []
        return [*self.participants.asked(world, message, number)]

    def _may_still_act(self, world: World, probe: Message) -> bool:
        """Whether the action is still on its way: a probe is sent only when it no longer is (`settles_within_s`).

        Where a step promises too short a time, the probe comes before that.
        """
        each = self.layout.steps_of[probe.saga][probe.step]
        if self.layout.models[each.service].settles_late(each):
            return False
        flying = (self.layout.messages[number] for number in world.flight)
        about = (probe.saga, probe.step, Kind.DO)
        return any(message[:3] == about and message.outcome is None for message in flying)
