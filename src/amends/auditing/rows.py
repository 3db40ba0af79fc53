"""Whether a saga's row says what its records tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from amends.auditing.stored import NO_RECORDS, NO_ROW
from amends.auditing.told import RecordedSaga
from amends.storage.bodies import SagaBody, body_of_row
from amends.storage.rows import SagaRow, Unreadable
from amends.storage.standing import Stand, owed_in

UNDONE: Final = " undone"
NAMES: Final = ("status", "number of its last record", "version", "start", "last change", "is over")


def fault_of(row: SagaRow | Unreadable | None, told: RecordedSaga | None) -> str:
    """What is wrong with a saga, in words; empty when nothing is.

    Args:
        row: as it is stored; ``None`` when there is none.
        told: what its records tell; ``None`` when there are none.
    """
    if isinstance(row, Unreadable):
        return f"its row cannot be read: {row.why}"
    if row is None:
        return NO_ROW if told else ""
    if told is None:
        return NO_RECORDS
    try:
        body = body_of_row(row)
    except ValueError as error:  # msgspec.DecodeError is one
        return f"its row cannot be read: {error}"
    return "; ".join(_differences(row, body, told))


def _differences(row: SagaRow, body: SagaBody, told: RecordedSaga) -> Iterator[str]:
    stand = told.stand
    is_over = bool(stand.end) and not owed_in(stand.trail)
    there = (row.status, body.number, row.version, row.started_ms, row.changed_ms, row.due_ms is None)
    tells = (stand.status, told.number, told.version, told.started_ms, told.changed_ms, is_over)
    if there != tells:
        pairs = zip(NAMES, there, tells, strict=True)
        yield from (_words(name, is_now, was) for name, is_now, was in pairs if is_now != was)
    if row.definition != told.definition or not told.was_asked(row.request):
        yield "its definition or request is not what it was started with"
    if stand.trail != tuple(body.trail):
        yield from _trails(body.trail, stand.trail)
    if body.members or stand.members or body.phase:
        yield from _steps(body, stand)


def _trails(there: Sequence[str], told: Sequence[str]) -> Iterator[str]:
    """A row names the event of a compensation, a record that of its step: only that it was undone can be compared."""
    for is_now, was in zip_longest(there, told, fillvalue="nothing"):
        if is_now != was and not (is_now.endswith(UNDONE) and was.endswith(UNDONE)):
            yield _words("outcome", is_now, was)


def _steps(body: SagaBody, stand: Stand) -> Iterator[str]:
    phase = "" if stand.end else stand.phase
    if body.phase != phase:
        yield _words("phase", body.phase or "none", phase or "none")
    told = dict.fromkeys(body.members, stand.others) | stand.members
    for name, status in told.items():
        if (there := body.members.get(name)) is not status:
            yield _words(f"step {name}", there.value if there else "not there", status.value)


def _words(name: str, there: object, told: object) -> str:
    return f"{name}: {there}, its records tell {told}"
