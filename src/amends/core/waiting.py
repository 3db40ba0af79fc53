"""Attempts and times: what travels beside a step that was asked, and when its outcome is given up.

Jitter is drawn from the request's key and the attempt's number, so that it spreads the sagas and still is the same at
every replay (docs/promises.md, P17). The rule is "full jitter": a uniform share of a doubling ceiling
(M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import zlib
from typing import Any, Final, NamedTuple

from amends.core.definition import Backoff, Saga, Step, Wait, is_duration
from amends.core.messages import Kind, SealedValue

SECOND_MS: Final = 1000
HOUR_MS: Final = 3_600_000
DOUBLINGS_MAX: Final = 40  # 2**40 s is beyond every ceiling; it keeps the power finite
CRC_VALUES: Final = 1 << 32  # a CRC-32 has 32 bits


class Waiting(NamedTuple):
    """What travels beside a member that was asked.

    Attributes:
        kind: what it was asked last.
        attempt: 1 for the first sending.
        since_ms: when it was asked first; its limit and the life of its key count from then.
        acted_ms: the latest moment at which the action can have been sent: when its latest attempt is due.
        at_ms: when this attempt is sent.
        due_ms: when the outcome of this attempt becomes unknown.
        error: what the attempt before ended with; empty at the first.
        taken: whether the participant took the request and answers later: so it arrived, and a restart loses nothing.
        unsent: whether this attempt waits for a place at its participant: it was not sent, and is not before a commit
            says so.
        ends_ms: of a step that waits for a person, or pauses, when that ends; 0 of any other.
        assignee: who is asked by a step that waits for a person; empty of any other.
    """

    kind: Kind
    attempt: int
    since_ms: int
    acted_ms: int
    at_ms: int
    due_ms: int
    error: str = ""
    taken: bool = False
    unsent: bool = False
    ends_ms: int = 0
    assignee: str = ""


NOT_ASKED: Final = Waiting(Kind.DO, 0, 0, 0, 0, 0)
"""What stands for a member that was not asked since the saga came back to its group: one that has nothing to undo."""


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, at least 1."""
    return max(1, round(seconds * SECOND_MS))


def pause_ms(backoff: Backoff, key: str, attempt: int) -> int:
    """How long to wait before an attempt.

    Args:
        backoff: the policy.
        key: the request's key.
        attempt: the attempt to come; 2 is the first that waits.
    """
    doubled = backoff.first_s * 2.0 ** min(attempt - 2, DOUBLINGS_MAX)
    share = zlib.crc32(f"{key}#{attempt}".encode()) / CRC_VALUES
    return round(min(backoff.cap_s, doubled) * SECOND_MS * share)


def ask(step: Step, kind: Kind, last: Waiting | None, at_ms: int, error: str) -> Waiting:
    """What a step waits for that is asked at a time, or later.

    A probe is held back until the action can no longer take effect, `settles_within_s` after the latest moment at which
    it can have been sent: only then that it finds nothing proves that nothing happened, however late its answer comes.

    Args:
        step: the step.
        kind: what it is asked.
        last: what it was asked before; when that is the same, this is the next attempt.
        at_ms: when to send.
        error: what the attempt before ended with.
    """
    again = last if last and last.kind is kind else None
    if last and kind is Kind.PROBE:
        at_ms = max(at_ms, last.acted_ms + milliseconds(step.settles_within_s or 0))
    attempt, since_ms = (again.attempt + 1, again.since_ms) if again else (1, at_ms)
    due_ms = at_ms + milliseconds(step.timeout_s)
    acted_ms = last.acted_ms if last and kind is not Kind.DO else due_ms
    return Waiting(kind, attempt, since_ms, acted_ms, at_ms, due_ms, error)


def await_answer(step: Step, wait: Wait, request: Any, last: Waiting | None, at_ms: int, error: str) -> Waiting:
    """What a step waits for that has no effect: as a request that was taken, and is waited for until the wait ends.

    Where it notifies a person, that is sent at a time, as any request; else nothing is.

    Args:
        step: the step.
        wait: what it waits for.
        request: the saga's.
        last: the same before the person is notified again.
        at_ms: when to notify.
        error: what the notification before ended with.
    """
    ends_ms, assignee, error = (last.ends_ms, last.assignee, error) if last else _begun(wait, request, at_ms)
    asked = ask(step, Kind.DO, last, min(at_ms, ends_ms), error)
    is_silent = step.action is None
    due_ms = ends_ms if is_silent else min(asked.due_ms, ends_ms)
    return asked._replace(due_ms=due_ms, taken=is_silent, ends_ms=ends_ms, assignee=assignee)


def _begun(wait: Wait, request: Any, now_ms: int) -> tuple[int, str, str]:
    """When it ends, and who is asked; where the functions for it fail on the request, at once, and what is wrong."""

    def made(value: Any) -> Any:
        return value(request.open() if isinstance(request, SealedValue) else request) if callable(value) else value

    try:
        lasts_s, assignee = made(wait.lasts_s), made(wait.assignee)
    except Exception as error:  # noqa: BLE001 - a function of the definition, on a request that it does not expect
        return now_ms + 1, "", f"its time or assignee raised {type(error).__name__}: {error}"
    if not is_duration(lasts_s) or type(assignee) is not str:
        return now_ms + 1, "", f"its time is {lasts_s!r:.60}, and its assignee {assignee!r:.60}"
    return now_ms + milliseconds(lasts_s), assignee, ""


def sent(step: Step, waiting: Waiting, at_ms: int) -> Waiting:
    """An attempt that waited for a place, as it was really sent: its times count from then, the limit from the first.

    Args:
        step: the step.
        waiting: the attempt.
        at_ms: when it was sent.
    """
    due_ms = at_ms + milliseconds(step.timeout_s)
    due_ms = min(due_ms, waiting.ends_ms or due_ms)
    since_ms = at_ms if waiting.attempt == 1 else waiting.since_ms
    acted_ms = due_ms if waiting.kind is Kind.DO else waiting.acted_ms
    return waiting._replace(since_ms=since_ms, acted_ms=acted_ms, at_ms=at_ms, due_ms=due_ms, unsent=False)


def key_is_dead(step: Step, waiting: Waiting, at_ms: int) -> bool:
    """Whether what was asked first may have been forgotten by a time: sent again, it could take effect twice."""
    return step.key_lives_h is not None and at_ms - waiting.since_ms >= step.key_lives_h * HOUR_MS


def is_over(saga: Saga, group: int, step: Step, waiting: Waiting, at_ms: int) -> bool:
    """Whether a request with an unknown outcome must not be sent again at a time: its limit, or its key, is over.

    Only an action before the pivot has a time limit: from the pivot on, and on the way back, nothing ends because of a
    count or a clock (docs/promises.md, P2). What is over for a probe is `decide`'s to say: a probe changes nothing.
    """
    is_limited = waiting.kind is Kind.DO and group < saga.pivot
    is_late = is_limited and at_ms - waiting.since_ms >= step.limit_s * SECOND_MS
    return is_late or key_is_dead(step, waiting, at_ms)
