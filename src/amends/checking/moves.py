"""Everything that can happen next: the very `step`, inbox rule and deciders that run in production, and the faults.

The network may deliver in any order, for free. It costs a fault each: a message lost or doubled (a receiver that
crashes before it writes loses the request, one that crashes after it loses the answer), a participant that fails,
refuses, or is slower than its time limit, a coordinator that crashes between two of its I/Os and starts again, a
cancel, a deadline. Time has two values: soon, and after every limit.
"""

from __future__ import annotations

import copy
from bisect import insort
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any, Final, NamedTuple

from amends.checking.models import Model, honours_keys
from amends.checking.world import Inbox, Interned, Message, World, frozen
from amends.core.decide import can_turn_back
from amends.core.definition import Step, takes_call
from amends.core.inbox import receive
from amends.core.messages import (
    Answered,
    Call,
    Cancel,
    DeadlinePassed,
    Done,
    Effect,
    Input,
    Kind,
    Refused,
    Request,
    Send,
    TimedOut,
    Unknown,
)
from amends.core.scenario import Scenario
from amends.core.state import Backward, Forward, asked, underway
from amends.core.step import Run, start, step
from amends.core.walk import key_of

SOON_MS: Final = 0
AFTER_EVERY_LIMIT_MS: Final = 10**15  # 30 000 years


class Move(NamedTuple):
    """What happened between two worlds.

    Attributes:
        what: the kind of move, as `amends.checking.trace` tells it.
        saga: whose; place in the scenario.
        step: about which step; empty for the saga as a whole.
        kind: about which request.
        note: more, for a person.
        cost: faults.
    """

    what: str
    saga: int
    step: str = ""
    kind: Kind = Kind.DO
    note: str = ""
    cost: int = 0


class Broken(NamedTuple):
    """A rule that does not hold.

    Attributes:
        rule: which one, in a few words.
        text: how it was broken, with the values.
    """

    rule: str
    text: str


class Next(NamedTuple):
    """A move, the world after it, and the rule that it broke, if it broke one."""

    move: Move
    world: World
    broken: Broken | None = None


class Stepped(NamedTuple):
    """What an input did to a run: the run after, the messages that go out, the rule it broke."""

    run: int
    sends: tuple[int, ...]
    broken: Broken | None


