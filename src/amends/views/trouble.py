"""What people have to see to: sagas that wait for an operator, steps that go on failing, debts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import NEEDS_OPERATOR, WAITING, WAITS_FOR_OPERATOR, SagaRow, Unreadable
from amends.views.sagas import AsOf, SagaView, view_of

LOOKED_AT_MAX: Final = 20_000  # sagas that are read for it: a second or two


class Stuck(NamedTuple):
    """A saga that waits for an operator.

    Attributes:
        saga_id: of the saga.
        outstanding: what is owed, as ``STEP/do`` or ``STEP/undo``.
        why: why it got stuck; of one that cannot be read, what is wrong with its row.
    """

    saga_id: str
    outstanding: Sequence[str]
    why: str


def stuck(records: Records, limit: int, as_of: AsOf) -> list[Stuck]:
    """The sagas that wait for an operator, the one that started last first, at most `limit`."""
    rows = islice(records.listing(SagaFilter((NEEDS_OPERATOR,), limit=limit)), limit)
    return [_stuck(view_of(row, as_of)) for row in rows]


def _stuck(view: SagaView | Unreadable) -> Stuck:
    if isinstance(view, Unreadable):
        return Stuck(view.name, (), view.why)
    return Stuck(view.saga_id, view.outstanding, view.trouble)


class Failing(NamedTuple):
    """A step that goes on failing.

    Attributes:
        saga_id: whose it is.
        step: its event.
        kind: ``do``, ``undo`` or ``probe``.
        attempt: the one that is under way.
        since_ms: when it was asked first.
        error: what the attempt before ended with.
    """

    saga_id: str
    step: str
    kind: str
    attempt: int
    since_ms: int
    error: str


def failing(records: Records, as_of: AsOf) -> list[Failing]:
    """The steps that are failing (`Question.is_failing`), the one that began first first.

    Of very many sagas that wait, the `LOOKED_AT_MAX` that started last are looked at.
    """
    since_ms = as_of.now_ms - as_of.worried_after_ms
    rows = records.listing(SagaFilter(WAITING, started_before_ms=since_ms, limit=LOOKED_AT_MAX))
    views = [view for row in rows if isinstance(view := view_of(row, as_of), SagaView)]
    found = [
        Failing(view.saga_id, asked.step, asked.kind, asked.attempt, asked.since_ms, asked.error)
        for view in views
        for asked in view.questions
        if asked.is_failing
    ]
    return sorted(found, key=lambda step: step.since_ms)


def owed(records: Records, as_of: AsOf) -> Sequence[SagaView]:
    """The sagas of which something is owed, also of those that ended long ago, the one that started last first."""
    return _owed_of([*_waits_for_operator(records), *records.listing(SagaFilter(WAITING, limit=LOOKED_AT_MAX))], as_of)


def owed_at_end(records: Records, as_of: AsOf) -> Sequence[SagaView]:
    """Those of them that have ended."""
    return [view for view in _owed_of(_waits_for_operator(records), as_of) if view.has_ended]


def _waits_for_operator(records: Records) -> Iterator[SagaRow | Unreadable]:
    """The sagas that only an operator moves, those that have ended among them."""
    definitions = {definition for definition, _ in records.counts()}
    found = records.due(definitions, WAITS_FOR_OPERATOR, LOOKED_AT_MAX, (WAITS_FOR_OPERATOR - 1, ""))
    return filter(None, (records.saga(saga_id) for _, saga_id in found))


def _owed_of(rows: Iterable[SagaRow | Unreadable], as_of: AsOf) -> Sequence[SagaView]:
    views = (view_of(row, as_of) for row in rows)
    found = {view.saga_id: view for view in views if isinstance(view, SagaView) and view.owed}
    return sorted(found.values(), key=lambda view: (view.started_ms, view.saga_id), reverse=True)
