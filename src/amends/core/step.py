"""The unit that every runtime shares: a saga and an input give the saga after it, and what is to be done.

`step` takes the signal that an input is, follows the table, and keeps the books beside the state: answers, attempts,
times, reasons. It chooses nothing: what time decides (no attempt is left, an action was not sent before the saga turned
back) it finds out, and tells `amends.core.decide` by a signal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from amends.core.debts import contradiction, owed_of, undo_was_asked
from amends.core.decide import AnswerSignal, Halted, ReportedOutcome, Signal, TryAgain, Wish, can_turn_back
from amends.core.definition import Saga, Step, Wait
from amends.core.effects import CallOperator, Contradicted, Decline, Effect, Send, Write
from amends.core.messages import (
    NO_ANSWERS,
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
    Refused,
    Request,
    Resolve,
    Retry,
    TimedOut,
    Undo,
    Unknown,
    Verb,
    worded,
)
from amends.core.records import StepBecame
from amends.core.state import (
    ASKED,
    Backward,
    Completed,
    Debt,
    Entered,
    Marked,
    NeedsOperator,
    State,
    Status,
    awaited,
    goes_back,
    member_of,
    outstanding,
    underway,
    word_for,
)
from amends.core.straight import Entities
from amends.core.table import Entry, TransitionPath, Way, node
from amends.core.waiting import NOT_ASKED, Waiting, ask, await_answer, is_over, milliseconds, pause_ms
from amends.core.walk import call_of, key_of, walk

CERTAIN: Final = {Done: ReportedOutcome.CONFIRMED, Refused: ReportedOutcome.RULED_OUT}
made: Final[Any] = tuple.__new__  # a NamedTuple of all its fields; its own constructor takes twice the time


class SagaInstance(NamedTuple):
    """One run of a saga: its state, and what travels beside it.

    Attributes:
        saga: the definition.
        saga_id: unique among the sagas of one store.
        request: frozen at the start.
        state: what `decide` looks at.
        answers: of done steps, by event; a step that answered nothing is not in it.
        waiting: for each member of the current group what it was asked last; empty once the saga is final.
        trail: the outcomes so far, in order.
        reason: why it turned back; empty while it did not.
        trouble: why it waits for an operator, or waited last; empty while it never did.
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
    trouble: str = ""
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
        for member, kind in awaited(self.state):
            waiting = self.waiting[member]
            yield waiting.due_ms, TimedOut(member_of(self.saga, self.state, member).event, kind, waiting.attempt)
        if self.deadline_ms is not None and can_turn_back(self.saga, self.state):
            yield self.deadline_ms, DeadlinePassed()

    def requests(self) -> Iterator[Send]:
        """What has been asked and not answered, and when it is sent: what an engine can tell from a stored run alone.

        Which of it has gone out already is the engine's to know; `wants` says what is not to go out any more.
        """
        return _unanswered(self)

    def wants(self, send: Send) -> bool:
        """Whether a `Send` that was held back until its time is still to be sent.

        It is not when an answer or another attempt overtook it, when the participant took it, nor is an action once the
        saga goes back.
        """
        request, member = send.request, _member(self, send.request.step)
        if member is None or (member, request.kind) not in awaited(self.state):
            return False
        waiting, is_action = self.waiting[member], request.kind is Kind.DO
        too_late = waiting.taken or (is_action and isinstance(underway(self.state), Backward))
        return (waiting.attempt, waiting.at_ms) == (request.call.attempt, send.at_ms) and not too_late

    def owed(self) -> tuple[str, ...]:
        """The steps whose effect stands though the saga gave them up, by event; see `amends.core.debts`."""
        return () if self.state.__class__ is Completed else owed_of(self.trail)  # then every step stands

    def outstanding(self) -> tuple[str, ...]:
        """What would be left to do if nothing more happened; see `amends.core.state.outstanding`."""
        return outstanding(self.saga, self.state)


Moved = tuple[SagaInstance, tuple[Effect, ...]]
"""The run after an input, and what is to be done, in order."""


