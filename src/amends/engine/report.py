"""What the log has of a turn: failed attempts, sagas that wait for an operator, and answers that contradict others."""

from __future__ import annotations

import logging
from typing import Any, Final

from amends.engine.batch import BatchResult
from amends.engine.effects import FailedAttempt
from amends.engine.logger import about, log
from amends.engine.tracing import Traces

NEEDS_OPERATOR: Final = "saga %s waits for an operator: %s: %s"
"""The format of an entry: the saga, what is outstanding, and why."""
FAILED: Final = "saga %s: %s/%s failed, attempt %d: %s"
"""The format of an entry: the saga, the step and what it was asked, which attempt it was, and what was seen."""
CONTRADICTED: Final = "saga %s: %s"
"""The format of an entry: the saga, and what an answer contradicts."""
TOLD_EVERY: Final = 10  # attempts: a step that fails for a night does not fill a disk with tracebacks


def log_result(result: BatchResult, traces: Traces) -> None:
    """Log what people are to know of a turn.

    Args:
        result: what became of it.
        traces: in which its sagas are, and those that it ended.
    """
    for failure in result.failures:
        saga_id, step, kind, attempt, error, cause, _ = failure
        is_told = attempt == 1 or attempt % TOLD_EVERY == 0
        level, traceback = (logging.WARNING, cause) if is_told else (logging.INFO, None)
        said, extra = _on_one_line(error), _about_failure(failure, traces)
        log.log(level, FAILED, saga_id, step, kind.value, attempt, said, exc_info=traceback, extra=extra)
    for call in result.needs_operator:
        owed, extra = ", ".join(call.outstanding), _about("a saga waits for an operator", call.saga_id, traces)
        log.error(NEEDS_OPERATOR, call.saga_id, owed, _on_one_line(call.trouble), extra=extra)
    for saga_id, words in result.contradicted:
        extra = _about("an answer contradicts what is known", saga_id, traces)
        log.error(CONTRADICTED, saga_id, _on_one_line(words), extra=extra)


def _about_failure(failure: FailedAttempt, traces: Traces) -> dict[str, Any]:
    position = traces.of((failure.saga_id, failure.step, failure.kind.value, failure.attempt))
    return about(
        "an attempt failed", saga=failure.saga_id, definition=failure.definition, step=failure.step,
        kind=failure.kind.value, attempt=failure.attempt,
        error_type=type(failure.cause).__name__ if failure.cause else "", **position.ids(),
    )  # fmt: skip


def _about(event: str, saga_id: str, traces: Traces) -> dict[str, Any]:
    return about(event, saga=saga_id, **traces.of((saga_id, "", "", 0)).ids())


def _on_one_line(words: str) -> str:
    """What a participant said: a line of its own would look like an entry of the engine's."""
    return " ".join(words.split())
