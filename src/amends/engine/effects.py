"""What comes of a batch beside what it stores: requests to be sent, and what people are told."""

from __future__ import annotations

from typing import NamedTuple

from amends.core.effects import CallOperator, Contradicted, Effect, Send, Write
from amends.core.messages import Answered, Kind, Unknown
from amends.core.step import SagaInstance
from amends.engine.in_flight import AttemptId, Outgoing, attempt_id_of


class FailedAttempt(NamedTuple):
    """An attempt whose outcome is unknown, for the log.

    Attributes:
        saga_id: the saga whose request it was.
        step: event name of the step.
        kind: what the participant was asked.
        attempt: its number, from 1.
        error: for a person: what was seen instead of an answer.
        cause: what the participant raised; ``None`` where it did not raise, or no answer came in time.
        definition: of the saga, by its name.
    """

    saga_id: str
    step: str
    kind: Kind
    attempt: int
    error: str
    cause: BaseException | None = None
    definition: str = ""


class BatchEffects:
    """What is to be done and told once a batch is committed.

    Attributes:
        requests: those that came up, by their attempts.
        late_undos: requests by an operator's word, which no state of a saga waits for.
        ended: sagas that became final, by id.
        needs_operator: sagas that now wait for an operator.
        contradicted: answers that contradict what is known.
        failures: attempts that failed.
    """

    def __init__(self) -> None:
        self.requests: dict[AttemptId, Send] = {}
        self.late_undos: list[Outgoing] = []
        self.ended: dict[str, SagaInstance] = {}
        self.needs_operator: list[CallOperator] = []
        self.contradicted: list[Contradicted] = []
        self.failures: list[FailedAttempt] = []

    def add(self, run: SagaInstance, effect: Effect) -> None:
        """Take in an effect of a saga's step, but for its record and its end."""
        if isinstance(effect, Send) and effect.request.kind is Kind.UNDO_LATE:
            self.late_undos.append((run.saga.step(effect.request.step), effect))
        elif isinstance(effect, Send):
            self.requests[attempt_id_of(effect)] = effect
        elif isinstance(effect, CallOperator):
            self.needs_operator.append(effect)
        elif isinstance(effect, Contradicted):
            self.contradicted.append(effect)

    def add_unknown(self, run: SagaInstance, answered: Answered, outcome: Unknown, effect: Effect) -> None:
        """Take in the failure of an attempt, unless it was known already: a duplicate changes nothing."""
        if isinstance(effect, Write) and effect.changes:
            attempt = answered.attempt or 1
            what = answered.step, answered.kind, attempt, outcome.error, outcome.cause, run.saga.name
            self.failures.append(FailedAttempt(run.saga_id, *what))
