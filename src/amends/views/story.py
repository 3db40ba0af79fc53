"""One saga's story: its steps as they stand, and every record of it, without its definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from amends.core.records import StateChange, StepBecame
from amends.core.state import Debt, Status
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import FormerWords, Record, SagaArchived
from amends.storage.rows import Unreadable
from amends.views.sagas import SagaView, view_of

UNDONE: Final = Status.UNDONE.value


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
    records: tuple[tuple[int, Record], ...]
    missing: tuple[tuple[int, int], ...]


def story(records: Records, saga_id: str) -> SagaStory | None:
    """The story of a saga; ``None`` when there is no such saga."""
    row = records.saga(saga_id)
    if row is None:
        return None
    view = view_of(row)
    blocks = records.blocks_about(saga_id)
    found = [(block.number, record) for block in blocks for record in Contents(block).about(saga_id) if record.number]
    told = tuple(sorted(found, key=lambda entry: entry[1].number))  # they may be in several chains, whose clocks differ
    changes = [change for _, record in told for change in record.changes]
    is_archive = not records.chains()  # whose records are in the store that it left
    trail, last = ((), 0) if isinstance(view, Unreadable) else (view.trail, 0 if is_archive else view.number)
    return SagaStory(
        view, tuple(steps_of(changes, trail)), told, tuple(_gaps([record.number for _, record in told], last))
    )


def archive_of(records: Records, saga_id: str) -> str:
    """Where a saga left for; empty when it did not."""
    if any("\ud800" <= letter <= "\udfff" for letter in saga_id):  # no store can hold such an id
        return ""
    causes = (record.cause for block in records.blocks_about(saga_id) for record in Contents(block).about(saga_id))
    return next((cause.into for cause in causes if isinstance(cause, SagaArchived)), "")


def steps_of(changes: Iterable[StateChange | FormerWords], trail: Sequence[str]) -> Iterator[StepSeen]:
    """The steps that a saga has reached.

    Args:
        changes: of its records, in order.
        trail: of its row, which knows the events of its compensations.
    """
    steps = dict[str, StepSeen]()
    compensations = iter([words.removesuffix(f" {UNDONE}") for words in trail if words.endswith(f" {UNDONE}")])
    for change in changes:
        if not isinstance(change, StepBecame) or isinstance(change.status, Debt):
            continue
        event, status = change.step, change.status
        step = steps.get(event) or StepSeen(event, status.value)
        if status is Status.UNDONE:
            step = replace(step, undone=next(compensations, f"{event}/undo"), back=UNDONE)
        elif status is Status.UNDOING or (status is Status.STUCK and step.back):
            step = replace(step, undone=f"{event}/undo", back=status.value)
        else:
            step = replace(step, outcome=(Status.SENT if status is Status.RESENT else status).value)
        steps[event] = step
    return iter(steps.values())


def _gaps(numbers: Iterable[int], last: int) -> Iterator[tuple[int, int]]:
    """First and last of each run that is missing from 1 to the last."""
    before = 0
    for number in sorted({*numbers, last + 1}):
        if number > before + 1:
            yield before + 1, number - 1
        before = number
