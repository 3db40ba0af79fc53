"""The unit that every runtime shares: a saga and an input give the saga after it, and what is to be done.

`step` takes the signal that an input is, follows the table, and keeps the books beside the state: answers, attempts,
times, reasons. It chooses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from amends.core.decide import Answer, Said, Signal, TryAgain, Wish, can_turn_back
from amends.core.definition import Saga, Step
from amends.core.messages import (
    NO_ANSWERS,
    Abandon,
    Answered,
    Call,
    Cancel,
    Compensate,
    DeadlinePassed,
    Decline,
    Done,
    Effect,
    End,
    Input,
    Kind,
    Later,
    Park,
    Refused,
    Request,
    Resolve,
    Retry,
    Send,
    TimedOut,
    Unknown,
    Verb,
    Write,
)
from amends.core.state import (
    ASKED,
    Backward,
    Entered,
    Finished,
    Forward,
    Marked,
    State,
    Status,
    asked,
    begin,
    outstanding,
    underway,
    word_for,
)
from amends.core.straight import Entities
from amends.core.table import NOTHING, Entry, Link, Story, node
from amends.core.waiting import Waiting, ask, is_over, milliseconds, pause_ms
from amends.core.walk import key_of, walk


class Run(NamedTuple):
    """One run of a saga: its state, and what travels beside it.

    Attributes:
        saga: the definition.
        saga_id: unique among the sagas of one store.
        request: frozen at the start.
        state: what `decide` looks at.
        answers: of done steps, by event; a step that answered nothing is not in it.
        waiting: for each member of the current group what it was asked last; empty once the saga is final.
        trail: the outcomes so far, in order.
        reason: why it turned back, or got stuck since; empty while nothing went wrong.
        deadline_ms: when to hand in `DeadlinePassed`; ``None`` without a deadline.
        number: of the last audit record.
    """

    saga: Saga
    saga_id: str
    request: Any
    state: State
    answers: Mapping[str, Any] = NO_ANSWERS
    waiting: tuple[Waiting, ...] = ()
    trail: tuple[Entry, ...] = ()
    reason: str = ""
    deadline_ms: int | None = None
    number: int = 0

    def due_ms(self) -> int | None:
        """When this saga moves by itself at the latest; ``None`` when it is final, or only an operator can move it."""
        return min((due_ms for due_ms, _ in self.timers()), default=None)

    def overdue(self, now_ms: int) -> tuple[Input, ...]:
        """The inputs that the clock gives by itself at a time: what ran out, and the deadline."""
        return tuple(said for due_ms, said in self.timers() if due_ms <= now_ms)

    def timers(self) -> Iterator[tuple[int, Input]]:
        """What the clock hands in by itself, and when, unless something else happens before."""
        for member, kind in asked(self.state):
            yield self.waiting[member].due_ms, TimedOut(_step(self, member).event, kind)
        if self.deadline_ms is not None and can_turn_back(self.saga, self.state):
            yield self.deadline_ms, DeadlinePassed()

    def wants(self, send: Send) -> bool:
        """Whether a `Send` that was held back until its time is still to be sent.

        It is not when an answer or another attempt overtook it, nor is an action once the saga goes back.
        """
        request, member = send.request, _member(self, send.request.step)
        if member is None or (member, request.kind) not in asked(self.state):
            return False
        attempt = self.waiting[member].attempt, self.waiting[member].at_ms
        too_late = request.kind is Kind.DO and isinstance(self.state, Backward)
        return attempt == (request.call.attempt, send.at_ms) and not too_late

    def outstanding(self) -> tuple[str, ...]:
        """What would be left to do if nothing more happened; see `amends.core.state.outstanding`."""
        return outstanding(self.saga, self.state)


def start(
    saga: Saga, saga_id: str, request: Any, now_ms: int = 0, entities: Entities | None = None
) -> tuple[Run, tuple[Effect, ...]]:
    """Start a saga.

    Args:
        saga: the definition.
        saga_id: unique among the sagas of one store.
        request: what the saga is to do; `Saga.prepare` built it, or the caller.
        now_ms: the loop's clock.
        entities: as for `step`.

    Returns:
        The run, and what is to be done; see `step`.
    """
    deadline = None if saga.deadline_s is None else now_ms + milliseconds(saga.deadline_s)
    fresh = Run(saga, saga_id, request, begin(saga), deadline_ms=deadline)
    return _moved(fresh, node(saga, fresh.state).follow(Wish.BEGIN), None, now_ms, entities)


def step(run: Run, said: Input, now_ms: int, entities: Entities | None = None) -> tuple[Run, tuple[Effect, ...]]:
    """The saga after an input, and what is to be done, in this order, once the saga is stored.

    Args:
        run: the saga before; it is not changed.
        said: what happened. Whether a `TimedOut` is due is the loop's to say: after a restart every request that may
            not have gone out counts as timed out.
        now_ms: the loop's clock.
        entities: when given, local participants answer within this step, on these entities, and nothing is sent to
            them. Without it every request is sent, and `step` is pure.

    Returns:
        The run after, and the effects: a `Write` first (also for an input that changed nothing, so that a late answer
        is on record), then each `Send`, then `Park` or `End`. A verb that cannot be taken gives a `Decline` alone.
    """
    if isinstance(said, Answered) and isinstance(said.outcome, Later):
        return _postponed(run, said, said.outcome, now_ms)
    signal = _signal(run, said, now_ms)
    at = node(run.saga, run.state)
    link = at.follow(signal) if signal else Link(at, NOTHING)
    if isinstance(said, Verb) and not link.story.changes:
        return run, (Decline(run.saga_id, said, _why_not(run, said)),)
    known = run._replace(answers={**run.answers, **_answer(run, said, signal)})
    return _moved(known, link, said, now_ms, entities)


# From an input to a signal ------------------------------------------------------------------------------------


def _signal(run: Run, said: Input, now_ms: int) -> Signal | None:
    """The signal that an input is in this state; ``None`` when it is about no step of the current group."""
    if isinstance(said, Abandon):
        return Wish.GIVE_UP
    if isinstance(said, Cancel | Compensate | DeadlinePassed):
        return Wish.TURN_BACK
    member = _member(run, said.step)
    if member is None:
        return None
    match said:
        case Answered(_, kind, Done()):
            return Answer(member, kind, Said.DONE)
        case Answered(_, kind, Refused()):
            return Answer(member, kind, Said.REFUSED)
        case Answered(_, kind, _) | TimedOut(_, kind):
            return Answer(member, kind, _unknown(run, member, kind, now_ms))
        case Retry():
            return TryAgain(member)
    kind = run.waiting[member].kind
    if kind is Kind.PROBE and (member, kind) not in asked(run.state):
        kind = Kind.DO  # the action got stuck while it was looked for
    return Answer(member, kind, Said.DONE if isinstance(said.outcome, Done) else Said.RULED_OUT)


def _unknown(run: Run, member: int, kind: Kind, now_ms: int) -> Said:
    """Whether there can be another attempt."""
    step, last = _step(run, member), run.waiting[member]
    again_ms = _again_ms(run, step, kind, last, now_ms)
    return Said.EXPIRED if is_over(run.saga, _group(run), step, last, again_ms) else Said.UNKNOWN


def _again_ms(run: Run, step: Step, kind: Kind, last: Waiting, now_ms: int) -> int:
    return now_ms + pause_ms(step.backoff, key_of(run.saga_id, step, kind), last.attempt + 1)


def _group(run: Run) -> int:
    at = underway(run.state)
    return at.group if at else -1


def _step(run: Run, member: int) -> Step:
    return run.saga.groups[_group(run)][member]


def _member(run: Run, event: str) -> int | None:
    group = run.saga.groups[_group(run)] if underway(run.state) else ()
    return next((member for member, step in enumerate(group) if step.event == event), None)


def _why_not(run: Run, verb: Verb) -> str:
    at = underway(run.state)
    if at is None:
        return f"too late: the saga is {word_for(run.state)}"
    if isinstance(verb, Retry | Resolve):
        group = zip(run.saga.groups[at.group], at.members, strict=True)
        now = ", ".join(f"{step.event} is {status.value}" for step, status in group)
        return f"{verb.step} cannot take that now: the saga goes {word_for(at)}, {now}"
    if isinstance(at, Backward):
        return "the saga is going back already"
    return "too late: the pivot's request is committed, and from there a saga only goes forward"


# The books beside the state -----------------------------------------------------------------------------------


def _answer(run: Run, said: Input, signal: Signal | None) -> dict[str, Any]:
    """The answer of an action that an input brings; the first one counts (docs/promises.md, P5)."""
    match said, signal:
        case (Answered(event, kind, Done(answer)), _) | (Resolve(event, Done(answer)), Answer(kind=kind)):
            asked_so_far = {step.event for group in run.saga.groups[: _group(run) + 1] for step in group}
            if answer is not None and kind is not Kind.UNDO and event in asked_so_far - run.answers.keys():
                return {event: answer}
    return {}


def reason_of(said: Input | None) -> str:
    """What an input gives as a reason, for a person."""
    match said:
        case Answered(outcome=Refused(words) | Unknown(words)) if words:
            return words
    return in_words(said)


def in_words(said: Input | None) -> str:
    """An input on one line, as the audit stores it."""
    more = ""
    match said:
        case None:
            about = "started"
        case DeadlinePassed():
            about = "deadline passed"
        case TimedOut(event, kind):
            about = f"{event}/{kind.value} timed out"
        case Answered(event, kind, Refused(more) | Unknown(more) as outcome):
            about = f"{event}/{kind.value} {word_for(outcome)}"
        case Answered(event, kind, outcome):
            about = f"{event}/{kind.value} {word_for(outcome)}"
        case Resolve(event, outcome, more):
            about = f"resolve {event} {word_for(outcome)}"
        case Retry(event, more):
            about = f"retry {event}"
        case _:
            about, more = word_for(said), said.why
    return f"{about}: {more}" if more else about


def _postponed(run: Run, said: Answered, later: Later, now_ms: int) -> tuple[Run, tuple[Effect, ...]]:
    """The participant took the request and answers later: wait for that, without sending again."""
    member, waiting, number = _member(run, said.step), list(run.waiting), run.number + 1
    if member is not None and (member, said.kind) in asked(run.state):
        at_ms = min(now_ms, waiting[member].at_ms)  # a retry that waits for its time is not needed any more
        waiting[member] = waiting[member]._replace(at_ms=at_ms, due_ms=now_ms + milliseconds(later.within_s))
    after = run._replace(waiting=tuple(waiting), number=number)
    return after, (Write(run.saga_id, number, in_words(said), ()),)


def _moved(
    run: Run, link: Link, said: Input | None, now_ms: int, entities: Entities | None
) -> tuple[Run, tuple[Effect, ...]]:
    """The run after a link of the table, and after the local steps that follow from it; and the effects."""
    after, story, answers, refusal = link.node, link.story, run.answers, ""
    while True:
        if entities is not None:
            path, answers, refused = walk(after.path, run.saga_id, run.request, entities, answers)
            after, story, refusal = path.node, story.then(path.story), refused or refusal
        waiting, to_send = _asked_now(run, after.state, story, said, now_ms)
        unsent = _unsent(after.state, waiting, to_send, now_ms)
        if unsent is None:
            break
        after, story = after.follow(unsent).node, story.then(after.follow(unsent).story)
    moved = run._replace(
        state=after.state,
        answers=answers,
        waiting=waiting,
        trail=run.trail + story.entries,
        reason=refusal or (reason_of(said) if _is_trouble(run, story) else "") or run.reason,
        number=run.number + 1,
    )
    write = Write(run.saga_id, moved.number, in_words(said), story.words)
    return moved, (write, *(_send(moved, member) for member in to_send), *_last_words(moved, story))


def _is_trouble(run: Run, story: Story) -> bool:
    """Whether the saga turned back, or got stuck."""
    went_forward = isinstance(underway(run.state), Forward)
    return _got_stuck(story) or any(
        went_forward and isinstance(change, Entered) and isinstance(change.at, Backward) for change in story.changes
    )


def _got_stuck(story: Story) -> bool:
    return any(isinstance(change, Marked) and change.status is Status.STUCK for change in story.changes)


def _asked_now(
    run: Run, state: State, story: Story, said: Input | None, now_ms: int
) -> tuple[tuple[Waiting, ...], Collection[int]]:
    """What each member of the state's group waits for, and which members were asked in the story."""
    group, waiting, to_send = _group(run), dict(enumerate(run.waiting)), dict[int, None]()
    for change in story.changes:
        if isinstance(change, Entered) and change.at.group != group:
            group, waiting, to_send = change.at.group, {}, {}
        elif isinstance(change, Marked):
            member = change.member
            to_send.pop(member, None)
            if kind := ASKED.get(change.status):
                step = run.saga.groups[group][member]
                waiting[member] = _ask(run, step, kind, waiting.get(member), said, now_ms)
                to_send[member] = None
    return (tuple(waiting[member] for member in sorted(waiting)), to_send) if underway(state) else ((), ())


