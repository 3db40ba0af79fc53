"""The body of a saga's row: what its steps wait for and answered, readable without the saga's definition."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from amends.core.messages import Kind
from amends.core.state import Status
from amends.storage.rows import NEEDS_OPERATOR, SagaRow


class StoredRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The request that a step of the current group last sent to its participant.

    Attributes:
        service: the participant.
        kind: ``do``, ``undo`` or ``probe``.
        attempt: its number, from 1 for the first time that this was asked.
        since_ms: when the first attempt was sent; like all times here in milliseconds since 1970 (UTC).
        acted_ms: when the step's action was sent first, from which the life of its idempotency key counts.
        at_ms: when this attempt was sent, or is to be sent.
        due_ms: when it is given up, or sent.
        error: what the attempt before ended with; empty for the first.
        taken: whether the participant said that it will answer later.
        unsent: whether the attempt waits for its time to be sent.
        ends_ms: of a step that waits for a person, or pauses, when that ends; 0 of any other.
        assignee: who is asked by a step that waits for a person; empty of any other.
    """

    service: str
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


class SagaBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a saga's row: where the saga stands, readable without its definition.

    Attributes:
        trail: the outcomes so far, in order, as ``EVENT status``.
        number: of the last audit record.
        phase: ``forward`` or ``backward``; empty once it is final.
        group: number of the current group.
        members: step of the current group to its status.
        waiting: step to what it was asked; of the steps that were asked at all.
        answers: step to what it answered, of those that answered anything.
        reason: why it turned back.
        trouble: why it waits for an operator, or waited last.
        outstanding: what is owed, where the saga goes back, waits for an operator or was abandoned.
        deadline_ms: of the whole saga.
    """

    trail: list[str]
    number: int
    phase: str = ""
    group: int = 0
    members: dict[str, Status] = {}
    waiting: dict[str, StoredRequest] = {}
    answers: dict[str, Any] = {}
    reason: str = ""
    outstanding: list[str] = []
    deadline_ms: int | None = None
    trouble: str = ""


_BODY: Final = msgspec.json.Decoder(SagaBody)


def body_of_row(row: SagaRow) -> SagaBody:
    """The body of a saga's row.

    Earlier versions wrote why a saga waits for an operator over why it turned back, which only its records tell then.

    Raises:
        msgspec.DecodeError: the row is not what was written.
    """
    try:
        body = _BODY.decode(row.body)
    except RecursionError as error:  # lists in lists, from a time when any number was taken
        raise msgspec.DecodeError("it is nested too deep to be read") from error
    if row.status == NEEDS_OPERATOR and not body.trouble:
        return msgspec.structs.replace(body, reason="", trouble=body.reason)
    return body
