"""The unit that every runtime shares: a saga and an input give the saga after it, and what is to be done.

`step` takes the signal that an input is, follows the table, and keeps the books beside the state: answers, attempts,
times, reasons. It chooses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from amends.core.decide import Answer, Begin, GiveUp, Said, Signal, TryAgain, TurnBack, can_turn_back
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
    NeedsOperator,
    State,
    Status,
    asked,
    begin,
    outstanding,
    underway,
)
from amends.core.table import NOTHING, Entry, Link, Story, node
from amends.core.waiting import Waiting, asked_again, asked_first, has_settled, is_over, milliseconds
from amends.core.walk import Entities, key_of, walk

NO_ANSWER_CAME: Final = "no answer in time"
TROUBLE: Final = {Status.REFUSED, Status.UNKNOWN, Status.STUCK}


class Run(NamedTuple):
    """One run of a saga: its state, and what travels beside it.

    Attributes:
        saga: the definition.
        saga_id: unique among the sagas of one store.
        request: frozen at the start.
        state: what `decide` looks at.
        answers: of done steps, by event; a step that answered nothing is not in it.
        waiting: for each member of the current group what it was asked last; empty before anything was asked.
        trail: the outcomes so far, in order.
        reason: why it turned back or got stuck; empty while nothing went wrong.
        deadline_ms: when to hand in `DeadlinePassed`; ``None`` without a deadline.
        number: of the last audit record.
    """

    saga: Saga
    saga_id: str
    request: Any
    state: State
    answers: Mapping[str, Any] = NO_ANSWERS
    waiting: tuple[Waiting | None, ...] = ()
    trail: tuple[Entry, ...] = ()
    reason: str = ""
    deadline_ms: int | None = None
    number: int = 0

    def due_ms(self) -> int | None:
        """When this saga moves by itself at the latest; ``None`` when it is final, or only an operator can move it."""
        times = [waiting.due_ms for member, _ in asked(self.state) if (waiting := self.waiting[member])]
        if self.deadline_ms is not None and can_turn_back(self.saga, self.state):
            times.append(self.deadline_ms)
        return min(times, default=None)

    def overdue(self, now_ms: int) -> Iterator[Input]:
        """The inputs that the clock gives by itself at a time: what ran out, and the deadline."""
        for member, kind in asked(self.state):
            waiting = self.waiting[member]
            if waiting and waiting.due_ms <= now_ms:
                yield TimedOut(_step_of(self, member).event, kind)
        if self.deadline_ms is not None and self.deadline_ms <= now_ms and can_turn_back(self.saga, self.state):
            yield DeadlinePassed()

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
    return _moved(fresh, node(saga, fresh.state).follow(Begin()), "started", now_ms, entities)


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
        return run, (Decline(run.saga_id, said, _why_not(run)),)
    return _moved(_informed(run, said, link.story), link, in_words(said), now_ms, entities, said)


# From an input to a signal ------------------------------------------------------------------------------------


def _signal(run: Run, said: Input, now_ms: int) -> Signal | None:
    """The signal that an input is in this state; ``None`` when it is about no step of the current group."""
    match said:
        case Answered(event, kind, outcome):
            member = _member(run, event)
            return None if member is None else Answer(member, kind, _said(run, member, kind, outcome, now_ms))
        case TimedOut(event, kind):
            member = _member(run, event)
            if member is None or not _is_asked(run, member, kind):
                return None
            return Answer(member, kind, _unknown(run, member, kind, now_ms))
        case Cancel() | Compensate() | DeadlinePassed():
            return TurnBack()
        case Retry(event):
            member = _member(run, event)
            return None if member is None else TryAgain(member)
        case Resolve(event, outcome):
            return _resolved(run, _member(run, event), outcome)
        case Abandon():
            return GiveUp()


def _said(run: Run, member: int, kind: Kind, outcome: object, now_ms: int) -> Said:
    if isinstance(outcome, Done):
        return Said.DONE
    if isinstance(outcome, Refused):
        waiting = run.waiting[member]
        too_early = kind is Kind.PROBE and waiting and not has_settled(_step_of(run, member), waiting, now_ms)
        return Said.UNKNOWN if too_early else Said.REFUSED
    return _unknown(run, member, kind, now_ms)


def _unknown(run: Run, member: int, kind: Kind, now_ms: int) -> Said:
    last = run.waiting[member]
    if last is None or last.kind is not kind:
        return Said.UNKNOWN
    the_step, at = _step_of(run, member), underway(run.state)
    _, at_ms = asked_again(the_step, last, key_of(run.saga_id, the_step, kind), now_ms, "")
    assert at is not None, "who is asked is under way"
    return Said.EXPIRED if is_over(run.saga, at.group, the_step, last, at_ms) else Said.UNKNOWN


def _resolved(run: Run, member: int | None, outcome: Done | Refused) -> Signal | None:
    """An operator's word on what a member was asked last; nothing when it waits for no answer."""
    at = underway(run.state)
    if at is None or member is None:
        return None
    status = at.members[member]
    stuck_on = Kind.DO if isinstance(at, Forward) else Kind.UNDO
    kind = stuck_on if status is Status.STUCK else ASKED.get(status)
    said = Said.DONE if isinstance(outcome, Done) else Said.RULED_OUT
    return None if kind is None else Answer(member, kind, said)


