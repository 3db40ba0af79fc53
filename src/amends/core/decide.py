"""The only place that chooses to go on, to try again, to compensate, to stop or to ask an operator.

**Theory of operation.** A saga is at one group of steps, and goes forward or back. Each member of the group has one of
ten statuses (`amends.core.state.Status`; docs/rules.md draws how one leads to the next); the groups before it are done,
those after it are pending or undone. That is the whole state. A signal says what happened; `decide` gives the changes
that follow, in two halves:

1. `_react`: what the signal says of its step. An answer marks a member, by what it was asked (`_acted`, `_probed`,
   `_undone`); an operator's word marks one, too; a wish turns the saga back, or ends it.
2. `_follow`, until nothing moves by itself: what the group asks for. Going forward (`_go_on`) the next group is asked
   once all members are done, and the saga turns back once one is refused or unknown. Going back (`_go_back`) what took
   effect, or may have, is undone once no action of the group is under way (`_start_undoing`), then the group before.

Nothing here knows a time, and nothing else chooses. What only a clock or a process can know is found elsewhere, and
comes in as a signal:

- `amends.core.waiting.is_over`: whether there is time for another attempt. `UNKNOWN` says that there is, `EXPIRED` that
  there is none.
- `amends.core.step._unsent`: an action whose time had not come when the saga turned back is certain not to be sent. It
  comes in as `RULED_OUT`, or as `UNKNOWN` where an attempt before it was sent.

What does not fit: `amends.engine.in_flight.InFlight.take_off` sends no action of a saga that turned back in the very
batch in which it asked, since nothing is sent before its commit. The state still says ``sent``, and the step is treated
as one that may have taken effect: it is undone, which is right and one request more than is needed. And an answer that
changes no state may still leave something owed: `amends.core.debts` tells an operator of that.

The rules are those of docs/rules.md; each has its test in tests/core/test_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

from amends.core.definition import Saga, Step
from amends.core.messages import Kind, Word
from amends.core.state import (
    ASKED,
    Abandoned,
    Backward,
    Change,
    Compensated,
    Completed,
    Ended,
    Entered,
    Forward,
    Marked,
    State,
    Status,
    Underway,
    evolve,
    outstanding,
    underway,
)


class ReportedOutcome(Word):
    """What a signal says of a request's outcome."""

    DONE = "done"
    CONFIRMED = "confirmed"  # certainly done: an operator's word
    REFUSED = "refused"
    RULED_OUT = "ruled out"  # certainly not done: an operator's word
    UNKNOWN = "unknown"  # of one attempt; there is time for another
    FAILED = "failed"  # one attempt, which certainly had no effect; there is time for another
    EXPIRED = "expired"  # unknown, and the time for further attempts, or the key's life, is over


class AnswerSignal(NamedTuple):
    """A signal: what became of the request that a member of the current group was asked."""

    member: int
    kind: Kind
    said: ReportedOutcome


class TryAgain(NamedTuple):
    """A signal: an operator wants what a member was asked last to be asked again."""

    member: int
    kind: Kind


class Halted(NamedTuple):
    """A signal: a member can be neither asked nor heard any more, for a reason that is not its participant's."""

    member: int


class Wish(Word):
    """A signal that is about no step."""

    BEGIN = "begin"
    TURN_BACK = "turn back"  # client, operator or deadline want the saga undone
    GIVE_UP = "give up"  # an operator abandons the saga


Signal = AnswerSignal | TryAgain | Halted | Wish

WAITS_FOR_ACTION = {Status.SENT, Status.RESENT}
NOTHING_LEFT = {Status.REFUSED, Status.UNDONE}
YES = {ReportedOutcome.DONE, ReportedOutcome.CONFIRMED}
ASKED_AGAIN: dict[tuple[type[Underway], Kind], dict[Status, Status]] = {
    (Forward, Kind.DO): dict.fromkeys((Status.SENT, Status.RESENT, Status.STUCK), Status.RESENT),
    (Forward, Kind.PROBE): dict.fromkeys((Status.PROBING, Status.STUCK), Status.PROBING),
    (Backward, Kind.DO): {Status.STUCK: Status.UNKNOWN},  # no action is sent again: it is probed or undone, in its turn
    (Backward, Kind.PROBE): {Status.PROBING: Status.PROBING, Status.STUCK: Status.UNKNOWN},
    (Backward, Kind.UNDO): dict.fromkeys((Status.UNDOING, Status.STUCK), Status.UNDOING),
}


def decide(saga: Saga, state: State, signal: Signal) -> tuple[Change, ...]:
    """The changes that follow from a signal, in order; none when it changes nothing.

    Args:
        saga: the definition.
        state: where the saga stands.
        signal: what happened. A duplicate, a late answer that tells nothing new and a verb that is not allowed now
            change nothing.

    Returns:
        The changes; folding them over `state` with `evolve` gives the state after.
    """
    at = underway(state)
    if at is None:
        return ()
    changes = tuple(_react(saga, at, signal))
    if changes or signal is Wish.BEGIN:
        while following := tuple(_follow(saga, reduce(evolve, changes, state))):
            changes += following
    return changes


def can_turn_back(saga: Saga, state: State) -> bool:
    """Whether the saga goes forward and the pivot's request is not committed."""
    at = underway(state)
    return isinstance(at, Forward) and at.group < saga.pivot


# What a signal says of its step -------------------------------------------------------------------------------