def start(saga: Saga, saga_id: str, request: Any, now_ms: int = 0, entities: Entities | None = None) -> Moved:
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
    first = node(saga)
    deadline_ms = None if saga.deadline_s is None else now_ms + milliseconds(saga.deadline_s)
    fresh: SagaInstance = made(
        SagaInstance, (saga, saga_id, request, first.state, NO_ANSWERS, (), (), "", "", deadline_ms, 0)
    )
    return _moved(fresh, first.follow(Wish.BEGIN), None, now_ms, entities)


def step(run: SagaInstance, said: Input, now_ms: int, entities: Entities | None = None) -> Moved:
    """The saga after an input, and what is to be done, in this order, once the saga is stored.

    Args:
        run: the saga before; it is not changed.
        said: what happened. Whether a `TimedOut` is due is the loop's to say: after a restart every request that may
            not have gone out counts as timed out; one that was taken (`Waiting.taken`) did.
        now_ms: the loop's clock.
        entities: when given, local participants answer within this step, on these entities, and nothing is sent to
            them. Without it every request is sent, and `step` is pure.

    Returns:
        The run after, and the effects: a `Write` first (also for an input that changed nothing, so that a late answer
        is on record), then each `Send`, then `CallOperator`. A verb that cannot be taken gives a `Decline` alone.
    """
    if isinstance(said, Undo):
        return _undone_late(run, said, now_ms)
    if isinstance(said, Answered) and isinstance(said.outcome, Later):
        return _postponed(run, said, said.outcome, now_ms)
    signal = _signal(run, said, now_ms)
    at = node(run.saga, run.state)
    path = at.follow(signal) if signal else at.path
    if not path.story.changes and _settles(run, said):
        return _noted(_recorded(run, said), said.step, Debt.SETTLED)  # type: ignore[union-attr]  # it is about a step
    if not path.story.changes and isinstance(said, Verb):
        return run, (Decline(run.saga_id, said, _why_not(run, said)),)
    moved = _moved(_informed(run, said, signal), path, said, now_ms, entities)
    return _contradicted(run, said, moved) if not path.story.changes and isinstance(said, Answered) else moved


# From an input to a signal ------------------------------------------------------------------------------------


def _signal(run: SagaInstance, said: Input, now_ms: int) -> Signal | None:
    """The signal that an input is in this state; ``None`` when it is about no step of the current group."""
    if isinstance(said, Abandon):
        return Wish.GIVE_UP
    if isinstance(said, (Cancel, Compensate, DeadlinePassed)):
        return Wish.TURN_BACK
    member = _member(run, said.step)
    if member is None:
        return None
    last = run.waiting[member]
    match said:
        case Answered(_, kind, Done() | Refused() as outcome):
            return AnswerSignal(
                member, kind, ReportedOutcome.DONE if isinstance(outcome, Done) else ReportedOutcome.REFUSED
            )
        case Answered(_, kind, _, attempt) | TimedOut(_, kind, attempt):
            counts = attempt in (None, last.attempt)  # it says nothing of another attempt
            is_taken_back = isinstance(said, Answered) and getattr(said.outcome, "taken_back", False)
            return AnswerSignal(member, kind, _unknown(run, member, kind, now_ms, is_taken_back)) if counts else None
        case Halt():
            return Halted(member)
        case Retry():
            return TryAgain(member, last.kind)
    is_looked_for = last.kind is Kind.PROBE and (member, last.kind) not in awaited(run.state)
    kind = Kind.DO if is_looked_for else last.kind  # the action got stuck while it was looked for
    word = CERTAIN.get(type(said.outcome))  # type: ignore[union-attr]  # `Undo` is no state's matter
    return AnswerSignal(member, kind, word) if word else None