def _member(run: Run, event: str) -> int | None:
    at = underway(run.state)
    group = run.saga.groups[at.group] if at else ()
    return next((member for member, step in enumerate(group) if step.event == event), None)


def _step_of(run: Run, member: int) -> Step:
    at = underway(run.state)
    assert at is not None, "a final saga has no current group"
    return run.saga.groups[at.group][member]


def _is_asked(run: Run, member: int, kind: Kind) -> bool:
    return (member, kind) in asked(run.state)


def _why_not(run: Run) -> str:
    at = underway(run.state)
    if at is None:
        return f"too late: the saga is {type(run.state).__name__.lower()}"
    if isinstance(at, Backward):
        return "the saga is going back already"
    return "too late: the pivot's request is committed, and from there a saga only goes forward"


# The books beside the state -----------------------------------------------------------------------------------


def _informed(run: Run, said: Input, story: Story) -> Run:
    """The run with what the input tells beside the state: an answer, a reason."""
    if (answer := _answer(run, said)) is not None:
        run = run._replace(answers={**run.answers, **answer})
    if _is_trouble(story) and (reason := reason_of(said)):
        run = run._replace(reason=reason)
    return run


def _answer(run: Run, said: Input) -> dict[str, Any] | None:
    """The answer of an action that an input brings; the first one counts (docs/promises.md, P5)."""
    if not isinstance(said, Answered | Resolve) or not isinstance(said.outcome, Done):
        return None
    kind = said.kind if isinstance(said, Answered) else _kind_resolved(run, said)
    is_first = said.step not in run.answers and kind is not Kind.UNDO
    return {said.step: said.outcome.answer} if is_first and said.outcome.answer is not None else None


def _kind_resolved(run: Run, said: Resolve) -> Kind | None:
    signal = _resolved(run, _member(run, said.step), said.outcome)
    return signal.kind if isinstance(signal, Answer) else None


def _is_trouble(story: Story) -> bool:
    return any(
        (isinstance(change, Entered) and isinstance(change.at, Backward))
        or (isinstance(change, Marked) and change.status in TROUBLE)
        for change in story.changes
    )


def reason_of(said: Input) -> str:
    """What an input gives as a reason, for a person; empty when it gives none."""
    match said:
        case Answered(outcome=Refused(reason)):
            return reason or "refused"
        case Answered(outcome=Unknown(error)):
            return error or "unknown outcome"
        case TimedOut():
            return NO_ANSWER_CAME
        case DeadlinePassed():
            return "the saga's deadline passed"
        case Cancel(why) | Compensate(why) | Abandon(why) | Retry(why=why) | Resolve(why=why):
            return f"{type(said).__name__.lower()}: {why}" if why else type(said).__name__.lower()
    return ""


def in_words(said: Input) -> str:
    """An input on one line, as the audit stores it."""
    match said:
        case Answered(event, kind, outcome):
            about = f"{event}/{kind.value} {type(outcome).__name__.lower()}"
        case TimedOut(event, kind):
            about = f"{event}/{kind.value} timed out"
        case Resolve(event, outcome):
            about = f"resolve {event} {type(outcome).__name__.lower()}"
        case Retry(event):
            about = f"retry {event}"
        case DeadlinePassed():
            about = "deadline"
        case Cancel() | Compensate() | Abandon():
            about = type(said).__name__.lower()
    reason = reason_of(said)
    return f"{about}: {reason}" if reason and not isinstance(said, TimedOut | DeadlinePassed) else about