def _react(saga: Saga, at: Underway, signal: Signal) -> Iterator[Change]:
    match signal:
        case AnswerSignal(member, kind, said):
            step, status = saga.groups[at.group][member], at.members[member]
            if marked := _ANSWERS[kind](saga, at, step, status, said):
                yield Marked(member, marked)
        case Wish.TURN_BACK if can_turn_back(saga, at):
            yield Entered(Backward(at.group, at.members))
        case TryAgain(member, kind) if again := ASKED_AGAIN.get((type(at), kind), {}).get(at.members[member]):
            is_first = again is Status.RESENT and saga.groups[at.group][member].is_local  # those before left nothing
            yield Marked(member, Status.SENT if is_first else again)
        case Halted(member) if at.members[member] in ASKED:
            yield Marked(member, Status.STUCK)
        case Wish.GIVE_UP:
            yield Ended(Abandoned(outstanding(saga, at)))


def _acted(saga: Saga, at: Underway, step: Step, status: Status, said: ReportedOutcome) -> Status | None:
    """An answer to the action, also one that comes late."""
    # Going back it can be the undo that is stuck: there an operator's word alone is certain to be about the action.
    heard = isinstance(at, Forward) or said in (ReportedOutcome.CONFIRMED, ReportedOutcome.RULED_OUT)
    open_question = status in (*WAITS_FOR_ACTION, Status.UNKNOWN, Status.PROBING) or (status is Status.STUCK and heard)
    if said in YES:
        return Status.DONE if open_question else None
    if said in (ReportedOutcome.REFUSED, ReportedOutcome.RULED_OUT):
        certain = said is ReportedOutcome.RULED_OUT or status is Status.SENT or step.remembers_refusals
        return _refused(saga, at, step, status, certain) if open_question else None
    if said is ReportedOutcome.FAILED or status not in WAITS_FOR_ACTION:
        return status if status in WAITS_FOR_ACTION else None
    return Status.RESENT if said is ReportedOutcome.UNKNOWN and isinstance(at, Forward) else _gave_up(saga, at, step)


def _refused(saga: Saga, at: Underway, step: Step, status: Status, certain: bool) -> Status | None:
    if isinstance(at, Forward) and at.group > saga.pivot:
        return Status.STUCK if status is not Status.STUCK else None
    if certain:
        return Status.REFUSED
    return _gave_up(saga, at, step) if status in WAITS_FOR_ACTION else None


def _gave_up(saga: Saga, at: Underway, step: Step) -> Status:
    """No further attempt can tell: before the pivot it is undone; from the pivot on a probe tells, or an operator."""
    if isinstance(at, Backward) or at.group < saga.pivot:
        return Status.UNKNOWN
    return Status.PROBING if step.probe else Status.STUCK


def _probed(saga: Saga, at: Underway, step: Step, status: Status, said: ReportedOutcome) -> Status | None:
    """An answer to a probe; its ``REFUSED`` says that the action did not happen and no longer can."""
    if status is not Status.PROBING:
        return None
    if said in YES:
        return Status.DONE
    if said in (ReportedOutcome.UNKNOWN, ReportedOutcome.FAILED, ReportedOutcome.EXPIRED):
        return Status.PROBING
    must_happen = isinstance(at, Forward) and at.group > saga.pivot
    return Status.RESENT if must_happen else Status.REFUSED


def _undone(saga: Saga, at: Underway, step: Step, status: Status, said: ReportedOutcome) -> Status | None:
    """An answer to a compensation."""
    if isinstance(at, Forward) or status not in (Status.UNDOING, Status.STUCK):
        return None
    if said in YES or status is Status.STUCK:
        return Status.UNDONE if said in YES else None
    return Status.UNDOING if said in (ReportedOutcome.UNKNOWN, ReportedOutcome.FAILED) else Status.STUCK


_ANSWERS = {Kind.DO: _acted, Kind.PROBE: _probed, Kind.UNDO: _undone, Kind.UNDO_LATE: lambda *_: None}


# What a group asks for by itself ------------------------------------------------------------------------------


def _follow(saga: Saga, state: State) -> Iterator[Change]:
    at = underway(state)  # waiting for an operator stops nothing else
    if isinstance(at, Forward):
        yield from _go_on(saga, at)
    elif isinstance(at, Backward):
        yield from _go_back(saga, at)


def _go_on(saga: Saga, at: Forward) -> Iterator[Change]:
    statuses = set(at.members)
    if statuses == {Status.PENDING}:
        yield from (Marked(member, Status.SENT) for member in range(len(at.members)))
    elif statuses & {Status.REFUSED, Status.UNKNOWN}:
        yield Entered(Backward(at.group, at.members))
    elif statuses == {Status.DONE}:
        following = at.group + 1
        if following == len(saga.groups):
            yield Ended(Completed())
        else:
            yield Entered(Forward(following, (Status.PENDING,) * len(saga.groups[following])))


def _go_back(saga: Saga, at: Backward) -> Iterator[Change]:
    if any(status not in NOTHING_LEFT for _, status in _of_effect(saga, at)):
        yield from _start_undoing(saga, at)
    elif at.group == 0:
        yield Ended(Compensated())
    else:
        yield Entered(Backward(at.group - 1, (Status.DONE,) * len(saga.groups[at.group - 1])))


def _of_effect(saga: Saga, at: Backward) -> Iterator[tuple[int, Status]]:
    """The members with something to undo, should they have taken effect; one that only asks has nothing."""
    for member, status in enumerate(at.members):
        if status in WAITS_FOR_ACTION or not saga.groups[at.group][member].asks:
            yield member, status


def _start_undoing(saga: Saga, at: Backward) -> Iterator[Change]:
    """Ask for what is to be undone, once no action of the group is under way any more."""
    if WAITS_FOR_ACTION.isdisjoint(at.members):
        for member, status in _of_effect(saga, at):
            if status is Status.DONE:
                yield Marked(member, Status.UNDOING)
            elif status is Status.UNKNOWN:
                step = saga.groups[at.group][member]
                yield Marked(member, Status.PROBING if step.probe else Status.UNDOING)