def _unsent(state: State, waiting: Sequence[Waiting], to_send: Collection[int], now_ms: int) -> Answer | None:
    """What is certain of an action that will not be sent, because the saga goes back before its time came."""
    for member, kind in asked(state):
        is_held = member in to_send or waiting[member].at_ms > now_ms
        if kind is Kind.DO and isinstance(state, Backward) and is_held:
            return Answer(member, kind, Said.RULED_OUT if waiting[member].attempt == 1 else Said.UNKNOWN)
    return None


def _ask(run: Run, step: Step, kind: Kind, last: Waiting | None, said: Input | None, now_ms: int) -> Waiting:
    if last is None or last.kind is not kind:
        return ask(step, kind, last, now_ms, "")
    at_ms = now_ms if isinstance(said, Retry) else _again_ms(run, step, kind, last, now_ms)
    return ask(step, kind, last, at_ms, reason_of(said))


def _send(run: Run, member: int) -> Send:
    """The request that a member waits for. It reads what groups before it answered: the same at every attempt."""
    step, waiting = _step(run, member), run.waiting[member]
    before = {step.event for group in run.saga.groups[: _group(run)] for step in group}
    answers = {event: answer for event, answer in run.answers.items() if event in before}
    answer = run.answers.get(step.event) if waiting.kind is Kind.UNDO else None
    call = Call(key_of(run.saga_id, step, waiting.kind), waiting.attempt, answers, answer)
    return Send(Request(run.saga_id, step.event, waiting.kind, run.request, call), waiting.at_ms, waiting.due_ms)


def _last_words(run: Run, story: Story) -> Iterator[Effect]:
    if _got_stuck(story):
        yield Park(run.saga_id, run.outstanding())
    elif isinstance(run.state, Finished) and story.changes:
        yield End(run.saga_id)
