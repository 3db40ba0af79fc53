"""What participants do with a request: ours by the inbox rule and their own deciders, others by their model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from amends.checking.exceptions import Raised, breaks_rule, name_of, what_was_raised
from amends.checking.function_coverage import DeciderCall
from amends.checking.layout import WorldLayout
from amends.checking.models import SystemReply, is_receipt, replies_of
from amends.checking.nondeterminism import Reads, dependence, reading
from amends.checking.read_back import READ_BACK
from amends.checking.static_analysis import answer_of, slip_of
from amends.checking.values import frozen, same, told
from amends.checking.world import Broken, Inbox, Message, Move, Next, What, World, add, put, short
from amends.core.definition import Step, takes_call
from amends.core.inbox import Inbox as Answers
from amends.core.inbox import receive
from amends.core.messages import Call, Done, Kind, Refused, Request, Unknown
from amends.core.state import Status, underway
from amends.core.walk import key_of
from amends.errors import ParticipantError

OWN_REASON: Final = Refused("refused, for a reason of its own")


class Replied(NamedTuple):
    """One thing that a system outside did with a request.

    Attributes:
        books: its books after that, as a number.
        answers: the numbers of the messages that it sent.
        note: what it did, for a person.
        is_fault: whether it counts as a fault.
        broken: what is wrong with the function, or with an answer that would be read back as another one.
        attempt: from which attempt on it did that.
    """

    books: int
    answers: tuple[int, ...]
    note: str
    is_fault: bool
    broken: Broken | None
    attempt: int


class ParticipantMoves:
    """The moves of participants."""

    def __init__(self, layout: WorldLayout) -> None:
        self.layout = layout
        self._received: dict[tuple[int, int, int], tuple[int, int, int, Broken | None]] = {}
        self._replied: dict[tuple[int, int], list[Replied]] = {}

    def asked(self, world: World, message: Message, number: int) -> Iterator[Next]:
        """A request arrives; `world` is without it."""
        try:
            if self.layout.steps_of[message.saga][message.step].is_local:
                yield self._acted(world, message, number)
            else:
                yield from self._asked_outside(world, message, number)
        except Raised as raised:
            what: What = "acts" if self.layout.steps_of[message.saga][message.step].is_local else "acts outside"
            yield Next(Move(what, message.saga, message.step, message.kind, "raises"), world, raised.broken)

    def failing(self, world: World, message: Message) -> Iterator[Next]:
        """A participant that raises before anything happened, or refuses for a reason of its own."""
        about = (message.saga, message.step, message.kind)
        failed = message._replace(call=None, outcome=Unknown("failed"))
        yield Next(Move("fails", *about, cost=1), self.layout.flying(world, failed))
        each = self.layout.steps_of[message.saga][message.step]
        if message.kind is Kind.DO and each.is_local and self.layout.beyond(message) <= 0:
            place = self.layout.inbox_at[message.saga, each.event]
            inbox = self.layout.inboxes[world.inboxes[place]]
            if not inbox.answers:
                kept = self.layout.inboxes.number(inbox._replace(answers=((Kind.DO.value, OWN_REASON),)))
                after = world._replace(inboxes=put(world.inboxes, place, kept))
                answer = message._replace(call=None, outcome=OWN_REASON)
                yield Next(Move("refuses", *about, cost=1), self.layout.flying(after, answer))

    def _acted(self, world: World, message: Message, number: int) -> Next:
        """A local participant receives a request, by the inbox rule."""
        each, about = self.layout.steps_of[message.saga][message.step], (message.saga, message.step)
        if broken := self.layout.raised.get(about):
            raise Raised(broken)
        cell = self.layout.cell_at[self.layout.cell_of[about]]
        place = self.layout.inbox_at[message.saga, each.event]
        before = world.inboxes[place]
        key = (before, world.cells[cell], number)
        if key not in self._received:
            self._received[key] = self._receive(self.layout.inboxes[before], cell, world.cells[cell], message)
        inbox, entity, answer, broken = self._received[key]
        after = world._replace(
            inboxes=put(world.inboxes, place, inbox),
            cells=put(world.cells, cell, entity),
            flight=add(world.flight, (answer,)) if answer >= 0 else world.flight,
        )
        now = self.layout.inboxes[inbox]
        said = self.layout.messages[answer].outcome if answer >= 0 else None
        move = Move("acts", message.saga, each.event, message.kind, short(said))
        return Next(move, after, broken or self._out_of_order(after, message, self.layout.inboxes[before], now))

    def _receive(self, inbox: Inbox, cell: int, kept: int, message: Message) -> tuple[int, int, int, Broken | None]:
        each, entity = self.layout.steps_of[message.saga][message.step], self.layout.entities[kept]
        calls: list[Any] = []
        watched = replace(
            each,
            action=each.action and _watched(each.action, calls),
            undo=each.undo and _watched(each.undo, calls),
        )
        request = self.layout.request(message)
        keys = {kind.value: key_of(request.saga_id, each, kind) for kind in (Kind.DO, Kind.UNDO)}
        before = {keys[name]: answer for name, answer in inbox.answers}
        handed = _copied(entity, request)
        try:
            answers, after, answer = receive(before, *handed, watched)
            again, reads = reading(lambda: receive(before, *_copied(entity, request), watched))
        except Exception as error:  # noqa: BLE001 - a user's decider may raise anything
            text = f"{_name(each, message.kind)} raised {what_was_raised(error)}; asked with {told(entity)}"
            text += self._receipts(message, request)
            return self.layout.inboxes.number(inbox), kept, -1, Broken("a decider raises", text)
        if calls:
            self.layout.coverage.note(message.step, message.kind)
            self.layout.coverage.calls.append(DeciderCall(_name(each, message.kind), *calls[0]))
        broken = _impure(each, (entity, request), handed, (after, answer), again[1:], reads)
        if broken is None and calls:
            asked_again = partial(_at_attempt, before, entity, request, watched)
            broken = _dependent(each, message.kind, dependence(asked_again, (after, answer), reads))
        try:
            stored = self.layout.stored(cell, after)
            number = self.layout.heard(message._replace(call=None, outcome=answer))
        except ParticipantError as error:
            broken = broken or Broken(READ_BACK, f"{_name(each, message.kind)}: {error}")
            return self.layout.inboxes.number(inbox), kept, -1, broken
        heard = self.layout.messages[number].outcome
        assert isinstance(heard, Done | Refused), "a round trip leaves an outcome what it is"
        key = keys[message.kind.value]
        answers = {**answers, key: heard} if key in answers else answers
        acted = bool(calls) and not isinstance(answer, Refused)
        is_undo = message.kind is Kind.UNDO
        named = tuple((name, answers[key]) for name, key in keys.items() if key in answers)
        grown = Inbox(named, inbox.done + (acted and not is_undo), inbox.undone + (acted and is_undo))
        if broken is None and calls and isinstance(answer, Refused):
            text = f"{_name(each, message.kind)} refused: {answer.reason}; asked with {told(entity)}"
            broken = self._must_not_refuse(message, text)
        return self.layout.inboxes.number(grown), stored, number, broken

    def _must_not_refuse(self, message: Message, text: str) -> Broken | None:
        """Only an operator can go on from there."""
        if message.kind is Kind.UNDO:
            return Broken("a compensation is refused", text)
        is_behind = message.kind is Kind.DO and self.layout.beyond(message) > 0
        return Broken("a step behind the pivot is refused", text) if is_behind else None

    def _out_of_order(self, world: World, message: Message, before: Inbox, after: Inbox) -> Broken | None:
        """What an effect breaks that the participant alone cannot see."""
        if not _takes_effect(before, after):
            return None
        event, name = message.step, self.layout.ids[message.saga]
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
        place = self.layout.groups_of[message.saga]
        for later in self.layout.steps_of[message.saga].values():
            if place[later.event] > place[message.step] and self.layout.stands(world, message.saga, later):
                text = f"{self.layout.ids[message.saga]}: {message.step} was undone while {later.event} stands"
                text += self.layout.unheard(world, message.saga, later)
                return Broken("compensations run in reverse order", text)
        return None

    def _asked_outside(self, world: World, message: Message, number: int) -> Iterator[Next]:
        """A system outside gets a request; each thing that it may do is a move."""
        each = self.layout.steps_of[message.saga][message.step]
        place = self.layout.book_at[each.service]
        key = (world.books[place], number)
        if key not in self._replied:
            self._replied[key] = [*self._replies(each, message, world.books[place])]
        for books, answers, note, is_fault, wrong, attempt in self._replied[key]:
            if (is_fault and not world.faults) or (attempt > 1 and self._is_first(world, message)):
                continue
            after = world._replace(
                books=put(world.books, place, books),
                flight=add(world.flight, answers),
                faults=world.faults - is_fault,
            )
            move = Move("acts outside", message.saga, each.event, message.kind, note, int(is_fault))
            broken = wrong or self._broken_outside(world, after, message, each)
            if broken is None and not is_fault:
                broken = self._refused_outside(answers, message)
            yield Next(move, after, broken)

    def _slip(self, each: Step, message: Message) -> Broken | None:
        """What the function would raise for that a ready model stands for."""
        function = each.function(message.kind)
        if self.layout.models[each.service].runs_functions or function is None:
            return None
        is_undo = message.kind in (Kind.UNDO, Kind.UNDO_LATE)
        answers = self.layout.read_backs[message.saga].answer_types(each.event) if is_undo else None
        if slip := slip_of(function, self.layout.requests[message.saga], answers):
            text = f"{_name(each, message.kind)} {slip}. A ready model stood for it; with adapter(...) it would run"
            return Broken("a function raises", text)
        return None

    def _receipts(self, message: Message, request: Request) -> str:
        """That answers which a function is handed are a ready model's; empty where none is."""
        steps = self.layout.steps_of[message.saga]
        ready = [
            event
            for event, said in request.call.answers.items()
            if not steps[event].is_local and self.layout.models[steps[event].service].is_ready and is_receipt(said)
        ]
        if not ready:
            return ""
        return f" (of {' and '.join(ready)} it is handed a ready model's receipt; with adapter(...) its own answer)"

    def _refused_outside(self, answers: tuple[int, ...], message: Message) -> Broken | None:
        for said in (self.layout.messages[number].outcome for number in answers):
            if isinstance(said, Refused):
                text = f"{_name(self.layout.steps_of[message.saga][message.step], message.kind)} refused: {said.reason}"
                return self._must_not_refuse(message, text)
        return None

    def _is_first(self, world: World, message: Message) -> bool:
        """Whether an action can have been asked once only."""
        at = underway(self.layout.run(world, message.saga).state)
        group = self.layout.sagas[message.saga].groups[at.group] if at else ()
        members = zip(group, at.members if at else (), strict=True)
        return message.kind is Kind.DO and (self.layout.steps_of[message.saga][message.step], Status.SENT) in members

    def _replies(self, each: Step, message: Message, books: int) -> Iterator[Replied]:
        """What a model says; it is handed copies, and told when it changes them in place."""
        model, kept = self.layout.models[each.service], self.layout.books[books]
        handed, request = _copied(kept, self.layout.request(message))
        who, slip = f"{each.service} ({model.name}), asked {_name(each, message.kind)},", self._slip(each, message)
        own = answer_of(each, request.body) if model.is_ready and each in self.layout.questions else None
        try:
            with breaks_rule("a model raises", who, f"its books are {told(kept)}"):
                for reply in replies_of(model, handed, request, each):
                    if model.runs_functions:
                        raised = reply.raised and f"{reply.raised}{self._receipts(message, request)}"
                        self.layout.coverage.note(message.step, message.kind, raised)
                    said = _answering(reply, own) if own else reply
                    wrong = slip or _spoilt(who, kept, handed)
                    yield self._replied_with(said, each, message, wrong, is_typed=bool(own) or not model.is_ready)
        except Raised as raised:
            yield Replied(books, (), "raises", False, raised.broken, 1)

    def _replied_with(
        self, reply: SystemReply, each: Step, message: Message, wrong: Broken | None, *, is_typed: bool
    ) -> Replied:
        outcomes = [outcome for outcome in (reply.outcome, reply.later) if outcome is not None]
        said = [message._replace(call=None, outcome=outcome) for outcome in outcomes]
        try:
            answers = tuple(self.layout.heard(one, is_typed=is_typed) for one in said)
        except ParticipantError as error:
            answers, wrong = (), wrong or Broken(READ_BACK, f"{_name(each, message.kind)}: {error}")
        books = self.layout.books.number(reply.books)
        return Replied(books, answers, reply.note, reply.is_fault, wrong, reply.attempt)

    def _broken_outside(self, before: World, world: World, message: Message, each: Step) -> Broken | None:
        if before.books == world.books:
            return None
        if each.asks and each.wait is None and self.layout.models[each.service].runs_functions:
            return Broken("a question changes nothing", f"{_name(each, message.kind)} only asks, and changed the books")
        stands = self.layout.stands(world, message.saga, each)
        if stands is None:
            return None
        if stands > 1 and not each.at_least_once:
            text = f"{self.layout.ids[message.saga]}: {each.event} took effect {stands} times"
            return Broken("an effect happens twice", text)
        return self._not_reverse(world, message) if message.kind is Kind.UNDO else None


