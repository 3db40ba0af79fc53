"""The requests under way: sent by this process, or to be sent, or lost with a process before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from amends.core.decide import can_turn_back
from amends.core.definition import Step
from amends.core.effects import Send
from amends.core.messages import Answered, DeadlinePassed, Input, Kind, TimedOut, Unknown
from amends.core.state import Backward, Completed, underway
from amends.core.step import SagaInstance
from amends.core.waiting import Waiting, milliseconds, sent
from amends.engine.owned_shards import OwnedShards
from amends.storage.rows import WAITS_FOR_OPERATOR
from amends.storage.shards import shard_of

AttemptId = tuple[str, str, str, int]
"""One attempt of one request: saga id, step, kind, attempt."""

Outgoing = tuple[Step, Send]
"""A request that is to be sent, and the step that it is about."""


NONE: Final[tuple[AttemptId, ...]] = ()
TOO_LATE: Final = Unknown("it was not sent: its time was over before this engine came to it", taken_back=True)
TOLERATED: Final = 10  # of an attempt's time one part in so many may pass before it is sent, and needs no mention


class Traffic(NamedTuple):
    """What is to be done about requests now that a batch is committed.

    Attributes:
        sends: to be sent, in order.
        dropped: attempts whose answer no saga waits for any more.
        recalled: attempts that are not to be sent any more, if they were not yet.
        held: attempts that wait for a slot, as their sagas' rows say.
    """

    sends: list[Outgoing]
    dropped: list[AttemptId]
    recalled: list[AttemptId]
    held: list[tuple[Step, AttemptId]]


class RunOut(NamedTuple):
    """What is to be handed to a saga although nothing was heard.

    Attributes:
        lost: requests that a process before this one may have sent, and whose answers this one cannot hear. What a
            participant took is not among them: its answer comes from outside. Nor is what waits for a slot.
        overdue: attempts whose time is over, and the deadline. The time of what waits for a slot has not begun; what
            was held back until its time, and was not sent then, is taken back.
        unsent: attempts that have waited for a slot for as long as they may without a word.
    """

    lost: list[Input]
    overdue: list[Input]
    unsent: list[AttemptId]


class InFlight:
    """The attempts that this process knows of.

    Attributes:
        departed: when each of them was really sent, if it was; their sender writes it, in its own thread.
    """

    def __init__(self, shards: OwnedShards) -> None:
        """Know of none.

        Args:
            shards: since when this engine moves a saga: what was to be sent by then may have been sent by another one.
        """
        self._shards = shards
        self._attempts: dict[str, tuple[AttemptId, ...]] = {}  # in order, so that all that follows is (promise P17)
        self._resting: set[AttemptId] = set()  # of these: they wait for a slot, or for an answer from outside
        self.departed: dict[AttemptId, int] = {}

    def run_out(self, run: SagaInstance, now_ms: int) -> RunOut:
        """What the clock, or the end of a process before this one, says of a saga by itself.

        Args:
            run: where it stands.
            now_ms: the clock.
        """
        found, known = RunOut([], [], []), self._attempts.get(run.saga_id, NONE)
        since_ms = self._shards.since_ms(run.saga_id)
        for step, kind, waiting in attempts_of(run):
            attempt = _attempt_id(run, step, kind, waiting)
            if waiting.unsent:
                if waiting.due_ms <= now_ms:
                    found.unsent.append(attempt)
                continue
            is_known, timed_out = attempt in known, TimedOut(step.event, kind, waiting.attempt)
            is_anothers = not (is_known or step.is_local or waiting.taken)
            if is_anothers and waiting.at_ms <= since_ms:
                found.lost.append(timed_out)
            if waiting.due_ms <= now_ms and (not is_known or attempt in self.departed):
                too_late = Answered(step.event, kind, TOO_LATE, waiting.attempt)
                found.overdue.append(too_late if is_anothers and waiting.at_ms > since_ms else timed_out)
        found.overdue.extend(DeadlinePassed() for due_ms in _deadline_of(run) if due_ms <= now_ms)
        return found

    def as_sent(self, run: SagaInstance, now_ms: int) -> SagaInstance:
        """The run, with the times of attempts that had to wait for a slot counted from when they were really sent.

        One that is sent while a turn is decided counts from the turn's time: later, the saga would take it for a
        request whose time has not come, and which certainly did nothing.

        Args:
            run: where it stands.
            now_ms: the turn's time.
        """
        at = underway(run.state)
        if at is None or not self.departed:
            return run
        steps = run.saga.groups[at.group]
        waiting = tuple([self._as_sent(run, *pair, now_ms) for pair in zip(steps, run.waiting, strict=False)])
        return run if waiting == run.waiting else run._replace(waiting=waiting)

    def _as_sent(self, run: SagaInstance, step: Step, waiting: Waiting, now_ms: int) -> Waiting:
        at_ms = min(self.departed.get(_attempt_id(run, step, waiting.kind, waiting), waiting.at_ms), now_ms)
        if waiting.taken or (at_ms - waiting.at_ms) * TOLERATED <= waiting.due_ms - waiting.at_ms:
            return waiting
        return sent(step, waiting, at_ms)

    def settling(self, run: SagaInstance) -> SagaInstance:
        """The run, with what a process before this one sent taken for sent until this one took over, and not before.

        It was; and by how much the clock of that process differed from ours is not known. So what a request may still
        do, it may do for `Step.settles_within_s` from then on, and no probe is sent earlier.
        """
        at = underway(run.state)
        steps = run.saga.groups[at.group] if at else ()
        since_ms = self._shards.since_ms(run.saga_id)
        waiting = tuple([_settling(*pair, since_ms) for pair in zip(steps, run.waiting, strict=False)])
        return run if waiting == run.waiting else run._replace(waiting=waiting)

    def take_off(self, runs: Iterable[SagaInstance], requests: Mapping[AttemptId, Send], now_ms: int) -> Traffic:
        """What is to be done about requests now that these runs are committed.

        Args:
            runs: the sagas that a batch looked at.
            requests: those that came up in the batch, or found a slot; others were held back until their time.
            now_ms: the clock.
        """
        traffic = Traffic([], [], [], [])
        for run in runs:
            before = self._attempts.pop(run.saga_id, NONE)
            if run.waiting or before:
                after = tuple(self._after(run, before, requests, now_ms, traffic))
                dropped = [attempt_id for attempt_id in before if attempt_id not in after]
                traffic.dropped.extend(dropped)
                self._resting.difference_update(dropped)
                if after:
                    self._attempts[run.saga_id] = after
        return traffic

    def forget(self, shards: Collection[int]) -> list[AttemptId]:
        """Know no longer of the attempts of some shards, which another engine has now; gives those that were known."""
        gone = [saga_id for saga_id in self._attempts if shard_of(saga_id) in shards]
        known = [attempt_id for saga_id in gone for attempt_id in self._attempts.pop(saga_id)]
        self._resting.difference_update(known)
        return known

    def busy(self) -> set[int]:
        """The shards of which a call is under way, or may begin at any moment: its sender has another thread."""
        calls = (attempt_id for known in self._attempts.values() for attempt_id in known)
        return {shard_of(attempt_id[0]) for attempt_id in calls if attempt_id not in self._resting}

    def _after(
        self,
        run: SagaInstance,
        before: Sequence[AttemptId],
        requests: Mapping[AttemptId, Send],
        now_ms: int,
        traffic: Traffic,
    ) -> Iterator[AttemptId]:
        goes_back = isinstance(underway(run.state), Backward)
        for step, kind, waiting in attempts_of(run):
            attempt_id, is_futile = _attempt_id(run, step, kind, waiting), goes_back and kind is Kind.DO
            if waiting.unsent:
                traffic.held.append((step, attempt_id))
            elif attempt_id in before:
                if attempt_id in requests and not is_futile:
                    traffic.sends.append((step, requests[attempt_id]))
                elif attempt_id not in self.departed and (is_futile or waiting.due_ms <= now_ms):
                    traffic.recalled.append(attempt_id)
            elif is_futile:
                continue  # the saga turned back in the batch in which the request came up
            elif not step.is_local and self._shards.since_ms(run.saga_id) < waiting.at_ms <= now_ms:
                send = requests.get(attempt_id) or _held_back(run, attempt_id)
                if send is None:
                    continue
                traffic.sends.append((step, send))
            else:
                continue
            self._note(attempt_id, is_resting=waiting.unsent or waiting.taken)
            yield attempt_id

    def _note(self, attempt_id: AttemptId, *, is_resting: bool) -> None:
        if is_resting:
            self._resting.add(attempt_id)
        else:
            self._resting.discard(attempt_id)


def _settling(step: Step, waiting: Waiting, since_ms: int) -> Waiting:
    if step.settles_within_s is None or waiting.acted_ms >= since_ms:
        return waiting
    if waiting.kind is not Kind.PROBE:
        return waiting._replace(acted_ms=since_ms)
    at_ms = max(waiting.at_ms, since_ms + milliseconds(step.settles_within_s))
    return waiting._replace(acted_ms=since_ms, at_ms=at_ms, due_ms=at_ms + milliseconds(step.timeout_s))


def _held_back(run: SagaInstance, attempt_id: AttemptId) -> Send | None:
    """A request whose time has come; ``None`` when it is not wanted any more."""
    sends = (send for send in run.requests() if attempt_id_of(send) == attempt_id and run.wants(send))
    return next(sends, None)


def attempts_of(run: SagaInstance) -> Sequence[tuple[Step, Kind, Waiting]]:
    """The attempts whose answers a saga waits for: step, what it was asked, and the attempt's times."""
    at = underway(run.state)
    if at is None:
        return ()
    steps, waiting = run.saga.groups[at.group], run.waiting
    return [(steps[member], kind, waiting[member]) for member, kind in at.awaited]


