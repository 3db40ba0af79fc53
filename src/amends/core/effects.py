"""What comes out of a step: a closed union of frozen values, which the loop around the core carries out.

Times are whole milliseconds of one clock, the loop's.
"""

from __future__ import annotations

from typing import NamedTuple

from amends.core.messages import Input, Request, Verb
from amends.core.records import StateChange


class Send(NamedTuple):
    """Ask a participant at `at_ms`, and only once the saga that says so is stored.

    A `Send` that is held back until its time is dropped when the saga no longer wants it by then:
    see `SagaInstance.wants`.

    Attributes:
        request: what to ask.
        at_ms: when to send; later than now for a retry that backs off.
        due_ms: when to give up waiting and hand in `TimedOut`.
    """

    request: Request
    at_ms: int
    due_ms: int


class Write(NamedTuple):
    """What just changed, for the audit; to be stored in the transaction that stores the saga.

    Attributes:
        saga_id: the saga that changed.
        number: position of the change in this saga, from 1, without gaps.
        said: the input; ``None`` for the start.
        changes: what became of it, in order; empty when the input changed nothing (a duplicate, a late answer).
    """

    saga_id: str
    number: int
    said: Input | None
    changes: tuple[StateChange, ...]


class CallOperator(NamedTuple):
    """The saga waits for an operator: raise an alert.

    Attributes:
        saga_id: the saga that waits.
        outstanding: what is owed, as ``STEP/do`` or ``STEP/undo``.
        trouble: why an operator is needed, for a person.
    """

    saga_id: str
    outstanding: tuple[str, ...]
    trouble: str


class Contradicted(NamedTuple):
    """An answer contradicts what the saga stands by: tell an operator. It is on record, and no state changed.

    Attributes:
        saga_id: whose request was answered.
        words: for a person: what was said, and what follows.
    """

    saga_id: str
    words: str


class Decline(NamedTuple):
    """A verb that cannot be taken now; nothing changed.

    Attributes:
        saga_id: the saga that is told the verb.
        verb: what a client or an operator wanted.
        reason: why not, and what can be done instead.
    """

    saga_id: str
    verb: Verb
    reason: str


Effect = Send | Write | CallOperator | Contradicted | Decline