def _unknown(run: SagaInstance, member: int, kind: Kind, now_ms: int, is_taken_back: bool) -> ReportedOutcome:
    """Whether there can be another attempt; where none can, an action whose every attempt was taken back is refused.

    A wait has no effect. So it certainly was not answered while its time lasts, and is refused after that; a pause is
    done.
    """
    step, last, at = member_of(run.saga, run.state, member), run.waiting[member], underway(run.state)
    if step.wait is not None:
        is_well = step.wait.is_pause and not last.error
        at_end = ReportedOutcome.DONE if is_well else ReportedOutcome.REFUSED
        return ReportedOutcome.FAILED if now_ms < last.ends_ms else at_end
    if not is_over(run.saga, _group(run), step, last, _again_ms(run, step, kind, last, now_ms)):
        return ReportedOutcome.FAILED if is_taken_back else ReportedOutcome.UNKNOWN
    is_certain = is_taken_back and at is not None and at.members[member] is Status.SENT
    return ReportedOutcome.REFUSED if is_certain else ReportedOutcome.EXPIRED


def _again_ms(run: SagaInstance, step: Step, kind: Kind, last: Waiting, now_ms: int) -> int:
    return now_ms + pause_ms(step.backoff, key_of(run.saga_id, step, kind), last.attempt + 1)


def _group(run: SagaInstance) -> int:
    at = underway(run.state)
    return at.group if at else -1


def _member(run: SagaInstance, event: str) -> int | None:
    group = run.saga.groups[_group(run)] if underway(run.state) else ()
    return next((member for member, step in enumerate(group) if step.event == event), None)


def _why_not(run: SagaInstance, verb: Verb) -> str:
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


def _informed(run: SagaInstance, said: Input, signal: Signal | None) -> SagaInstance:
    """The run with the answer of an action that an input brings; the first one counts (docs/promises.md, P5)."""
    if (answer := getattr(getattr(said, "outcome", None), "answer", None)) is not None:
        kind, event = getattr(said if isinstance(said, Answered) else signal, "kind", Kind.UNDO), said.step  # type: ignore[union-attr]  # it is about a step
        asked_so_far = {step.event for group in run.saga.groups[: _group(run) + 1] for step in group}
        if kind is not Kind.UNDO and event in asked_so_far - run.answers.keys():
            return run._replace(answers={**run.answers, event: answer})
    return run


def reason_of(said: Input | None) -> str:
    """What an input gives as a reason, for a person."""
    match said:
        case Answered(outcome=Refused(words) | Unknown(words)) | Halt(error=words) if words:
            return worded(words)
    assert said is not None, "where a start turns back, a participant refused, and gave the reason"
    return worded(in_words(said))


def _why_back(run: SagaInstance, said: Input | None) -> str:
    """The reason of turning back; of a wait that was not answered, why it was not, as far as that is known."""
    if isinstance(said, TimedOut) and run.saga.step(said.step).wait is not None:
        error = run.waiting[cast("int", _member(run, said.step))].error
        return f"{said.step}: no answer came in time" + (f"; {error}" if error else "")
    return reason_of(said)


def in_words(said: Input) -> str:
    """An input on one line, for a person: as a reason, and as it is told."""
    more = ""
    match said:
        case DeadlinePassed():
            about = "deadline passed"
        case TimedOut(event, kind):
            about = f"{event}/{kind.value} timed out"
        case Answered(event, kind, outcome):
            about = f"{event}/{kind.value} {word_for(outcome)}"
            more = getattr(outcome, "reason", getattr(outcome, "error", ""))
        case Resolve(event, outcome, more):
            about = f"resolve {event} {word_for(outcome)}"
        case Retry(event, more) | Halt(event, more) | Undo(event, more):
            about = f"{word_for(said)} {event}"
        case _:
            about, more = word_for(said), said.why
    if by := getattr(said, "by", ""):
        about = f"{about} by {by}"
    return f"{about}: {more}" if more else about


def _postponed(run: SagaInstance, said: Answered, later: Later, now_ms: int) -> Moved:
    """The participant took the request and answers later: wait for that, without sending again."""
    member, waiting = _member(run, said.step), list(run.waiting)
    if member is not None and (member, said.kind) in awaited(run.state):
        due_ms = now_ms + milliseconds(later.within_s)
        due_ms = min(due_ms, waiting[member].ends_ms or due_ms)
        at_ms = min(now_ms, waiting[member].at_ms)  # a retry that waits for its time is not needed any more
        waiting[member] = waiting[member]._replace(at_ms=at_ms, due_ms=due_ms, taken=True)
    return _recorded(run._replace(waiting=tuple(waiting)), said)


