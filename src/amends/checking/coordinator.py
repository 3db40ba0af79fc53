"""What the coordinator does: `step`, and everything around it that a crash can lose."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple, cast

from amends.checking.coordinator_rules import broken_rules
from amends.checking.layout import WorldLayout
from amends.checking.operators import verbs
from amends.checking.values import frozen
from amends.checking.world import Broken, Message, Move, Next, What, World, add, put, short
from amends.core.definition import Step
from amends.core.messages import (
    Answered,
    Cancel,
    DeadlinePassed,
    Done,
    Halt,
    Input,
    Kind,
    Outcome,
    Refused,
    Resolve,
    TimedOut,
    Unknown,
)
from amends.core.state import awaited, member_of, underway
from amends.core.step import step

SOON_MS: Final = 0
AFTER_EVERY_LIMIT_MS: Final = 10**15  # 30 000 years
TIMES: Final[tuple[tuple[int, What], ...]] = ((SOON_MS, "times out"), (AFTER_EVERY_LIMIT_MS, "gives up"))


class Stepped(NamedTuple):
    """What an input did to a run: the run after, the messages that go out, the rule it broke."""

    run: int
    sends: tuple[int, ...]
    broken: Broken | None


class CoordinatorMoves:
    """The moves of the coordinator."""

    def __init__(self, layout: WorldLayout) -> None:
        self.layout = layout
        self._stepped: dict[tuple[int, int, int, Hashable], Stepped] = {}

    def heard(self, world: World, message: Message, number: int) -> Iterator[Next]:
        """The coordinator hears an answer, by its number; it may crash before any of the sends that follow."""
        assert message.outcome is not None, "an answer has an outcome"
        said = Answered(message.step, message.kind, message.outcome)
        move = Move("hears", message.saga, message.step, message.kind, short(message.outcome))
        yield from self._told(world, message.saga, said, SOON_MS, move, number)
        if isinstance(
            message.outcome, Unknown
        ):  # a participant that always fails uses up the time for further attempts
            late = move._replace(note=f"{move.note}, and no time is left")
            yield from self._told(world, message.saga, said, AFTER_EVERY_LIMIT_MS, late, number)

    def clock(self, world: World, saga: int) -> Iterator[Next]:
        """A request's time runs out: for nothing when neither it nor an answer is on its way, else it was slow."""
        run = self.layout.run(world, saga)
        if underway(run.state) is None:
            return
        flying = {other[:3] for other in map(self.layout.messages.__getitem__, world.flight)}
        for member, kind in awaited(run.state):
            each = member_of(run.saga, run.state, member)
            event = each.event
            cost = int((saga, event, kind) in flying)
            if each.wait is not None:
                yield from self._wait_ends(world, saga, each, cost)
            elif cost <= world.faults:
                less = world._replace(faults=world.faults - cost)
                for now_ms, what in TIMES:
                    move = Move(what, saga, event, kind, cost=cost)
                    yield from self._told(less, saga, TimedOut(event, kind), now_ms, move)
        if world.faults:
            yield from self._turned_back(world, saga, Cancel(), Move("cancel", saga, cost=1))
            if run.deadline_ms is not None:
                yield from self._turned_back(world, saga, DeadlinePassed(), Move("deadline", saga, cost=1))

    def _wait_ends(self, world: World, saga: int, each: Step, cost: int) -> Iterator[Next]:
        """The time of a wait is over, at any moment; or that of a reminder, where a person is notified."""
        said, about = TimedOut(each.event, Kind.DO), (saga, each.event)
        if each.action is not None and cost <= world.faults:
            less = world._replace(faults=world.faults - cost)
            yield from self._told(less, saga, said, SOON_MS, Move("times out", *about, cost=cost))
        move = Move("pause ends" if each.wait and each.wait.is_pause else "gives up", *about)
        yield from self._told(world, saga, said, AFTER_EVERY_LIMIT_MS, move)

    def people(self, world: World, saga: int) -> Iterator[Next]:
        """Who is asked by a wait says yes or no, at any moment: also again, otherwise, and when it is too late.

        An answer that leaves the saga where it is has no effect: an engine refuses it.
        """
        state = self.layout.run(world, saga).state
        for each, number in self._words_of_people(saga):
            said = Answered(each.event, Kind.DO, cast("Outcome", self.layout.messages[number].outcome))
            run, _, broken = self.stepped(saga, world.runs[saga], said, SOON_MS, number)
            if broken or self.layout.runs[run].state != state:
                move = Move("answers", saga, each.event, Kind.DO, short(said.outcome))
                yield from self._told(world, saga, said, SOON_MS, move, number)

    def _words_of_people(self, saga: int) -> Iterator[tuple[Step, int]]:
        """What the people may say whom a saga asks, each by its number: yes, with an answer of the type, and no."""
        for each in self.layout.steps_of[saga].values():
            if each.wait is not None and not each.wait.is_pause:
                given = self.layout.scenario.answers.get(each.event, ())
                made_up = Done(f"answer of {each.service}"), Refused(f"{each.service} said no")
                for outcome in given or made_up:
                    message = Message(saga, each.event, Kind.DO, None, outcome)
                    yield each, self.layout.heard(message, is_typed=bool(given))

    def operator(self, world: World, saga: int) -> Iterator[Next]:
        """An operator says something to a saga that waits for one."""
        for verb, event, kind, note in verbs(self.layout, world, saga):
            run, _, broken = self.stepped(saga, world.runs[saga], verb, SOON_MS)
            if broken or run != world.runs[saga]:
                move = Move("operator", saga, event, kind, f"an operator {note}")
                yield from self._told(world, saga, verb, SOON_MS, move)

    def halts(self, world: World, saga: int) -> Iterator[Next]:
        """A step can be neither asked nor heard any more, as one whose entity cannot be read."""
        run, less = self.layout.run(world, saga), world._replace(faults=world.faults - 1)
        for member, kind in awaited(run.state):
            event = member_of(run.saga, run.state, member).event
            said, move = Halt(event, "it cannot be asked"), Move("halts", saga, event, kind, cost=1)
            yield from self._told(less, saga, said, SOON_MS, move)

    def _turned_back(self, world: World, saga: int, said: Input, move: Move) -> Iterator[Next]:
        """A wish that comes at any moment; the core says when it is too late, and nothing changes then."""
        run, _, broken = self.stepped(saga, world.runs[saga], said, SOON_MS)
        if broken or run != world.runs[saga]:
            yield from self._told(world._replace(faults=world.faults - 1), saga, said, SOON_MS, move)

    def _told(
        self, world: World, saga: int, said: Input, now_ms: int, move: Move, number: int | None = None
    ) -> Iterator[Next]:
        run, sends, broken = self.stepped(saga, world.runs[saga], said, now_ms, number)
        moved = world._replace(runs=put(world.runs, saga, run))
        yield Next(move, moved._replace(flight=add(world.flight, sends)), broken)
        if world.faults and broken is None:
            for count in range(len(sends)):
                unsent = self.layout.messages[sends[count]]
                crashed = moved._replace(flight=add(world.flight, sends[:count]))
                aside = f"crashed before it sent {unsent.step}/{unsent.kind.value}"
                yield self.recovered(crashed, move._replace(aside=aside, cost=move.cost + 1))

    def recovered(self, world: World, move: Move) -> Next:
        """The coordinator starts again: what was stored is left, and every request counts as timed out."""
        world = world._replace(faults=world.faults - 1)
        for saga in range(len(world.runs)):
            run = self.layout.run(world, saga)
            for member, kind in awaited(run.state):
                said = TimedOut(member_of(run.saga, run.state, member).event, kind)
                number, sends, broken = self.stepped(saga, world.runs[saga], said, SOON_MS)
                world = world._replace(runs=put(world.runs, saga, number), flight=add(world.flight, sends))
                if broken:
                    return Next(move, world, broken)
        return Next(move, world)

    def stepped(self, saga: int, run: int, said: Input, now_ms: int, number: int | None = None) -> Stepped:
        """A step of the core, taken once; an answer is known by the number of its message."""
        about = frozen(said) if isinstance(said, Resolve) else said  # which has an answer, as an answer does
        key = (saga, run, now_ms, about if number is None else number)
        stepped = self._stepped.get(key)
        if stepped is None:
            before = self.layout.runs[run]._replace(saga_id=self.layout.ids[saga])
            after, effects = step(before, said, now_ms)
            sends = tuple(self.layout.sent(saga, effects))
            stepped = Stepped(self.layout.kept(after), sends, broken_rules(before, said, now_ms, after, effects))
            self._stepped[key] = stepped
        return stepped