def _postponed(run: Run, said: Answered, later: Later, now_ms: int) -> tuple[Run, tuple[Effect, ...]]:
    """The participant took the request and answers later: wait for that, without sending again."""
    member = _member(run, said.step)
    number = run.number + 1
    if member is not None and _is_asked(run, member, said.kind) and (waiting := run.waiting[member]):
        longer = waiting._replace(due_ms=now_ms + milliseconds(later.within_s))
        run = run._replace(waiting=_with(run.waiting, member, longer))
    return run._replace(number=number), (Write(run.saga_id, number, in_words(said), ()),)


def _moved(
    run: Run, link: Link, cause: str, now_ms: int, entities: Entities | None, said: Input | None = None
) -> tuple[Run, tuple[Effect, ...]]:
    """The run after a link of the table, and after the local steps that follow from it; and the effects."""
    after, story, answers, reason = link.node, link.story, run.answers, run.reason
    if entities is not None:
        path, answers, refusal = walk(after.path, run.saga_id, run.request, entities, answers)
        after, story, reason = path.node, story.then(path.story), refusal or reason
    waiting, sent_at = _asked_now(run, after.state, story, now_ms, said)
    moved = run._replace(
        state=after.state,
        answers=answers,
        waiting=waiting,
        trail=run.trail + story.entries,
        reason=reason,
        number=run.number + 1,
    )
    write = Write(run.saga_id, moved.number, cause, story.words)
    sends = (_send(moved, member, at_ms) for member, at_ms in sent_at.items())
    return moved, (write, *sends, *_last_words(moved, story))


def _asked_now(
    run: Run, state: State, story: Story, now_ms: int, said: Input | None
) -> tuple[tuple[Waiting | None, ...], dict[int, int]]:
    """What each member of the state's group waits for, and when to send to those that were asked in the story."""
    at = underway(state)
    if at is None:
        return (), {}
    marks, is_same_group = _last_marks(run, story)
    members = range(len(at.members))
    waiting: list[Waiting | None] = list(run.waiting) if is_same_group and run.waiting else [None for _ in members]
    sent_at = {}
    for member, status in marks.items():
        if kind := ASKED.get(status):
            asked_for, sent_at[member] = _ask(
                run, run.saga.groups[at.group][member], kind, waiting[member], now_ms, said
            )
            waiting[member] = asked_for
    return tuple(waiting), sent_at


def _last_marks(run: Run, story: Story) -> tuple[dict[int, Status], bool]:
    """The last mark of each member of the group that the story ends in, and whether it never left its group."""
    at = underway(run.state)
    group, marks, is_same_group = at.group if at else 0, dict[int, Status](), True
    for change in story.changes:
        if isinstance(change, Marked):
            marks[change.member] = change.status
        elif isinstance(change, Entered) and change.at.group != group:
            group, marks, is_same_group = change.at.group, {}, False
    return marks, is_same_group


def _ask(
    run: Run, step: Step, kind: Kind, last: Waiting | None, now_ms: int, said: Input | None
) -> tuple[Waiting, int]:
    if last is None or last.kind is not kind:
        return asked_first(step, kind, last, now_ms), now_ms
    if isinstance(said, Retry):
        return asked_first(step, kind, last, now_ms)._replace(attempt=last.attempt + 1), now_ms
    error = reason_of(said) if said else ""
    return asked_again(step, last, key_of(run.saga_id, step, kind), now_ms, error)


def _send(run: Run, member: int, at_ms: int) -> Send:
    step, waiting = _step_of(run, member), run.waiting[member]
    assert waiting is not None, "what is sent is waited for"
    answer = run.answers.get(step.event) if waiting.kind is Kind.UNDO else None
    call = Call(key_of(run.saga_id, step, waiting.kind), waiting.attempt, run.answers, answer)
    request = Request(run.saga_id, step.event, waiting.kind, run.request, call)
    return Send(request, at_ms, waiting.due_ms)


def _last_words(run: Run, story: Story) -> Iterator[Effect]:
    if isinstance(run.state, Finished):
        if story.changes:
            yield End(run.saga_id)
    elif isinstance(run.state, NeedsOperator) and any(
        getattr(change, "status", None) is Status.STUCK for change in story.changes
    ):
        yield Park(run.saga_id, run.outstanding())


def _with(waiting: tuple[Waiting | None, ...], member: int, new: Waiting) -> tuple[Waiting | None, ...]:
    return (*waiting[:member], new, *waiting[member + 1 :])