def _recorded(run: SagaInstance, said: Input) -> Moved:
    """An input that changes no state."""
    return run._replace(number=run.number + 1), (Write(run.saga_id, run.number + 1, said, ()),)


def _noted(moved: Moved, event: str, debt: Debt, *more: Effect) -> Moved:
    """The same, with a debt in the trail, and more effects."""
    run, (write, *others) = moved
    trail = (*run.trail, Entry(event, run.saga.step(event).service, debt))
    told = write._replace(changes=(*write.changes, StepBecame(event, debt)))  # type: ignore[call-arg, union-attr]
    return run._replace(trail=trail), (told, *others, *more)


def _contradicted(run: SagaInstance, said: Answered, moved: Moved) -> Moved:
    """What an answer leaves that changed nothing: where it contradicts what is known, an operator is told."""
    words = contradiction(run.saga, run.state, run.trail, said)
    told = (Contradicted(run.saga_id, words),) if words else ()
    if not words or not isinstance(said.outcome, Done):
        return moved[0], (*moved[1], *told)
    if said.outcome.answer is not None:
        moved = moved[0]._replace(answers={said.step: said.outcome.answer, **moved[0].answers}), moved[1]
    return _noted(moved, said.step, Debt.OWED, *told)


def _settles(run: SagaInstance, said: Input) -> bool:
    """Whether an input says that what is owed of a step is given back."""
    if not isinstance(said, Answered | Resolve) or not isinstance(said.outcome, Done) or said.step not in run.owed():
        return False
    kind, step = getattr(said, "kind", Kind.UNDO_LATE), run.saga.step(said.step)
    return kind is Kind.UNDO_LATE or (kind is Kind.UNDO and not undo_was_asked(run.saga, run.state, run.trail, step))


def _undone_late(run: SagaInstance, said: Undo, now_ms: int) -> Moved:
    """Ask a participant to give back what is owed, under a key that it has not been asked by."""
    if said.step not in run.owed():
        return run, (Decline(run.saga_id, said, f"nothing of {said.step} is owed"),)
    step = run.saga.step(said.step)
    if step.undo is None:
        return run, (Decline(run.saga_id, said, f"{step.event} has no undo: make amends by hand, then Resolve it"),)
    if any(member_of(run.saga, run.state, member) is step for member, _ in awaited(run.state)):
        return run, (Decline(run.saga_id, said, f"{said.step} is being undone; tell it again after that"),)
    kind = Kind.UNDO_LATE if undo_was_asked(run.saga, run.state, run.trail, step) else Kind.UNDO
    call = call_of(run.saga, run.saga_id, step, kind, run.answers, 1, run.reason)
    request = Request(run.saga_id, step.event, Kind.UNDO_LATE, run.request, call)
    after, effects = _recorded(run, said)
    return after, (*effects, Send(request, now_ms, now_ms + milliseconds(step.timeout_s)))


def _moved(run: SagaInstance, path: Way, said: Input | None, now_ms: int, entities: Entities | None) -> Moved:
    """The run after a way through the table, and after the local steps that follow from it; and the effects."""
    answers, reason, trouble, dropped = run.answers, run.reason, "", False
    if goes_back(path.node.state) and not goes_back(run.state):
        reason = _why_back(run, said)
    while True:
        if entities is not None:
            path, answers, reason, refusal = walk(path, run.saga_id, run.request, entities, answers, reason)
            trouble = refusal or trouble
        after, story = path.node, path.story
        at = underway(after.state)
        waiting = _asked_now(run, story, said, now_ms) if at else ()
        unsent = [*_unsent(run.saga, at, run.waiting, waiting, now_ms)] if isinstance(at, Backward) else ()
        if not unsent:
            break
        assert not dropped, "once actions were dropped because the saga turned back, nothing asks for one"
        dropped = True
        for signal in unsent:
            path = path.then(path.node.follow(signal))
    stuck = isinstance(after.state, NeedsOperator) and _got_stuck(story)
    trouble = trouble or (reason_of(said) if stuck else run.trouble)
    trail, number = run.trail + story.entries, run.number + 1
    saga, saga_id, request, _, _, _, _, _, _, deadline_ms, _ = run
    values = saga, saga_id, request, after.state, answers, waiting, trail, reason, trouble, deadline_ms, number
    new: SagaInstance = made(SagaInstance, values)
    write: Write = made(Write, (saga_id, number, said, story.recorded))
    if at is None:
        return new, (write,)
    alert = (CallOperator(run.saga_id, new.outstanding(), trouble),) if stuck else ()
    return new, (write, *_unanswered(new, run.waiting), *alert)


