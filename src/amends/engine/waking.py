"""What the clock moves in a saga, and requests that wait for a slot at a participant: attempts whose times change.

A saga's limits are its participants' time. What waits for a place in this process was not sent: its time has not begun,
its row says so (`Waiting.unsent`), and that it is sent is committed before it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from amends.core.definition import Step
from amends.core.messages import Answered, Kind, Refused, TimedOut, Unknown
from amends.core.state import Backward, Forward, Status, awaited, member_of, underway
from amends.core.step import SagaInstance
from amends.core.waiting import HOUR_MS, Waiting, key_is_dead, milliseconds, sent
from amends.engine.effects import FailedAttempt
from amends.engine.in_flight import AttemptId, attempt_id_of, attempts_of
from amends.engine.saga_cache import LoadedSaga
from amends.engine.task import Task
from amends.engine.unit_of_work import UnitOfWork
from amends.storage.records import RetimeReason
from amends.storage.rows import Unreadable


class Attempt(NamedTuple):
    """An attempt that is waited for.

    Attributes:
        loaded: its saga.
        step: what it is about.
        member: of the current group.
        waiting: its times.
    """

    loaded: LoadedSaga
    step: Step
    member: int
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Wake(Task):
    """Let a saga move by itself as far as the time allows.

    Participants that we keep are asked again whose time has come. A request of a process before this one, which may or
    may not have sent it, counts as timed out, as do those that are overdue.

    Attributes:
        saga_id: of the saga.
        due_ms: when it was due, as its row says.
    """

    saga_id: str = field()
    due_ms: int = field()

    def carry_out(self, work: UnitOfWork) -> None:
        """Hand in what the time says; store that a request goes out which was held back."""
        loaded = work.saga(self.saga_id)
        if loaded is None:
            work.unreadable.add(Unreadable("saga", self.saga_id, "it is due, and not found by its id"))
        if loaded is None or isinstance(loaded, Unreadable):
            return
        settling = work.committed.in_flight.settling(loaded.run)
        if settling is not loaded.run:
            loaded = work.rewrite(loaded, settling, RetimeReason.TAKEN_OVER)
        loaded = _counted_from_its_sending(work, work.go_on(loaded))
        run_out = work.committed.in_flight.run_out(loaded.run, work.now_ms)
        for said in (*run_out.lost, *run_out.overdue):
            work.hear(work.sagas.get(self.saga_id, loaded), said)
        for said in run_out.overdue:
            if isinstance(said, TimedOut) and said.attempt is not None and loaded.run.saga.step(said.step).wait is None:
                what, why = (said.step, said.kind, said.attempt), "no answer came in time"
                failure = FailedAttempt(self.saga_id, *what, why, definition=loaded.run.saga.name)
                work.effects.failures.append(failure)
        for attempt_id in run_out.unsent:
            _wait_longer(work, attempt_id)
        if self.due_ms <= work.now_ms and self.saga_id not in work.sagas:
            _goes_out(work, loaded, self.due_ms)


@dataclass(frozen=True, slots=True)
class _AboutAttempt(Task):
    """What its slots say of an attempt.

    Attributes:
        attempt_id: of the attempt.
    """

    attempt_id: AttemptId

    @property
    def saga_id(self) -> str:
        """The saga of the attempt."""
        return self.attempt_id[0]


@dataclass(frozen=True, slots=True)
class ReturnUnsent(_AboutAttempt):
    """An attempt was not sent, for want of a place: it waits for one, or is not wanted any more."""

    @property
    def goes_back(self) -> bool:
        """It may be all that a saga waits for which turned back."""
        return True

    def carry_out(self, work: UnitOfWork) -> None:
        """Store that it waits; of a saga that turned back, that it was not sent."""
        found = _found(work, self.attempt_id)
        if found is None or found.waiting.unsent:
            return
        loaded, step, _, waiting = found
        if isinstance(underway(loaded.run.state), Backward) and waiting.kind is Kind.DO:
            why = "it was not sent: the saga turned back before"
            outcome = Refused(why) if _was_never_sent(found) else Unknown(why)
            work.hear(loaded, Answered(step.event, waiting.kind, outcome, waiting.attempt))
            return
        until_ms = waiting.ends_ms or work.now_ms + HOUR_MS
        if _may_be_refused(found):
            until_ms = waiting.since_ms + milliseconds(step.start_within_s)
        _retime(work, found, waiting._replace(unsent=True, due_ms=until_ms), RetimeReason.WAITS)


@dataclass(frozen=True, slots=True)
class SendHeldBack(_AboutAttempt):
    """There is a place at its participant for an attempt that waits for one."""

    @property
    def goes_back(self) -> bool:
        """Where it is no action."""
        return self.attempt_id[2] != Kind.DO.value

    def carry_out(self, work: UnitOfWork) -> None:
        """Store that it goes out, while its key is not forgotten; else that it timed out."""
        found = _found(work, self.attempt_id)
        if found is None or not found.waiting.unsent:
            return
        loaded, step, _, waiting = found
        if waiting.attempt > 1 and key_is_dead(step, waiting, work.now_ms):
            work.hear(loaded, TimedOut(step.event, waiting.kind, waiting.attempt))
            return
        run = _retime(work, found, sent(step, waiting, work.now_ms), RetimeReason.GOES_OUT)
        sends = (send for send in run.requests() if attempt_id_of(send) == self.attempt_id)
        work.effects.requests[self.attempt_id] = next(sends)


def _counted_from_its_sending(work: UnitOfWork, loaded: LoadedSaga) -> LoadedSaga:
    """The saga, with what was sent later than its row says counted from then, where it would be over otherwise."""
    run = work.committed.in_flight.as_sent(loaded.run, work.now_ms)
    if run is loaded.run or not any(isinstance(said, TimedOut) for said in loaded.run.overdue(work.now_ms)):
        return loaded
    return work.rewrite(loaded, run, RetimeReason.SENT_LATE)


def _wait_longer(work: UnitOfWork, attempt_id: AttemptId) -> None:
    """What waited for a place as long as it may counts as refused, where that is a way on; else it waits on."""
    found = _found(work, attempt_id)
    if found is None:
        return
    loaded, step, _, waiting = found
    if waiting.ends_ms:
        work.hear(loaded, TimedOut(step.event, waiting.kind, waiting.attempt))
    elif _may_be_refused(found):
        reason = f"it was not sent: {step.service} had no place for it within {step.start_within_s:g} s"
        work.hear(loaded, Answered(step.event, waiting.kind, Refused(reason), waiting.attempt))
    else:
        _retime(work, found, waiting._replace(due_ms=work.now_ms + HOUR_MS), RetimeReason.STILL_WAITS)


def _was_never_sent(attempt: Attempt) -> bool:
    """Whether no attempt before this one, which was not sent, may have taken effect."""
    at = underway(attempt.loaded.run.state)
    return at is not None and at.members[attempt.member] is Status.SENT


def _may_be_refused(attempt: Attempt) -> bool:
    """Whether an action may end because it was never sent: its saga has a way back, or goes no further."""
    run = attempt.loaded.run
    at = underway(run.state)
    is_request = not attempt.waiting.ends_ms  # a wait ends at its time, whether who is asked was told or not
    return is_request and _was_never_sent(attempt) and isinstance(at, Forward) and at.group <= run.saga.pivot


def _found(work: UnitOfWork, attempt_id: AttemptId) -> Attempt | None:
    """An attempt; ``None`` when its saga does not wait for it any more."""
    loaded = work.saga(attempt_id[0])
    if loaded is None or isinstance(loaded, Unreadable):
        return None
    run = loaded.run
    for member, kind in awaited(run.state):
        step, waiting = member_of(run.saga, run.state, member), run.waiting[member]
        if (run.saga_id, step.event, kind.value, waiting.attempt) == attempt_id:
            return Attempt(loaded, step, member, waiting)
    return None


def _retime(work: UnitOfWork, attempt: Attempt, waiting: Waiting, because: RetimeReason) -> SagaInstance:
    """Store an attempt whose times alone are other ones."""
    loaded, step, member, _ = attempt
    waiting_for = (*loaded.run.waiting[:member], waiting, *loaded.run.waiting[member + 1 :])
    run = loaded.run._replace(waiting=waiting_for)
    return work.rewrite(loaded, run, because, (step.event, waiting.kind)).run


def _goes_out(work: UnitOfWork, loaded: LoadedSaga, due_ms: int) -> None:
    """A request goes out that was held back: from now on its saga is due when it is given up, and not at once."""
    held = [(step.event, kind) for step, kind, waiting in attempts_of(loaded.run) if waiting.at_ms == due_ms]
    if held:  # else it was to be sent by now, and was not: it is recalled
        work.rewrite(loaded, loaded.run, RetimeReason.ASKED_AGAIN, *held)
