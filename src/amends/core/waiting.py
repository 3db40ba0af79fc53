"""Attempts and times: what travels beside a step that was asked, and when its outcome is given up.

Jitter is drawn from the request's key and the attempt's number, so that it spreads the sagas and still is the same at
every replay (docs/promises.md, P17). The rule is "full jitter": a uniform share of a doubling ceiling
(M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

from amends.core.definition import Backoff, Saga, Step
from amends.core.messages import Kind

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


def sent(step: Step, waiting: Waiting, at_ms: int) -> Waiting:
    """An attempt that waited for a place, as it was really sent: its times count from then, the limit from the first.

    Args:
        step: the step.
        waiting: the attempt.
        at_ms: when it was sent.
    """
    due_ms = at_ms + milliseconds(step.timeout_s)
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
