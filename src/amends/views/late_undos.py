"""What an operator had undone, and a participant took and is to answer: no saga waits for it, and its records tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from amends.core.definition import Saga
from amends.core.messages import Answered, Kind, Later, Undo
from amends.core.records import StepBecame
from amends.core.state import Status
from amends.core.waiting import milliseconds
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import Record
from amends.views.sagas import Question, SagaView


def late_undos(records: Records, view: SagaView, definitions: Mapping[str, Saga]) -> Iterator[Question]:
    """Those of a saga, in the order in which its steps came to be owed.

    Args:
        records: the store.
        view: the saga.
        definitions: by ``name/version/fingerprint``; of one that is not among them, no service is told.
    """
    told, saga = _records_of(records, view) if view.owed else [], definitions.get(view.definition)
    for step in view.owed:
        undos = [record for record in told if _is_about_undoing(step, record)]
        asked = [record.at_ms for record in undos if isinstance(record.cause, Undo)]
        if asked and isinstance(later := getattr(undos[-1].cause, "outcome", None), Later):
            was_asked = any(StepBecame(step, Status.UNDOING) in record.changes for record in told)
            kind, service = Kind.UNDO_LATE if was_asked else Kind.UNDO, saga.step(step).service if saga else ""
            yield Question(
                step, kind.value, service, 1, asked[-1], undos[-1].at_ms + milliseconds(later.within_s), "",
                is_taken=True, is_unsent=False, is_stuck=False, since_ms=asked[-1], is_failing=False,
            )  # fmt: skip


def _records_of(records: Records, view: SagaView) -> list[Record]:
    """Its records, in order."""
    blocks = records.blocks_about(view.saga_id)
    found = (record for block in blocks for record in Contents(block).about(view.saga_id) if record.number)
    return sorted(found, key=lambda record: record.number)


def _is_about_undoing(step: str, record: Record) -> bool:
    """Whether a record is of an operator who has a step undone, or of what its participant said to that."""
    match record.cause:
        case Undo(step=event) | Answered(step=event, kind=Kind.UNDO | Kind.UNDO_LATE):
            return event == step
    return False
