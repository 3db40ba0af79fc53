"""What the coordinator must never do after any answer; looked at with each step that it takes.

These rules are written down a second time here, apart from `amends.core.decide`, and read nothing but what went in
and what came out: a mistake in the core is found by them and not shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from amends.checking.world import Broken
from amends.core.definition import Saga, Step
from amends.core.effects import Effect, Send
from amends.core.messages import (
    Answered,
    Cancel,
    Compensate,
    DeadlinePassed,
    Halt,
    Input,
    Kind,
    Refused,
    Resolve,
    TimedOut,
)
from amends.core.state import (
    Abandoned,
    Backward,
    Completed,
    Forward,
    NeedsOperator,
    Status,
    Underway,
    underway,
    word_for,
)
from amends.core.step import SagaInstance
from amends.core.waiting import HOUR_MS, milliseconds

UNDER_WAY: Final = (Status.SENT, Status.RESENT)
DOUBTFUL: Final = (Status.RESENT, Status.UNKNOWN, Status.PROBING)


class CoordinatorStep(NamedTuple):
    """One step that the coordinator took.

    Attributes:
        before: the run before; everything it waits for was asked at time 0.
        said: what it heard.
        now_ms: when it steps; milliseconds of the explored world.
        after: the run after.
        sends: what it asked for then.
        was: where it was on its way.
        now: where it is on its way then.
    """

    before: SagaInstance
    said: Input
    now_ms: int
    after: SagaInstance
    sends: tuple[Send, ...]
    was: Underway | None
    now: Underway | None

    @property
    def saga(self) -> Saga:
        """The definition."""
        return self.before.saga

    @property
    def is_refusal(self) -> bool:
        """Whether a participant refused."""
        return isinstance(self.said, Answered) and isinstance(self.said.outcome, Refused)


def broken_rules(
    before: SagaInstance, said: Input, now_ms: int, after: SagaInstance, effects: tuple[Effect, ...]
) -> Broken | None:
    """The first rule that a step of the coordinator breaks."""
    sends = tuple(effect for effect in effects if isinstance(effect, Send))
    turn = CoordinatorStep(before, said, now_ms, after, sends, underway(before.state), underway(after.state))
    return next((broken for rule in RULES for broken in rule(turn)), None)


def _final_is_final(turn: CoordinatorStep) -> Iterator[Broken]:
    if turn.was is None and (turn.after.state != turn.before.state or turn.sends):
        yield Broken("final is final", f"{turn.before.saga_id} had ended and went on")


def _stays_on_its_way_back(turn: CoordinatorStep) -> Iterator[Broken]:
    name = turn.before.saga_id
    if isinstance(turn.was, Backward) and isinstance(turn.now, Forward):
        yield Broken("a saga that goes back stays on its way back", f"{name} went forward again")
    if isinstance(turn.now, Backward):
        for send in turn.sends:
            if send.request.kind is Kind.DO:
                text = f"{name} goes back and asked for {send.request.step} again"
                yield Broken("a saga that goes back stays on its way back", text)
    is_wish = isinstance(turn.said, Cancel | Compensate | DeadlinePassed)
    if is_wish and isinstance(turn.was, Backward) and turn.after.state != turn.before.state:
        yield Broken("nothing ends going back", f"{name} went back, and {word_for(turn.said)} ended that")


def _only_forward_from_the_pivot(turn: CoordinatorStep) -> Iterator[Broken]:
    name, was, pivot = turn.before.saga_id, turn.was, turn.saga.pivot
    if isinstance(was, Forward) and isinstance(turn.now, Backward | None):
        may_have_happened = was.group > pivot or (was.group == pivot and not turn.is_refusal)
        if may_have_happened and not isinstance(turn.after.state, Completed | Abandoned) and not _is_told_so(turn):
            yield Broken("from the pivot on only forward", f"{name} turned back, and the pivot may have happened")
    for send in turn.sends:
        event, kind = send.request.step, send.request.kind
        if kind is Kind.UNDO and turn.saga.step(event).undo is None:
            yield Broken("from the pivot on only forward", f"{name} asked to undo {event}, which has no undo")


def _is_told_so(turn: CoordinatorStep) -> bool:
    """Whether an operator says that the pivot did not happen."""
    return isinstance(turn.said, Resolve) and isinstance(turn.said.outcome, Refused)


def _doubt_stays(turn: CoordinatorStep) -> Iterator[Broken]:
    """A refusal that follows an unknown attempt proves nothing, unless the participant remembers refusals."""
    said, was, now = turn.said, turn.was, turn.now
    if was is None or was.group > turn.saga.pivot or not (turn.is_refusal and isinstance(said, Answered)):
        return
    each, group = turn.saga.step(said.step), turn.saga.groups[was.group]
    if each in group and said.kind is Kind.DO and not each.remembers_refusals:
        member = group.index(each)
        is_open = now is not None and now.group == was.group and now.members[member] is not Status.REFUSED
        if was.members[member] in DOUBTFUL and not is_open:
            text = f"{turn.before.saga_id}: {each.event} may have taken effect at an attempt before, and was given up"
            yield Broken("a refusal after an unknown attempt proves nothing", text)


def _key_stays(turn: CoordinatorStep) -> Iterator[Broken]:
    for send in turn.sends:
        request = send.request
        key = f"{turn.before.saga_id}/{request.step}/{'undo' if request.kind is Kind.UNDO else 'do'}"
        if request.call.key != key:
            text = f"{request.step}/{request.kind.value} was sent with the key {request.call.key!r}, not {key!r}"
            yield Broken("the key is the same at every attempt", text)


def _group_is_undone_together(turn: CoordinatorStep) -> Iterator[Broken]:
    if isinstance(turn.now, Backward) and not {*UNDER_WAY}.isdisjoint(turn.now.members):
        for send in turn.sends:
            if send.request.kind is not Kind.DO:
                text = f"{turn.before.saga_id}: {send.request.step} while another of its group is still under way"
                yield Broken("a group is undone together", text)


def _probe_waits(turn: CoordinatorStep) -> Iterator[Broken]:
    for send in turn.sends:
        each = turn.saga.step(send.request.step)
        if send.request.kind is Kind.PROBE and send.at_ms < milliseconds(each.settles_within_s or 0):
            text = f"{turn.before.saga_id}: {each.event} is probed while it may still take effect"
            yield Broken("a probe waits until its action has settled", text)


def _key_is_alive(turn: CoordinatorStep) -> Iterator[Broken]:
    """What is asked again, is asked within the life of its key."""
    for send in turn.sends:
        each, kind = turn.saga.step(send.request.step), send.request.kind
        is_again = isinstance(turn.said, Answered | TimedOut) and (turn.said.step, turn.said.kind) == (each.event, kind)
        is_dead = each.key_lives_h is not None and send.at_ms >= each.key_lives_h * HOUR_MS
        if is_again and is_dead and kind is not Kind.PROBE:
            text = f"{turn.before.saga_id}: {each.event}/{kind.value} was sent again after the life of its key"
            yield Broken("nothing is sent again with a dead key", text)


def _operator_is_needed(turn: CoordinatorStep) -> Iterator[Broken]:
    is_asked = isinstance(turn.after.state, NeedsOperator) and not isinstance(turn.before.state, NeedsOperator)
    if is_asked and not isinstance(turn.said, Halt) and not _is_hopeless(turn):
        text = f"{turn.before.saga_id} waits for an operator, though it could go on by itself"
        yield Broken("an operator is asked only when needed", text)


def _is_hopeless(turn: CoordinatorStep) -> bool:
    """Whether what was said leaves no way on: a refused undo, a refusal behind the pivot, a dead key."""
    said, was = turn.said, turn.was
    if was is None or not isinstance(said, Answered | TimedOut):
        return False
    each = turn.saga.step(said.step)
    if each not in turn.saga.groups[was.group]:
        return False
    if said.kind is Kind.UNDO:
        return turn.is_refusal or each.key_lives_h is not None
    if was.group < turn.saga.pivot:
        return False
    return _cannot_go_on(turn, was, each)


def _cannot_go_on(turn: CoordinatorStep, was: Underway, each: Step) -> bool:
    """From the pivot on."""
    if was.group > turn.saga.pivot and turn.is_refusal:
        return True
    first = was.members[turn.saga.groups[was.group].index(each)] is Status.SENT
    is_doubtful = turn.is_refusal and not first and not each.remembers_refusals
    is_dead = not turn.is_refusal and each.key_lives_h is not None
    return each.probe is None and (is_doubtful or is_dead)


def _wait_has_no_effect(turn: CoordinatorStep) -> Iterator[Broken]:
    """What waits sends nothing, but to notify a person; and once the saga goes back, it is over."""
    name = turn.before.saga_id
    for send in turn.sends:
        if turn.saga.step(send.request.step).action is None:
            yield Broken("a wait sends nothing", f"{name}: {send.request.step} was sent, and only waits")
    if not isinstance(turn.now, Backward):
        return
    was_there = isinstance(turn.was, Backward) and turn.was.group == turn.now.group
    for member, each in enumerate(turn.saga.groups[turn.now.group]):
        status = turn.now.members[member]
        if each.wait is not None and status in UNDER_WAY:
            yield Broken("a wait is withdrawn at once", f"{name} goes back, and still waits for {each.event}")
        if each.wait is not None and was_there and turn.was and status is not turn.was.members[member]:
            yield Broken("what was withdrawn is not answered", f"{name} goes back, and took an answer to {each.event}")


RULES: Final = (
    _wait_has_no_effect,
    _final_is_final,
    _stays_on_its_way_back,
    _only_forward_from_the_pivot,
    _doubt_stays,
    _key_stays,
    _group_is_undone_together,
    _probe_waits,
    _key_is_alive,
    _operator_is_needed,
)
