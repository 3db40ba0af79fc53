"""What the log has of a turn: failed attempts, sagas that wait for an operator, and answers that contradict others."""

from __future__ import annotations

import logging
from typing import Final

from amends.engine.batch import BatchResult
from amends.engine.logger import log

NEEDS_OPERATOR: Final = "saga %s waits for an operator: %s: %s"
"""The format of an entry: the saga, what is outstanding, and why."""
FAILED: Final = "saga %s: %s/%s failed, attempt %d: %s"
"""The format of an entry: the saga, the step and what it was asked, which attempt it was, and what was seen."""
CONTRADICTED: Final = "saga %s: %s"
"""The format of an entry: the saga, and what an answer contradicts."""
TOLD_EVERY: Final = 10  # attempts: a step that fails for a night does not fill a disk with tracebacks


def log_result(result: BatchResult) -> None:
    """Log what people are to know of a turn."""
    for saga_id, step, kind, attempt, error, cause in result.failures:
        is_told = attempt == 1 or attempt % TOLD_EVERY == 0
        level, traceback = (logging.WARNING, cause) if is_told else (logging.INFO, None)
        log.log(level, FAILED, saga_id, step, kind.value, attempt, _on_one_line(error), exc_info=traceback)
    for call in result.needs_operator:
        log.error(NEEDS_OPERATOR, call.saga_id, ", ".join(call.outstanding), _on_one_line(call.trouble))
    for saga_id, words in result.contradicted:
        log.error(CONTRADICTED, saga_id, _on_one_line(words))


def _on_one_line(words: str) -> str:
    """What a participant said: a line of its own would look like an entry of the engine's."""
    return " ".join(words.split())