def _got_stuck(story: TransitionPath) -> bool:
    return any(isinstance(change, Marked) and change.status is Status.STUCK for change in story.changes)


def _asked_now(run: SagaInstance, story: TransitionPath, said: Input | None, now_ms: int) -> tuple[Waiting, ...]:
    """What each member of the group that a story leads to waits for."""
    group, waiting = _group(run), dict(enumerate(run.waiting))
    for change in story.changes:
        if isinstance(change, Entered) and change.at.group != group:
            group, waiting = change.at.group, {}
        elif isinstance(change, Marked) and (kind := ASKED.get(change.status)):
            step, last = run.saga.groups[group][change.member], waiting.get(change.member)
            waiting[change.member] = _ask(run, step, kind, last, said, now_ms)
    return tuple([waiting.get(member, NOT_ASKED) for member in range(len(run.saga.groups[group]))])


def _unsent(
    saga: Saga, at: Backward, before: Sequence[Waiting], now: Sequence[Waiting], now_ms: int
) -> Iterator[Signal]:
    """What is certain of actions that will not be sent, because the saga goes back before their time came.

    Of waits it is certain in any case: they are withdrawn, and who was notified has no word any more.
    """
    for member, kind in awaited(at):
        last, is_wait = now[member], saga.groups[at.group][member].wait is not None
        if kind is Kind.DO and (is_wait or last.unsent or last.at_ms > now_ms or _is_new(last, before)):
            is_certain = is_wait or at.members[member] is Status.SENT
            yield AnswerSignal(member, kind, ReportedOutcome.RULED_OUT if is_certain else ReportedOutcome.UNKNOWN)


def _is_new(waiting: Waiting, before: Sequence[Waiting]) -> bool:
    """Whether it is none of those before; two that are equal can be of two groups."""
    return all(waiting is not other for other in before)


def _ask(run: SagaInstance, step: Step, kind: Kind, last: Waiting | None, said: Input | None, now_ms: int) -> Waiting:
    if step.wait is not None:
        return _await_answer(run, step, step.wait, last, said, now_ms)
    if last is None or last.kind is not kind:
        return ask(step, kind, last, now_ms, "")
    at_ms = now_ms if isinstance(said, Retry) else _again_ms(run, step, kind, last, now_ms)
    return ask(step, kind, last, at_ms, reason_of(said))


def _await_answer(
    run: SagaInstance, step: Step, wait: Wait, last: Waiting | None, said: Input | None, now_ms: int
) -> Waiting:
    if last is not None and step.action is None:
        return last
    if last is None or last.taken or isinstance(said, Retry):  # it begins, or its person is to be reminded
        return await_answer(step, wait, run.request, last, now_ms, "")
    again_ms = _again_ms(run, step, Kind.DO, last, now_ms)
    return await_answer(step, wait, run.request, last, again_ms, reason_of(said))


def _unanswered(run: SagaInstance, before: Sequence[Waiting] = ()) -> Iterator[Send]:
    """The requests that are asked and not answered, but for those that were waited for before."""
    for member, kind in awaited(run.state):
        waiting, step = run.waiting[member], member_of(run.saga, run.state, member)
        if step.action is not None and _is_new(waiting, before):
            call = call_of(run.saga, run.saga_id, step, kind, run.answers, waiting.attempt, run.reason)
            yield Send(Request(run.saga_id, step.event, kind, run.request, call), waiting.at_ms, waiting.due_ms)