class Moves:
    """The successor relation of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.saga = scenario.saga
        count = len(scenario.requests)
        self.ids = tuple(scenario.ids) or tuple(f"s{number}" for number in range(1, count + 1))
        self.runs: Interned[Run] = Interned()
        self.messages: Interned[Message] = Interned()
        self.entities: Interned[Any] = Interned()
        self.inboxes: Interned[Inbox] = Interned()
        self.books: Interned[Any] = Interned()
        self.histories: Interned[tuple[Message, ...]] = Interned()
        self.steps = {each.event: each for each in self.saga.every_step()}
        self.group_of = {each.event: number for number, group in enumerate(self.saga.groups) for each in group}
        self.local_steps = [each for each in self.steps.values() if each.is_local]
        self.cells = self._all_cells()
        self.models = self._all_models()
        self._cell_at = {cell: place for place, cell in enumerate(self.cells)}
        self._inbox_at = {
            (saga, each.event): place
            for place, (saga, each) in enumerate((s, e) for s in range(count) for e in self.local_steps)
        }
        self._book_at = {service: place for place, service in enumerate(self.models)}
        self._stepped: dict[tuple[int, int, int, Hashable], Stepped] = {}
        self._received: dict[tuple[int, int, int], tuple[int, int, int, Broken | None]] = {}
        self._replied: dict[tuple[int, int], list[tuple[int, tuple[int, ...], str, bool]]] = {}
        self._swaps = self._all_swaps()

    def _all_cells(self) -> list[tuple[str, str]]:
        given = [(service, key) for service, owned in self.scenario.given.items() for key in owned]
        touched = [
            (each.service, each.entity(request))
            for request in self.scenario.requests
            for each in self.local_steps
            if each.entity is not None
        ]
        return [*dict.fromkeys([*given, *touched])]

    def _all_models(self) -> dict[str, Model]:
        services = dict.fromkeys(each.service for each in self.steps.values() if not each.is_local)
        return {service: self.scenario.models.get(service) or honours_keys() for service in services}

    # Worlds ---------------------------------------------------------------------------------------------------

    def first(self, faults: int) -> World:
        """The world in which every saga has just started and its first requests are on their way."""
        started = [
            start(self.saga, name, request) for name, request in zip(self.ids, self.scenario.requests, strict=True)
        ]
        sends = [number for saga, (_, effects) in enumerate(started) for number in self._sent(saga, effects)]
        given = self.scenario.given
        return World(
            tuple(self._kept(run) for run, _ in started),
            tuple(sorted(sends)),
            tuple(self.inboxes.number(Inbox()) for _ in self._inbox_at),
            tuple(self.entities.number(given.get(service, {}).get(key)) for service, key in self.cells),
            tuple(self.books.number(model.start) for model in self.models.values()),
            tuple(self.histories.number(()) for _ in self.cells),
            faults,
        )

    def view(self, cells: tuple[int, ...]) -> dict[str, dict[str, Any]]:
        """Entities as a user sees them: service, then id, to entity; what does not exist is not in it."""
        owned: dict[str, dict[str, Any]] = {}
        for (service, key), number in zip(self.cells, cells, strict=True):
            kept = owned.setdefault(service, {})
            if (entity := self.entities[number]) is not None:
                kept[key] = entity
        return owned

    def run(self, world: World, saga: int) -> Run:
        """The run of a saga in a world."""
        return self.runs[world.runs[saga]]

    def inbox(self, world: World, saga: int, event: str) -> Inbox:
        """What a local participant keeps of a step."""
        return self.inboxes[world.inboxes[self._inbox_at[saga, event]]]

    def stands(self, world: World, saga: int, each: Step) -> int | None:
        """How often a step's effect stands; ``None`` when its model cannot tell."""
        if each.is_local:
            inbox = self.inbox(world, saga, each.event)
            return inbox.done - inbox.undone
        model = self.models[each.service]
        if model.standing is None:
            return None
        books = self.books[world.books[self._book_at[each.service]]]
        return model.standing(books).count(f"{self.ids[saga]}/{each.event}/do")

    # Symmetry -------------------------------------------------------------------------------------------------

    def _all_swaps(self) -> list[tuple[int, ...]]:
        """The renamings of sagas that change nothing: of equal requests, where nobody knows a saga by its name."""
        requests = self.scenario.requests
        if not all(each.is_local and not _knows_names(each) for each in self.steps.values()):
            return []
        same = [frozen(request) for request in requests]
        renamings = permutations(range(len(requests)))
        return [way for way in renamings if all(same[old] == same[new] for old, new in enumerate(way))][1:]

    def canonical(self, world: World) -> World:
        """The same world for all that differ by the names of equal sagas."""
        return min([world, *(self._renamed(world, way) for way in self._swaps)]) if self._swaps else world

    def _renamed(self, world: World, way: tuple[int, ...]) -> World:
        count = len(self.local_steps)
        histories = (tuple(_as(message, way) for message in self.histories[number]) for number in world.history)
        return world._replace(
            runs=tuple(world.runs[old] for old in way),
            flight=tuple(sorted(self.messages.number(_as(self.messages[number], way)) for number in world.flight)),
            inboxes=tuple(n for old in way for n in world.inboxes[old * count : (old + 1) * count]),
            history=tuple(self.histories.number(history) for history in histories),
        )

    # Moves ----------------------------------------------------------------------------------------------------

    def after(self, world: World) -> Iterator[Next]:
        """Everything that can happen next, in a fixed order."""
        last = -1
        for place, number in enumerate(world.flight):
            if number != last:  # equal messages are one
                last = number
                yield from self._with_message(world, place, number)
        for saga in range(len(world.runs)):
            yield from self._with_clock(world, saga)
        if world.faults:
            yield self._recovered(world, Move("crash", 0, note="while it waits", cost=1))

    def _with_message(self, world: World, place: int, number: int) -> Iterator[Next]:
        message = self.messages[number]
        without = world._replace(flight=world.flight[:place] + world.flight[place + 1 :])
        delivered = self._delivered(without, message, number)
        yield from delivered
        if world.faults:
            less = world.faults - 1
            about = (message.saga, message.step, message.kind)
            what = "lost request" if message.outcome is None else "lost answer"
            yield Next(Move(what, *about, cost=1), without._replace(faults=less))
            for move, after, broken in delivered:
                if move.cost == 0:
                    doubled = after._replace(flight=_with(after.flight, (number,)), faults=less)
                    twice = move._replace(note=f"{move.note} (and a double of it is on its way)", cost=1)
                    yield Next(twice, doubled, broken)
            if message.outcome is None:
                yield from self._failing(without._replace(faults=less), message)

    def _delivered(self, world: World, message: Message, number: int) -> list[Next]:
        if message.outcome is not None:
            return [*self._heard(world, message)]
        if self.steps[message.step].is_local:
            return [self._acted(world, message, number)]
        return [*self._asked_outside(world, message, number)]

    def _failing(self, world: World, message: Message) -> Iterator[Next]:
        """A participant that raises before anything happened, or refuses for a reason of its own."""
        about = (message.saga, message.step, message.kind)
        failed = message._replace(call=None, outcome=Unknown("failed"))
        yield Next(Move("fails", *about, cost=1), self._flying(world, failed))
        each = self.steps[message.step]
        if message.kind is Kind.DO and each.is_local and self.group_of[each.event] <= self.saga.pivot:
            place = self._inbox_at[message.saga, each.event]
            inbox = self.inboxes[world.inboxes[place]]
            if not inbox.answers:
                refused = Refused("refused, for a reason of its own")
                kept = self.inboxes.number(inbox._replace(answers=((Kind.DO.value, refused),)))
                after = world._replace(inboxes=_put(world.inboxes, place, kept))
                answer = message._replace(call=None, outcome=refused)
                yield Next(Move("refuses", *about, cost=1), self._flying(after, answer))

    # Participants ---------------------------------------------------------------------------------------------

    def _acted(self, world: World, message: Message, number: int) -> Next:
        """A local participant receives a request, by the inbox rule."""
        each = self.steps[message.step]
        assert each.entity is not None, "a local step has an entity"
        request = self.scenario.requests[message.saga]
        cell = self._cell_at[each.service, each.entity(request)]
        place = self._inbox_at[message.saga, each.event]
        before = world.inboxes[place]
        key = (before, world.cells[cell], number)
        if key not in self._received:
            self._received[key] = self._receive(self.inboxes[before], world.cells[cell], message)
        inbox, entity, answer, broken = self._received[key]
        after = world._replace(
            inboxes=_put(world.inboxes, place, inbox),
            cells=_put(world.cells, cell, entity),
            flight=_with(world.flight, (answer,)) if answer >= 0 else world.flight,
        )
        now = self.inboxes[inbox]
        if self._takes_effect(self.inboxes[before], now) and len(world.runs) > 1:
            grown = (*self.histories[world.history[cell]], message)
            after = after._replace(history=_put(world.history, cell, self.histories.number(grown)))
        said = self.messages[answer].outcome if answer >= 0 else None
        move = Move("acts", message.saga, each.event, message.kind, _short(said))
        return Next(move, after, broken or self._out_of_order(after, message, self.inboxes[before], now))

    def _takes_effect(self, before: Inbox, after: Inbox) -> bool:
        return after.done + after.undone > before.done + before.undone

    def _receive(self, inbox: Inbox, cell: int, message: Message) -> tuple[int, int, int, Broken | None]:
        each, entity = self.steps[message.step], self.entities[cell]
        body = self.scenario.requests[message.saga]
        calls: list[Any] = []
        watched = replace(each, action=_watched(each.action, calls), undo=each.undo and _watched(each.undo, calls))
        request = self._request(message)
        keys = {kind.value: key_of(request.saga_id, each, kind) for kind in (Kind.DO, Kind.UNDO)}
        before = {keys[name]: answer for name, answer in inbox.answers}
        keepsake = copy.deepcopy((entity, body))
        try:
            answers, after, answer = receive(before, entity, request, watched)
            again = receive(before, entity, request, watched)
        except Exception as error:  # noqa: BLE001 - a user's decider may raise anything
            text = f"{_name(each, message.kind)} raised {type(error).__name__}: {error}, asked with {entity!r}"
            return self.inboxes.number(inbox), cell, -1, Broken("a decider raises", text)
        acted = bool(calls) and not isinstance(answer, Refused)
        is_undo = message.kind is Kind.UNDO
        named = tuple((name, answers[key]) for name, key in keys.items() if key in answers)
        kept = Inbox(named, inbox.done + (acted and not is_undo), inbox.undone + (acted and is_undo))
        number = self.messages.number(message._replace(call=None, outcome=answer))
        broken = _impure(each, message, keepsake, (entity, body), (after, answer), again[1:])
        if broken is None and is_undo and isinstance(answer, Refused):
            text = f"{_name(each, message.kind)} refused: {answer.reason}; asked with {entity!r}"
            broken = Broken("a compensation is refused", text)
        return self.inboxes.number(kept), self.entities.number(after), number, broken

    def _out_of_order(self, world: World, message: Message, before: Inbox, after: Inbox) -> Broken | None:
        """What an effect breaks that the participant alone cannot see."""
        if not self._takes_effect(before, after):
            return None
        event, name = message.step, self.ids[message.saga]
        if message.kind is Kind.DO:
            if after.done > 1:
                return Broken("an effect happens twice", f"{name}: {event} took effect a second time")
            if after.undone:
                return Broken("an action comes after its undo", f"{name}: {event} took effect after it was undone")
            return None
        if after.undone > after.done:
            return Broken(
                "an undo happens twice", f"{name}: {event} was undone {after.undone} times, done {after.done}"
            )
        return self._not_reverse(world, message)

    def _not_reverse(self, world: World, message: Message) -> Broken | None:
        for later in self.steps.values():
            if self.group_of[later.event] > self.group_of[message.step] and self.stands(world, message.saga, later):
                text = f"{self.ids[message.saga]}: {message.step} was undone while {later.event} stands"
                return Broken("compensations run in reverse order", text)
        return None

    def _asked_outside(self, world: World, message: Message, number: int) -> Iterator[Next]:
        """A system outside gets a request; each thing that it may do is a move."""
        each = self.steps[message.step]
        place = self._book_at[each.service]
        key = (world.books[place], number)
        if key not in self._replied:
            self._replied[key] = [*self._replies(each, message, world.books[place])]
        for books, answers, note, is_fault in self._replied[key]:
            if is_fault and not world.faults:
                continue
            after = world._replace(
                books=_put(world.books, place, books),
                flight=_with(world.flight, answers),
                faults=world.faults - is_fault,
            )
            move = Move("acts outside", message.saga, each.event, message.kind, note, int(is_fault))
            yield Next(move, after, self._broken_outside(world, after, message, each))

    def _replies(self, each: Step, message: Message, books: int) -> Iterator[tuple[int, tuple[int, ...], str, bool]]:
        request = self._request(message)
        for reply in self.models[each.service].replies(self.books[books], request, each):
            outcomes = [outcome for outcome in (reply.outcome, reply.later) if outcome is not None]
            answers = [self.messages.number(message._replace(call=None, outcome=outcome)) for outcome in outcomes]
            yield self.books.number(reply.books), tuple(answers), reply.note, reply.is_fault

    def _request(self, message: Message) -> Request:
        assert message.call is not None, "a request has a call"
        saga_id, each = self.ids[message.saga], self.steps[message.step]
        call = replace(message.call, key=key_of(saga_id, each, message.kind))
        return Request(saga_id, each.event, message.kind, self.scenario.requests[message.saga], call)

    def _broken_outside(self, before: World, world: World, message: Message, each: Step) -> Broken | None:
        stands = self.stands(world, message.saga, each)
        if stands is None or before.books == world.books:
            return None
        if stands > 1 and not each.at_least_once:
            text = f"{self.ids[message.saga]}: {each.event} took effect {stands} times"
            return Broken("an effect happens twice", text)
        return self._not_reverse(world, message) if message.kind is Kind.UNDO else None

    # The coordinator ------------------------------------------------------------------------------------------

    def _heard(self, world: World, message: Message) -> Iterator[Next]:
        """The coordinator hears an answer; it may crash before any of the sends that follow."""
        assert message.outcome is not None, "an answer has an outcome"
        can_still_happen = any(
            other.outcome is None and other[:2] == message[:2] and other.kind is Kind.DO
            for other in map(self.messages.__getitem__, world.flight)
        )
        now_ms = SOON_MS if can_still_happen else AFTER_EVERY_LIMIT_MS
        said = Answered(message.step, message.kind, message.outcome)
        move = Move("hears", message.saga, message.step, message.kind, _short(message.outcome))
        settles = message.kind is Kind.PROBE and isinstance(message.outcome, Refused)
        yield from self._told(world, message.saga, said, now_ms if settles else SOON_MS, move)

    def _with_clock(self, world: World, saga: int) -> Iterator[Next]:
        """A request's time runs out: for nothing when neither it nor an answer is on its way, else it was slow."""
        run = self.run(world, saga)
        at = underway(run.state)
        if at is None:
            return
        flying = {other[:3] for other in map(self.messages.__getitem__, world.flight)}
        for member, kind in asked(run.state):
            event = self.saga.groups[at.group][member].event
            cost = int((saga, event, kind) in flying)
            if cost <= world.faults:
                less = world._replace(faults=world.faults - cost)
                for now_ms, what in ((SOON_MS, "times out"), (AFTER_EVERY_LIMIT_MS, "gives up")):
                    move = Move(what, saga, event, kind, cost=cost)
                    yield from self._told(less, saga, TimedOut(event, kind), now_ms, move)
        if world.faults and can_turn_back(self.saga, run.state):
            less = world._replace(faults=world.faults - 1)
            yield from self._told(less, saga, Cancel(), SOON_MS, Move("cancel", saga, cost=1))
            if run.deadline_ms is not None:
                yield from self._told(less, saga, DeadlinePassed(), SOON_MS, Move("deadline", saga, cost=1))

    def _told(self, world: World, saga: int, said: Input, now_ms: int, move: Move) -> Iterator[Next]:
        run, sends, broken = self._step(saga, world.runs[saga], said, now_ms)
        moved = world._replace(runs=_put(world.runs, saga, run))
        yield Next(move, moved._replace(flight=_with(world.flight, sends)), broken)
        if world.faults and broken is None:
            for count in range(len(sends)):
                unsent = self.messages[sends[count]]
                crashed = moved._replace(flight=_with(world.flight, sends[:count]))
                note = f"{move.note}; crashed before it sent {unsent.step}/{unsent.kind.value}"
                yield self._recovered(crashed, move._replace(note=note, cost=move.cost + 1))

    def _recovered(self, world: World, move: Move) -> Next:
        """The coordinator starts again: what was stored is left, and every request counts as timed out."""
        world = world._replace(faults=world.faults - 1)
        for saga in range(len(world.runs)):
            run = self.run(world, saga)
            at = underway(run.state)
            for member, kind in [*asked(run.state)]:
                assert at is not None, "who is asked is under way"
                said = TimedOut(self.saga.groups[at.group][member].event, kind)
                number, sends, broken = self._step(saga, world.runs[saga], said, SOON_MS)
                world = world._replace(runs=_put(world.runs, saga, number), flight=_with(world.flight, sends))
                if broken:
                    return Next(move, world, broken)
        return Next(move, world)

    def _step(self, saga: int, run: int, said: Input, now_ms: int) -> Stepped:
        key = (saga, run, now_ms, frozen(said))
        stepped = self._stepped.get(key)
        if stepped is None:
            before = self.runs[run]._replace(saga_id=self.ids[saga])
            after, effects = step(before, said, now_ms)
            sends = tuple(self._sent(saga, effects))
            stepped = Stepped(self._kept(after), sends, self._turned_forward(before, after, sends))
            self._stepped[key] = stepped
        return stepped

    def _turned_forward(self, before: Run, after: Run, sends: tuple[int, ...]) -> Broken | None:
        was, now = underway(before.state), underway(after.state)
        forward_again = isinstance(was, Backward) and isinstance(now, Forward)
        asks_again = isinstance(now, Backward) and any(self.messages[number].kind is Kind.DO for number in sends)
        if forward_again or asks_again:
            return Broken("a saga that goes back stays on its way back", f"{before.saga_id} went forward again")
        return None

    def _kept(self, run: Run) -> int:
        """The run without what no decision depends on: times, attempts, trail."""
        waiting = tuple(
            each._replace(attempt=1, since_ms=0, acted_ms=0, at_ms=0, due_ms=0, error="") for each in run.waiting
        )
        deadline_ms = None if run.deadline_ms is None else 0
        timeless = run._replace(waiting=waiting, trail=(), reason="", number=0, deadline_ms=deadline_ms)
        return self.runs.number(timeless._replace(saga_id=""))

    def _sent(self, saga: int, effects: tuple[Effect, ...]) -> Iterator[int]:
        for effect in effects:
            if isinstance(effect, Send):
                request = effect.request
                call = replace(request.call, attempt=1, key="")
                yield self.messages.number(Message(saga, request.step, request.kind, call, None))

    def _flying(self, world: World, message: Message) -> World:
        return world._replace(flight=_with(world.flight, (self.messages.number(message),)))


