"""One saga's story: its steps as they stand, and every record of it, without its definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from amends.engine.recorded import (
    ARCHIVED,
    ENTERS_BACKWARD,
    ENTERS_FORWARD,
    OWED,
    SETTLED,
    Recorded,
    lines_of,
    readable_of,
)
from amends.storage.ports import Records
from amends.storage.rows import FINAL, Block, Unreadable
from amends.views.sagas import SagaView, view_of

UNDONE: Final = "undone"
ASKED_AGAIN: Final = {"resent": "sent"}


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step that the saga has reached. Those ahead are known to its definition alone.

    Attributes:
        event: its name.
        outcome: ``sent``, ``done``, ``refused``, ``unknown``, ``probing`` or ``stuck``.
        undone: the event of its compensation once that took place, ``EVENT/undo`` while it is asked for; else empty.
        back: how its compensation stands: ``undone``, ``undoing`` or ``stuck``; empty when it was not asked for.
    """

    event: str
    outcome: str
    undone: str = ""
    back: str = ""


@dataclass(frozen=True, slots=True)
class SagaStory:
    """A saga and what happened to it.

    Attributes:
        saga: as its row shows it; `Unreadable` when that is damaged.
        steps: those that it has reached, in order.
        records: what was recorded of it, in order, with the numbers of their blocks.
        missing: first and last number of each run of records that should be there, and are not or cannot be read.
    """

    saga: SagaView | Unreadable
    steps: tuple[StepSeen, ...]
    records: tuple[tuple[int, Recorded], ...]
    missing: tuple[tuple[int, int], ...]


def story(records: Records, saga_id: str) -> SagaStory | None:
    """The story of a saga; ``None`` when there is no such saga."""
    row = records.saga(saga_id)
    if row is None:
        return None
    view = view_of(row)
    blocks = records.blocks_about(saga_id)
    told = tuple((block.number, record) for block in blocks for record in _about(block, saga_id))
    changes = [words for _, record in told for words in record.changes]
    is_archive = next(iter(records.blocks()), None) is None  # whose records are in the store that it left
    trail, last = ((), 0) if isinstance(view, Unreadable) else (view.trail, 0 if is_archive else view.number)
    return SagaStory(
        view, tuple(steps_of(changes, trail)), told, tuple(_gaps([record.number for _, record in told], last))
    )


def archive_of(records: Records, saga_id: str) -> str:
    """Where a saga left for; empty when it did not."""
    if any("\ud800" <= letter <= "\udfff" for letter in saga_id):  # no store can hold such an id
        return ""
    causes = (record.cause for block in records.blocks_about(saga_id) for record in _all_about(block, saga_id))
    return next((cause.removeprefix(ARCHIVED) for cause in causes if cause.startswith(ARCHIVED)), "")


def steps_of(changes: Iterable[str], trail: Sequence[str]) -> Iterator[StepSeen]:
    """The steps that a saga has reached.

    Args:
        changes: of its records, in order.
        trail: of its row, which knows the events of its compensations.
    """
    steps = dict[str, StepSeen]()
    compensations = iter([words.removesuffix(f" {UNDONE}") for words in trail if words.endswith(f" {UNDONE}")])
    for words in changes:
        event, _, status = words.rpartition(" ")
        if words in FINAL or words.startswith((ENTERS_FORWARD, ENTERS_BACKWARD)) or status in (OWED, SETTLED):
            continue
        step = steps.get(event) or StepSeen(event, status)
        if status == UNDONE:
            step = replace(step, undone=next(compensations, f"{event}/undo"), back=UNDONE)
        elif status == "undoing" or (status == "stuck" and step.back):
            step = replace(step, undone=f"{event}/undo", back=status)
        else:
            step = replace(step, outcome=ASKED_AGAIN.get(status, status))
        steps[event] = step
    return iter(steps.values())


def _about(block: Block, saga_id: str) -> Iterator[Recorded]:
    """The records of one saga's state."""
    return (record for record in _all_about(block, saga_id) if record.number)


def _all_about(block: Block, saga_id: str) -> Iterator[Recorded]:
    """The records of one saga; a block may hold a thousand of others, which are not read."""
    begins = f"[{quoted(saga_id)},"
    found = readable_of([line for line in lines_of(block) if line.startswith(begins)])
    return (record for record in found if record)


def _gaps(numbers: Iterable[int], last: int) -> Iterator[tuple[int, int]]:
    """First and last of each run that is missing from 1 to the last."""
    before = 0
    for number in sorted({*numbers, last + 1}):
        if number > before + 1:
            yield before + 1, number - 1
        before = number
