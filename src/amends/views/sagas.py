"""A saga as its row shows it: how it stands, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from amends.core.state import ASKED, Status
from amends.lines import moment, span
from amends.storage.bodies import SagaBody, StoredRequest, body_of_row
from amends.storage.ports import WORRIED_AFTER_MS, Records
from amends.storage.rows import FINAL, NEEDS_OPERATOR, WAITS_FOR_OPERATOR, SagaRow, Unreadable
from amends.storage.standing import owed_in

"""The statuses of sagas that are not final."""
PURPOSES: Final = {"do": "", "undo": " to undo it", "probe": " whether it was done"}


class AsOf(NamedTuple):
    """The moment of a look at a store: what waits, and for how long, is told as it is then.

    Attributes:
        now_ms: milliseconds since 1970 (UTC).
        worried_after_ms: for how long a step has failed that counts as failing, >= 0.
    """

    now_ms: int
    worried_after_ms: int = WORRIED_AFTER_MS

    @classmethod
    def of(cls, records: Records, now_ms: int) -> AsOf:
        """A look at a store: what counts as failing there, its engine said."""
        return cls(now_ms, records.worried_after_ms())


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
        is_failing: whether it is tried again and again, and has failed for longer than `AsOf.worried_after_ms`.
        ends_ms: of a step that waits for a person, or pauses, when that ends; ``None`` of any other.
        assignee: who is asked by a step that waits for a person; empty of any other.
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
    is_failing: bool
    ends_ms: int | None = None
    assignee: str = ""

    @property
    def is_answered_from_outside(self) -> bool:
        """Whether its answer is brought: by a person, or by a participant that took the request."""
        return bool(self.assignee) or (self.is_taken and self.ends_ms is None)

    @property
    def until_ms(self) -> int:
        """When it is waited for no longer, or asked anew."""
        return self.due_ms if self.ends_ms is None else self.ends_ms

    def sent(self, now_ms: int) -> int:
        """How often it was sent."""
        return self.attempt - (self.is_unsent or self.sent_ms > now_ms)

    def in_words(self, now_ms: int) -> str:
        """What is waited for: ``CARD was asked 7 times, next in 40 s, last: timeout``."""
        since, sent = span(now_ms - self.since_ms), self.sent(now_ms)
        if self.is_answered_from_outside:
            who = self.assignee or self.service
            told = f", who could not be told: {self.error}" * bool(self.assignee and self.error)
            return f"waits for an answer from {who}, since {since}, until {moment(self.until_ms)}{told}"
        if self.ends_ms is not None:
            return f"pauses, since {since}, until {moment(self.ends_ms)}"
        asked = f"was asked {sent} times" if sent > 1 else "was asked" if sent else "is to be asked"
        parts = [f"{self.service} {asked}{PURPOSES[self.kind]}", self._next(now_ms)]
        parts += [f"failing for {since}"] * self.is_failing + [f"last: {self.error}"] * bool(self.error)
        return ", ".join(filter(None, parts))

    def _next(self, now_ms: int) -> str:
        if self.is_stuck:
            return ""
        if self.is_unsent:
            return "waits for a place there"
        if self.sent_ms > now_ms:
            return f"next in {span(self.sent_ms - now_ms)}"
        return f"has {span(self.due_ms - now_ms)} left to answer" if self.due_ms > now_ms else "overdue"


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
        waits_for: what it waits for, in one sentence; empty once it has ended.
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
    waits_for: str

    @property
    def definition(self) -> str:
        """``name/version/fingerprint`` of its definition."""
        return f"{self.name}/{self.version}/{self.fingerprint}"

    @property
    def has_ended(self) -> bool:
        """Whether it is final."""
        return self.status in FINAL

    @property
    def is_failing(self) -> bool:
        """Whether a step of it is; see `Question.is_failing`."""
        return any(question.is_failing for question in self.questions)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values, the request among them."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values | {"request": _json(self.request)}


def view_of(row: SagaRow | Unreadable, as_of: AsOf) -> SagaView | Unreadable:
    """What is shown of a saga, read from its row."""
    if isinstance(row, Unreadable):
        return row
    try:
        body = body_of_row(row)
    except msgspec.DecodeError as error:
        return Unreadable("saga", row.saga_id, str(error))
    name, _, rest = row.definition.partition("/")
    version, _, fingerprint = rest.partition("/")
    questions = tuple(_questions(body, as_of))
    return SagaView(
        row.saga_id, name, version, fingerprint, row.status, row.request, row.started_ms, row.changed_ms,
        None if row.due_ms == WAITS_FOR_OPERATOR else row.due_ms, body.deadline_ms, body.reason,
        body.trouble, questions, tuple(body.outstanding), owed_in(body.trail), body.answers, tuple(body.trail),
        body.number, _waits_for(row.status, body.trouble, questions, as_of.now_ms),
    )  # fmt: skip


def _questions(body: SagaBody, as_of: AsOf) -> Iterator[Question]:
    for step, status in body.members.items():
        asked, is_stuck = body.waiting.get(step), status is Status.STUCK
        if asked and (status in ASKED or is_stuck):
            yield Question(
                step, asked.kind.value, asked.service, asked.attempt, asked.at_ms, asked.due_ms, asked.error,
                asked.taken, asked.unsent, is_stuck, asked.since_ms, not is_stuck and _is_failing(asked, as_of),
                asked.ends_ms or None, asked.assignee,
            )  # fmt: skip


def _is_failing(asked: StoredRequest, as_of: AsOf) -> bool:
    return bool(asked.error) and not asked.taken and as_of.now_ms - asked.since_ms > as_of.worried_after_ms


def _waits_for(status: str, trouble: str, questions: tuple[Question, ...], now_ms: int) -> str:
    asked = "; ".join(question.in_words(now_ms) for question in questions if not question.is_stuck)
    operator = f"needs an operator: {trouble}" if status == NEEDS_OPERATOR else ""
    return "; ".join(filter(None, (operator, asked)))


def _json(text: str) -> Any:
    """A value that was stored as JSON; of what is no JSON, the text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