def _takes_effect(before: Inbox, after: Inbox) -> bool:
    return after.done + after.undone > before.done + before.undone


def _watched(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    """The function, which also notes that it was called; with the same parameters, since those are looked at."""

    def with_call(entity: Any, request: Any, call: Call) -> Any:
        calls.append((function, (entity, request, call), said := function(entity, request, call)))
        return said

    def without_call(entity: Any, request: Any) -> Any:
        calls.append((function, (entity, request), said := function(entity, request)))
        return said

    watching = with_call if takes_call(function) else without_call
    watching.__name__ = name_of(function)  # it is named where it breaks its contract
    return watching


def _answering(reply: SystemReply, own: Done[Any]) -> SystemReply:
    """What a ready model does with a question, with the rate that is asked for in place of a receipt."""
    outcome, later = (own if isinstance(each, Done) else each for each in (reply.outcome, reply.later))
    return reply._replace(outcome=outcome, later=later)


def _name(each: Step, kind: Kind) -> str:
    function = each.function(kind)
    return f"{each.event}/{kind.value}{f' ({name_of(function)})' if function else ''}"


def _copied(entity: Any, request: Request) -> tuple[Any, Request]:
    """What a decider is handed: a copy, so that it can spoil nothing but that."""
    call = request.call
    own = replace(call, answers=copy.deepcopy(dict(call.answers)), answer=copy.deepcopy(call.answer))
    return copy.deepcopy(entity), replace(request, body=copy.deepcopy(request.body), call=own)


def _spoilt(who: str, kept: Any, handed: Any) -> Broken | None:
    if frozen(kept) == frozen(handed):
        return None
    text = f"{who} changed its books in place: {told(kept)} became {told(handed)}; make new books"
    return Broken("books are not changed in place", text)


def _at_attempt(before: Answers, entity: Any, request: Request, step: Step, attempt: int) -> Any:
    entity, request = _copied(entity, request)
    return receive(before, entity, replace(request, call=replace(request.call, attempt=attempt)), step)[1:]


def _dependent(each: Step, kind: Kind, on: str) -> Broken | None:
    return Broken("what differs between two calls does not matter", f"{_name(each, kind)} {on}") if on else None


def _impure(
    each: Step, given: tuple[Any, Request], handed: tuple[Any, Request], first: Any, second: Any, reads: Reads
) -> Broken | None:
    name = _name(each, given[1].kind)
    pairs = [(given[0], handed[0]), (given[1].body, handed[1].body), (given[1].call, handed[1].call)]
    for was, became in pairs:
        if frozen(was) != frozen(became):
            text = f"{name} changed what it was given: {told(was)} became {told(became)}; give back a new one"
            return Broken("a decider is pure", text)
    if not same(first, second):
        why = f"; it reads {reads}" if reads.words else ""
        text = f"{name} gave {told(first)}, and {told(second)} for the same{why}"
        return Broken("a decider is deterministic", text)
    return None