def due_of(run: SagaInstance, now_ms: int) -> int | None:
    """When a saga is to be looked at again: a request's time to be sent, or to be given up, or its deadline.

    Returns:
        Milliseconds since 1970 (UTC); `WAITS_FOR_OPERATOR`, also of a final one of which something is owed; ``None``
        of any other once it is final.
    """
    if isinstance(run.state, Completed):
        return None
    if underway(run.state) is None:
        return WAITS_FOR_OPERATOR if run.owed() else None
    due_ms = [
        waiting.at_ms
        if waiting.at_ms > now_ms or step.is_local  # a local step is carried out in a batch, and never sent
        else waiting.due_ms
        for step, _, waiting in attempts_of(run)
    ]
    return min([*due_ms, *_deadline_of(run)], default=WAITS_FOR_OPERATOR)


def _deadline_of(run: SagaInstance) -> Sequence[int]:
    """When the saga's deadline passes, where it has one that still turns it back."""
    return () if run.deadline_ms is None or not can_turn_back(run.saga, run.state) else (run.deadline_ms,)


def _attempt_id(run: SagaInstance, step: Step, kind: Kind, waiting: Waiting) -> AttemptId:
    return run.saga_id, step.event, kind.value, waiting.attempt


def attempt_id_of(send: Send) -> AttemptId:
    """The attempt that a request is sent as."""
    request = send.request
    return request.saga_id, request.step, request.kind.value, request.call.attempt
