"""A world for properties: participants with a memory, a wire that lies, a clock, an operator, a process that restarts.

The world knows what really happened, and checks after every input what must always hold. Its participants keep what the
definition says of them and nothing more: keys are honoured for as long as they live, refusals are remembered where that
is declared, a request takes effect within its settling time or not at all, an undo that comes first leaves a tombstone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from amends.core.decide import can_turn_back
from amends.core.definition import Saga, Step, external, local, parallel, pause, wait_for
from amends.core.effects import CallOperator, Contradicted, Decline, Effect, Send, Write
from amends.core.messages import (
    Abandon,
    Answered,
    Cancel,
    Compensate,
    DeadlinePassed,
    Done,
    Halt,
    Input,
    Kind,
    Later,
    Outcome,
    Refused,
    Request,
    Resolve,
    Retry,
    TimedOut,
    Unknown,
    Verb,
)
from amends.core.state import (
    Abandoned,
    Backward,
    Compensated,
    Completed,
    Finished,
    Forward,
    NeedsOperator,
    Status,
    awaited,
    member_of,
    underway,
)
from amends.core.step import SagaInstance, start, step

HOUR_MS = 3_600_000
SLACK_MS = 600_000  # a system keeps its keys somewhat longer than it says; requests arrive within that time
LOCAL_ID = "the one"


def never(*_: object) -> None:
    """Stand in for a function that the world plays itself."""
    raise AssertionError("the world plays it")


def take(event: str) -> Callable[[int | None, frozenset[str]], int | Refused]:
    """Return a local action that refuses when the request names its event."""
    return lambda count, refusing: Refused("in the request") if event in refusing else (count or 0) + 1


def give(count: int, refusing: frozenset[str]) -> int:
    """Undo a local action."""
    return count - 1


@st.composite
def definitions(draw: st.DrawFn, *, locals_allowed: bool = True) -> Saga:
    """Draw a saga: groups up to eight, a pivot or none, retriable steps, probes, lives of keys, limits, a deadline."""
    sizes = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 2, 3, 8]), min_size=1, max_size=3))
    singles = [place for place, size in enumerate(sizes) if size == 1]
    pivot = draw(st.sampled_from([*singles, None]))
    groups: list[Any] = []
    for place, size in enumerate(sizes):
        after = pivot is not None and place >= pivot
        members = [
            draw(members_of(f"S{place}{member}", after, place == pivot, locals_allowed)) for member in range(size)
        ]
        groups.append(parallel(*members) if size > 1 else members[0])
    return Saga("random", frozenset, groups, deadline_s=draw(st.sampled_from([None, None, 5, 90])))


@st.composite
def members_of(draw: st.DrawFn, event: str, after: bool, is_pivot: bool, locals_allowed: bool) -> Step:
    """Draw one step."""
    back: dict[str, Any] = {} if after else {"undone": f"{event}_UNDONE"}
    if locals_allowed and draw(st.booleans()):
        back |= {} if after else {"undo": give}
        return local(event, take(event), entity=lambda _: LOCAL_ID, pivot=is_pivot, **back)
    if not is_pivot and draw(st.sampled_from([True, False, False, False])):
        return draw(waits_of(event, after))
    back |= {} if after else {"undo": never}
    if draw(st.booleans()):
        back |= {"probe": never, "settles_within_s": draw(st.sampled_from([3, 45]))}
    return external(
        event,
        never,
        pivot=is_pivot,
        timeout_s=draw(st.sampled_from([2, 10])),
        limit_s=draw(st.sampled_from([10, 60])),
        key_lives_h=draw(st.sampled_from([None, None, 1])),
        remembers_refusals=draw(st.booleans()),
        **back,
    )


@st.composite
def waits_of(draw: st.DrawFn, event: str, after: bool) -> Step:
    """Draw a step that waits for a person, who may be notified, or for a time."""
    lasts_s = draw(st.sampled_from([3, 90, 4000]))
    if after or draw(st.booleans()):
        return pause(event, lasts_s)
    notify = draw(st.sampled_from([None, never]))
    return wait_for(event, limit_s=lasts_s, notify=notify, remind_every_s=draw(st.sampled_from([5, 2000])), timeout_s=2)


@dataclass
class Fact:
    """What is true of one step, whatever the saga knows."""

    effects: int = 0
    undone: bool = False
    tombstone: bool = False
    refused: bool = False
    done_ms: int = 0

    @property
    def net(self) -> int:
        """How often the effect is there."""
        return self.effects - self.undone


@dataclass
class World:
    """One run of a saga among participants that may do anything they are allowed to."""

    saga: Saga
    chance: Random
    request: frozenset[str] = frozenset()
    entities: dict[str, dict[str, Any]] | None = None
    now_ms: int = 0
    held: list[tuple[int, Send]] = field(default_factory=list)
    wire: list[tuple[Request, int]] = field(default_factory=list)
    replies: list[Answered] = field(default_factory=list)
    facts: dict[str, Fact] = field(default_factory=dict)
    first_sent: dict[tuple[str, Kind], Request] = field(default_factory=dict)
    young_from_ms: dict[str, int] = field(default_factory=dict)
    certainly_not: set[str] = field(default_factory=set)
    undo_sent: set[str] = field(default_factory=set)
    undo_order: list[int] = field(default_factory=list)
    answered: dict[str, Any] = field(default_factory=dict)
    turned_back: bool = False
    healing: bool = False
    wished: bool = False

    def __post_init__(self) -> None:
        """Start the saga."""
        self.facts = {member.event: Fact() for member in self.saga.every_step()}
        self.people = [m.event for m in self.saga.every_step() if m.wait is not None and not m.wait.is_pause]
        self.place = {m.event: place for place, group in enumerate(self.saga.groups) for m in group}
        before = copy.deepcopy(self.entities)
        self.run, effects = start(self.saga, "s", self.request, 0, self.entities)
        assert start(self.saga, "s", self.request, 0, before) == (self.run, effects)
        self.take_in(effects)

    # --- the saga ---------------------------------------------------------------------------------------------------

    def hand_in(self, said: Input) -> None:
        """Give the saga an input, and check what it makes of it."""
        before, entities = self.run, copy.deepcopy(self.entities)
        shown = repr(before)
        self.wished = isinstance(said, Retry)
        self.learn(said)
        self.run, effects = step(before, said, self.now_ms, self.entities)
        assert repr(before) == shown, "the run before is not changed"
        assert step(before, said, self.now_ms, entities) == (self.run, effects), "the same input gives the same"
        self.check(before, said, effects)
        self.take_in(effects)

    def learn(self, said: Input) -> None:
        """Note which steps the saga may be certain about, by the rules."""
        at = underway(self.run.state)
        if at is None or not isinstance(said, Answered | Resolve):
            return
        if isinstance(said.outcome, Done):
            self.learn_answer(said, said.outcome.answer)
        if not isinstance(said.outcome, Refused):
            return
        group = self.saga.groups[at.group]
        for member, status in zip(group, at.members, strict=True):
            if member.event != said.step:
                continue
            kind = said.kind if isinstance(said, Answered) else None
            is_heard = isinstance(at, Forward) or kind is None
            is_open = status in (Status.SENT, Status.RESENT, Status.UNKNOWN, Status.PROBING)
            is_open = is_open or (status is Status.STUCK and is_heard)
            by_action = kind is Kind.DO and (status is Status.SENT or member.remembers_refusals)
            by_probe = kind is Kind.PROBE and status is Status.PROBING
            if is_open and (by_action or by_probe or kind is None):
                self.certainly_not.add(said.step)
                self.young_from_ms[said.step] = self.now_ms

    def learn_answer(self, said: Answered | Resolve, answer: object) -> None:
        """Note the first answer that the saga hears of an action, of whoever was asked so far."""
        at = underway(self.run.state)
        assert at is not None
        if isinstance(said, Answered):
            is_heard = said.kind is not Kind.UNDO and self.place[said.step] <= at.group
        else:
            status = at.members[self.member_of(said.step)] if self.place[said.step] == at.group else Status.DONE
            is_heard = status in (Status.SENT, Status.RESENT, Status.UNKNOWN, Status.PROBING, Status.STUCK)
        if is_heard and answer is not None:
            self.answered.setdefault(said.step, answer)

    def check(self, before: SagaInstance, said: Input, effects: tuple[Effect, ...]) -> None:
        """What must hold after every input."""
        after = self.run
        writes = [effect for effect in effects if isinstance(effect, Write)]
        if isinstance(effects[0], Decline):
            assert after is before
            assert effects[1:] == ()
        else:
            assert [write.number for write in writes] == [before.number + 1] == [after.number]
            assert writes[0] is effects[0]
        requests = [*after.requests()]
        assert [effect for effect in effects if isinstance(effect, Send) and effect not in requests] == []
        asked = [member_of(after.saga, after.state, member) for member, _ in awaited(after.state)]
        assert [request.request.step for request in requests] == [m.event for m in asked if m.action is not None]
        if isinstance(said, Halt):
            assert said.step not in {request.request.step for request in requests}
        if isinstance(after.state, Finished) and not isinstance(before.state, Finished):
            assert effects == (*writes,), "nothing is left to do"
        if isinstance(before.state, Finished):
            assert after.state == before.state
            assert all(isinstance(effect, Contradicted) for effect in effects[1:])
        if isinstance(after.state, Abandoned):
            assert isinstance(said, Abandon) or isinstance(before.state, Abandoned)
        if isinstance(after.state, NeedsOperator) and not isinstance(before.state, NeedsOperator):
            assert any(isinstance(effect, CallOperator) for effect in effects)
        self.turned_back = self.turned_back or isinstance(underway(after.state), Backward)
        if self.turned_back:
            assert isinstance(after.state, Backward | NeedsOperator | Compensated | Abandoned)
            assert not isinstance(underway(after.state), Forward)
        waits = any(True for _ in awaited(after.state)) or can_turn_back(after.saga, after.state)
        assert isinstance(after.state, Finished | NeedsOperator) or after.due_ms() is not None
        assert (after.due_ms() is not None) >= any(True for _ in awaited(after.state))
        assert waits or after.due_ms() is None
        assert bool(after.outstanding()) or isinstance(after.state, Finished | Forward | Backward)
        self.check_books(after)

    def check_books(self, run: SagaInstance) -> None:
        """The books beside the state fit it."""
        at = underway(run.state)
        assert len(run.waiting) == (len(at.members) if at else 0)
        for member, kind in awaited(run.state):
            waiting = run.waiting[member]
            assert waiting.kind is kind
            assert waiting.due_ms > waiting.at_ms >= waiting.since_ms or waiting.at_ms == waiting.ends_ms
            assert waiting.due_ms > self.now_ms or waiting.at_ms <= self.now_ms
        undone = [self.place[e.event.removesuffix("_UNDONE")] for e in run.trail if e.status is Status.UNDONE]
        assert undone == sorted(undone, reverse=True), "compensations run in the reverse order of the groups"

    def member_of(self, event: str) -> int:
        """Return the place of a step in its group."""
        return [member.event for member in self.saga.groups[self.place[event]]].index(event)

    def take_in(self, effects: tuple[Effect, ...]) -> None:
        """Take over what is to be sent; a request may wait in a queue until it is due."""
        for effect in effects:
            if isinstance(effect, Send):
                self.check_send(effect)
                is_at_once = self.healing or self.chance.random() < 0.7
                sent_ms = (
                    effect.at_ms
                    if is_at_once
                    else self.chance.randrange(effect.at_ms, max(effect.due_ms, effect.at_ms + 1))
                )
                self.held.append((sent_ms, effect))

    def check_send(self, send: Send) -> None:
        """What must hold for every request that the saga wants sent."""
        request, member = send.request, self.saga.step(send.request.step)
        place, call = self.place[member.event], request.call
        direction = "undo" if request.kind is Kind.UNDO else "do"
        assert call.key == f"s/{member.event}/{direction}"
        plain = replace(request, call=replace(call, attempt=0, answer=None))
        assert plain == self.first_sent.setdefault((member.event, request.kind), plain), "the same at every attempt"
        assert member.action is not None, "a wait is not sent"
        later = [self.facts[m.event] for group in self.saga.groups[place + 1 :] for m in group]
        if request.kind is Kind.DO:
            assert not self.turned_back, "no action once it goes back"
            assert member.event not in self.undo_sent
            earlier = [m.event for group in self.saga.groups[:place] for m in group if m.wait is None]
            assert all(self.facts[event].net == 1 for event in earlier), "the groups before are done"
            first_ms = self.young_from_ms.setdefault(member.event, send.at_ms)
            if member.wait is not None:
                assert send.at_ms <= self.run.waiting[self.member_of(member.event)].ends_ms
            elif place < self.saga.pivot and not self.wished:
                assert send.at_ms == first_ms or send.at_ms - first_ms < member.limit_s * 1000, "tried until its limit"
            if member.key_lives_h is not None and not self.wished:
                assert send.at_ms - first_ms < member.key_lives_h * HOUR_MS
        elif request.kind is Kind.UNDO:
            assert self.turned_back
            assert place < self.saga.pivot
            assert member.event not in self.certainly_not, "nothing is undone that certainly did not happen"
            assert all(fact.net == 0 for fact in later), "the groups after are undone"
            assert call.answer == self.answered.get(member.event), "an undo gets what is known"
            assert member.undone not in {entry.event for entry in self.run.trail}, "what is undone is not undone again"
            self.undo_sent.add(member.event)
            self.undo_order.append(place)
            assert self.undo_order == sorted(self.undo_order, reverse=True)
        if request.kind is not Kind.DO and place < self.saga.pivot:
            at = underway(self.run.state)
            assert at is None or not {Status.SENT, Status.RESENT} & set(at.members)

    # --- the participants ---------------------------------------------------------------------------------------------

    def act(self, request: Request, sent_ms: int) -> Outcome | None:
        """Carry out a request; ``None`` when it got lost."""
        member, fact = self.saga.step(request.step), self.facts[request.step]
        if member.wait is not None:
            return Later(member.wait.remind_every_s)
        if request.kind is Kind.PROBE:
            return Done("found") if fact.net else Refused("nothing")
        if request.kind is Kind.UNDO:
            return self.undo(fact)
        is_settled = member.probe and self.now_ms >= sent_ms + round(1000 * (member.settles_within_s or 0))
        if is_settled or self.now_ms - sent_ms > SLACK_MS:
            return None
        return self.do(member, fact)

    def do(self, member: Step, fact: Fact) -> Outcome:
        """Act, unless the key is known."""
        knows = member.key_lives_h is None or self.now_ms - fact.done_ms < member.key_lives_h * HOUR_MS + SLACK_MS
        if fact.tombstone:
            return Refused("undone before")
        if fact.effects and knows:
            return Done("done before")
        if fact.refused and member.remembers_refusals:
            return Refused("refused before")
        if not self.healing and self.chance.random() < 0.3:
            fact.refused = True
            return Refused("no")
        fact.effects += 1
        fact.done_ms = self.now_ms
        assert fact.net == 1, "an effect happens once"
        return Done("done")

    def undo(self, fact: Fact) -> Outcome:
        """Undo, once; leave a tombstone where there is nothing to undo."""
        if not self.healing and not fact.undone and self.chance.random() < 0.1:
            return Refused("cannot")
        if fact.net:
            fact.undone = True
        fact.tombstone = True
        return Done()

    def deliver(self, place: int) -> None:
        """Let a request arrive; its answer goes on the wire, or gets lost, or is hidden by an error."""
        request, sent_ms = self.wire.pop(place)
        member, luck = self.saga.step(request.step), self.chance.random()
        if not self.healing and luck < 0.1:
            outcome: Outcome | None = Unknown("before it acted")
        else:
            outcome = self.act(request, sent_ms)
            if not self.healing and luck < 0.25:
                outcome = Unknown("after it acted")
        may_repeat = request.kind is not Kind.DO or member.remembers_refusals
        if not self.healing and may_repeat and self.chance.random() < 0.1:
            self.wire.append((request, sent_ms))
        if outcome is None:
            return
        if not self.healing and 0.25 <= luck < 0.35 and not isinstance(outcome, Unknown):
            self.reply(request, Later(self.chance.choice([0.5, 30, 4000])))
        self.reply(request, outcome)

    def reply(self, request: Request, outcome: Outcome) -> None:
        """Put an answer on the wire; not everybody knows which attempt they answer."""
        attempt = request.call.attempt if self.chance.random() < 0.8 else None
        self.replies.append(Answered(request.step, request.kind, outcome, attempt))

    # --- what happens -------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what is to be sent by now and still wanted."""
        for sent_ms, send in [(sent_ms, send) for sent_ms, send in self.held if sent_ms <= self.now_ms]:
            self.held.remove((sent_ms, send))
            if self.run.wants(send):
                assert send.request.kind is not Kind.DO or not self.turned_back
                self.wire.append((send.request, self.now_ms))

    def sleep(self, until_ms: int) -> None:
        """Let time pass, and what is due run out in its order."""
        while True:
            moment_ms = self.next_ms()
            if moment_ms is None or moment_ms > until_ms:
                break
            self.now_ms = max(self.now_ms, moment_ms)
            self.flush()
            for said in self.run.overdue(self.now_ms):
                self.hand_in(said)
        self.now_ms = max(self.now_ms, until_ms)

    def next_ms(self) -> int | None:
        """Return when something happens by itself."""
        moments = [sent_ms for sent_ms, send in self.held if self.run.wants(send)]
        moments += [due_ms for due_ms, _ in self.run.timers()]
        return min(moments, default=None)

    def restart(self) -> None:
        """Lose what was not sent; of everything that waits, nobody knows whether it went out, unless it was taken."""
        self.held.clear()
        for said in [said for _, said in self.run.timers() if isinstance(said, TimedOut)]:
            if not self.run.waiting[self.member_of(said.step)].taken:
                self.hand_in(said)

    def operate(self) -> None:
        """Let an operator or a client say something; what an operator tells is true."""
        event = self.chance.choice(list(self.facts))
        verbs: list[Verb] = [Cancel("c"), Compensate("c"), Retry(event, "r"), Resolve(event, Done()), Abandon()]
        verb = self.chance.choice(verbs)
        if isinstance(verb, Resolve):
            self.tell_the_truth(event)
        elif not isinstance(verb, Abandon) or self.chance.random() < 0.1:
            self.hand_in(verb)

    def tell_the_truth(self, event: str) -> None:
        """Look at a step, once nothing about it is on its way any more, and tell."""
        at, fact = underway(self.run.state), self.facts[event]
        if at is None or self.place[event] != at.group:
            self.hand_in(Resolve(event, Done()))
            return
        self.wire = [(request, sent_ms) for request, sent_ms in self.wire if request.step != event]
        self.replies = [said for said in self.replies if said.step != event]
        self.held = [(sent_ms, send) for sent_ms, send in self.held if send.request.step != event]
        status = at.members[self.member_of(event)]
        is_last_asked = self.run.waiting[self.member_of(event)].kind is Kind.UNDO
        if status is Status.UNDOING or (status is Status.STUCK and is_last_asked):
            fact.undone, fact.tombstone = fact.effects > 0, True
            self.hand_in(Resolve(event, Done()))
        elif fact.net:
            self.hand_in(Resolve(event, Done("told")))
        elif at.group > self.saga.pivot:
            fact.effects += 1  # done by hand
            self.hand_in(Resolve(event, Done("by hand")))
        else:
            fact.tombstone = True  # and sees to it that it never will
            self.hand_in(Resolve(event, Refused("told")))

    def happen(self) -> None:
        """Let one thing happen."""
        self.flush()
        luck = self.chance.random()
        if luck < 0.4 and self.wire:
            self.deliver(self.chance.randrange(len(self.wire)))
        elif luck < 0.7 and self.replies:
            place = self.chance.randrange(len(self.replies))
            said = self.replies[place] if self.chance.random() < 0.2 else self.replies.pop(place)
            self.hand_in(said)
        elif luck < 0.74:
            self.operate()
        elif luck < 0.76:
            self.restart()
        elif luck < 0.77:
            self.hand_in(DeadlinePassed())
        elif luck < 0.78:
            self.hand_in(Halt(self.chance.choice(list(self.facts)), "damaged"))
        elif luck < 0.79 and self.people:
            word = Done("yes") if self.chance.random() < 0.5 else Refused("no")
            self.replies.append(Answered(self.chance.choice(self.people), Kind.DO, word))
        elif luck < 0.8 and self.wire:
            self.wire.pop(self.chance.randrange(len(self.wire)))
        else:
            self.sleep(self.now_ms + self.chance.choice([1, 500, 5000, 12_000, 12_000, 60_000, 2 * HOUR_MS]))

    def heal(self) -> None:
        """From now on everybody answers, and an operator looks after what is stuck: the saga must end."""
        self.healing = True
        for _ in range(20_000):
            self.flush()
            if isinstance(self.run.state, Finished):
                break
            if self.wire:
                self.deliver(0)
            elif self.replies:
                self.hand_in(self.replies.pop(0))
            elif (moment_ms := self.next_ms()) is not None:
                self.sleep(moment_ms)
            else:
                self.tell_the_truth(self.stuck_step())
        assert isinstance(self.run.state, Finished), "it ends once all answer"

    def stuck_step(self) -> str:
        """Return a step that waits for an operator."""
        at = underway(self.run.state)
        assert at is not None
        return self.saga.groups[at.group][at.members.index(Status.STUCK)].event

    def settle(self) -> None:
        """After the end, let everything arrive that is still on its way."""
        ended = self.run.state
        while self.wire:
            self.deliver(0)
        while self.replies:
            self.hand_in(self.replies.pop(0))
        assert self.run.state == ended

    def check_end(self) -> None:
        """All, or nothing."""
        outside = [m.event for m in self.saga.every_step() if not self.is_at_hand(m) and m.wait is None]
        remote = {event: self.facts[event].net for event in outside}
        at_hand = {
            m.event: (self.entities or {})[m.service].get(LOCAL_ID, 0)
            for m in self.saga.every_step()
            if self.is_at_hand(m)
        }
        if isinstance(self.run.state, Completed):
            assert set(remote.values()) | set(at_hand.values()) <= {1}
        elif isinstance(self.run.state, Compensated):
            assert set(remote.values()) | set(at_hand.values()) <= {0}

    def is_at_hand(self, member: Step) -> bool:
        """Whether a step is carried out by the saga itself."""
        return self.entities is not None and member.is_local
