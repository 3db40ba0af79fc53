"""A saga as its row shows it, and which sagas are looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, Final, NamedTuple

import msgspec

from amends.core.state import ASKED, Status
from amends.storage.bodies import SagaBody, body_of_row
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.rows import BACKWARD, FORWARD, NEEDS_OPERATOR, WAITS_FOR_OPERATOR, SagaRow, Unreadable
from amends.storage.standing import owed_in

WAITING: Final = (FORWARD, BACKWARD, NEEDS_OPERATOR)
"""The statuses of sagas that are not final."""
FAILING_AFTER_MS: Final = 300_000  # five minutes: longer than a deploy, or a failover of a participant


@dataclass(frozen=True, slots=True)
class Question:
    """A request that a saga waits for, or waited for when it got stuck.

    Attributes:
        step: event of the step.
        kind: ``do``, ``undo`` or ``probe``.
        service: the participant that is asked.
        attempt: 1 for the first.
        sent_ms: when this attempt is, or was, sent.
        due_ms: when its outcome becomes unknown.
        error: what the attempt before ended with; empty at the first.
        is_taken: whether the participant took it and answers later.
        is_unsent: whether it waits for a place at its participant, until it is due; it was not sent.
        is_stuck: whether only an operator can tell how to go on.
        since_ms: when it was asked first.
    """

    step: str
    kind: str
    service: str
    attempt: int
    sent_ms: int
    due_ms: int
    error: str
    is_taken: bool
    is_unsent: bool
    is_stuck: bool
    since_ms: int

    def is_failing(self, now_ms: int) -> bool:
        """Whether it has failed for longer than `FAILING_AFTER_MS`, and is tried again and again."""
        is_tried = bool(self.error) and not self.is_taken and not self.is_stuck
        return is_tried and now_ms - self.since_ms > FAILING_AFTER_MS


@dataclass(frozen=True, slots=True)
class SagaView:
    """A saga.

    Attributes:
        saga_id: its id.
        name: of its definition.
        version: of its definition.
        fingerprint: of its definition.
        status: one of `amends.storage.rows.STATUSES`.
        request: JSON.
        started_ms: when it was started, milliseconds since 1970 (UTC).
        changed_ms: when it changed last.
        due_ms: when the engine moves it at the latest; ``None`` when it is final, or only an operator moves it.
        deadline_ms: until when it has to reach its pivot; ``None`` without a deadline.
        reason: why it turned back.
        trouble: why it waits for an operator, or waited last.
        questions: what is being asked now.
        outstanding: what is owed, as ``STEP/do`` or ``STEP/undo``, of a saga that goes back, waits for an operator or
            was abandoned.
        owed: steps whose effect stands though the saga gave them up, and that is to be undone by an operator.
        answers: step to what it answered.
        trail: the outcomes so far, as ``EVENT status``.
        number: of its last record.
    """

    saga_id: str
    name: str
    version: str
    fingerprint: str
    status: str
    request: str
    started_ms: int
    changed_ms: int
    due_ms: int | None
    deadline_ms: int | None
    reason: str
    trouble: str
    questions: tuple[Question, ...]
    outstanding: tuple[str, ...]
    owed: tuple[str, ...]
    answers: Mapping[str, Any]
    trail: tuple[str, ...]
    number: int


class Search(NamedTuple):
    """Which sagas are looked for.

    Attributes:
        statuses: of these; any when empty.
        name: of the definition of this name; any when empty.
        service: that ask this service now; any when empty.
        started_before_ms: started before that; ``None`` for any.
        started_from_ms: started then or later; ``None`` for any.
        limit: at most so many, >= 1.
        is_owed: of which something is owed.
    """

    statuses: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    started_before_ms: int | None = None
    started_from_ms: int | None = None
    limit: int = 100
    is_owed: bool = False

    def has(self, saga: SagaView) -> bool:
        """Whether a saga is one of them."""
        return (
            (not self.statuses or saga.status in self.statuses)
            and (not self.name or saga.name == self.name)
            and (self.started_before_ms is None or saga.started_ms < self.started_before_ms)
            and (self.started_from_ms is None or saga.started_ms >= self.started_from_ms)
            and _asks(saga, self.service)
        )


def sagas(records: Records, search: Search) -> Iterator[SagaView | Unreadable]:
    """The sagas that are looked for, newest first. Rows that cannot be read are among them, with their reason."""
    statuses = search.statuses or (WAITING if search.service else ())
    wanted = SagaFilter(statuses, search.name, search.started_before_ms, ALL)
    rows = takewhile(lambda row: _is_from(row, search.started_from_ms), records.listing(wanted))
    found = (view for row in rows if _asks(view := view_of(row), search.service))
    return islice(found, search.limit)


def view_of(row: SagaRow | Unreadable) -> SagaView | Unreadable:
    """What is shown of a saga, read from its row."""
    if isinstance(row, Unreadable):
        return row
    try:
        body = body_of_row(row)
    except msgspec.DecodeError as error:
        return Unreadable("saga", row.saga_id, str(error))
    name, _, rest = row.definition.partition("/")
    version, _, fingerprint = rest.partition("/")
    return SagaView(
        row.saga_id, name, version, fingerprint, row.status, row.request, row.started_ms, row.changed_ms,
        None if row.due_ms == WAITS_FOR_OPERATOR else row.due_ms, body.deadline_ms, body.reason,
        body.trouble, tuple(_questions(body)), tuple(body.outstanding), owed_in(body.trail), body.answers,
        tuple(body.trail),
        body.number,
    )  # fmt: skip


def _questions(body: SagaBody) -> Iterator[Question]:
    for step, status in body.members.items():
        asked = body.waiting.get(step)
        if asked and (status in ASKED or status is Status.STUCK):
            yield Question(
                step, asked.kind.value, asked.service, asked.attempt, asked.at_ms, asked.due_ms, asked.error,
                asked.taken, asked.unsent, status is Status.STUCK, asked.since_ms,
            )  # fmt: skip


def _is_from(row: SagaRow | Unreadable, from_ms: int | None) -> bool:
    return from_ms is None or isinstance(row, Unreadable) or row.started_ms >= from_ms


def _asks(view: SagaView | Unreadable, service: str) -> bool:
    if not service or isinstance(view, Unreadable):
        return True
    return any(question.service == service for question in view.questions)