def _knows_names(each: Step) -> bool:
    return takes_call(each.action) or (each.undo is not None and takes_call(each.undo))


def _as(message: Message, way: tuple[int, ...]) -> Message:
    return message._replace(saga=way.index(message.saga))


def _put(numbers: tuple[int, ...], place: int, number: int) -> tuple[int, ...]:
    if numbers[place] == number:
        return numbers
    return (*numbers[:place], number, *numbers[place + 1 :])


def _with(flight: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    if not more:
        return flight
    numbers = list(flight)
    for number in more:
        insort(numbers, number)
    return tuple(numbers)


def _watched(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    """The function, which also notes that it was called; with the same parameters, since those are looked at."""

    def with_call(entity: Any, request: Any, call: Call) -> Any:
        calls.append(function)
        return function(entity, request, call)

    def without_call(entity: Any, request: Any) -> Any:
        calls.append(function)
        return function(entity, request)

    return with_call if takes_call(function) else without_call


def _name(each: Step, kind: Kind) -> str:
    function = each.undo if kind is Kind.UNDO else each.action
    return f"{each.event}/{kind.value} ({getattr(function, '__name__', repr(function))})"


def _impure(each: Step, message: Message, before: Any, after: Any, first: Any, second: Any) -> Broken | None:
    if before != after:
        text = f"{_name(each, message.kind)} changed what it was given: {before!r} became {after!r}"
        return Broken("a decider is pure", text)
    if first != second:
        text = f"{_name(each, message.kind)} gave {first!r}, and {second!r} for the same"
        return Broken("a decider is deterministic", text)
    return None


def _short(outcome: Any) -> str:
    match outcome:
        case Done(answer):
            return "done" if answer is None else f"done: {answer}"
        case Refused(reason):
            return f"refused: {reason}" if reason else "refused"
        case Unknown(error):
            return f"unknown: {error}"
    return type(outcome).__name__.lower()
