"""Sagas that wait, in groups by their cause: what one verb may mend for all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import NEEDS_OPERATOR, WAITING
from amends.views.sagas import AsOf, Question, SagaView, view_of
from amends.views.trouble import LOOKED_AT_MAX

VARYING: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-f]{8,}\b|\d+", re.IGNORECASE)
"""What differs between two errors of one kind: quoted values, ids, numbers."""
KIND_MAX: Final = 120  # characters of a kind of error: a line
EXAMPLES: Final = 5  # sagas that are named of each group


class CauseGroup(NamedTuple):
    """Sagas that wait for the same reason.

    Attributes:
        name: of their definition.
        step: that they wait for.
        kind: ``do``, ``undo`` or ``probe``.
        service: that it is asked of.
        error: the kind of error that it ended with last, in which all that varies is ``…``; empty for none.
        status: of the sagas.
        sagas: how many there are.
        oldest_ms: since when the first of them waits, milliseconds since 1970 (UTC).
        saga_ids: some of them, at most five.
    """

    name: str
    step: str
    kind: str
    service: str
    error: str
    status: str
    sagas: int
    oldest_ms: int
    saga_ids: Sequence[str]


def groups(records: Records, as_of: AsOf) -> Sequence[CauseGroup]:
    """The groups, the largest first; of very many sagas, the `LOOKED_AT_MAX` that started last are looked at.

    Args:
        records: the store.
        as_of: the moment of the look.
    """
    found = defaultdict[tuple[str, ...], list[tuple[SagaView, Question]]](list)
    for row in records.listing(SagaFilter(WAITING, limit=LOOKED_AT_MAX)):
        view = view_of(row, as_of)
        if isinstance(view, SagaView):
            for asked in _causes(view):
                key = (view.name, asked.step, asked.kind, asked.service, error_kind(_error(view, asked)), view.status)
                found[key].append((view, asked))
    made = [_group(key, each) for key, each in found.items()]
    return sorted(made, key=lambda group: (-group.sagas, group.oldest_ms))


def error_kind(error: str) -> str:
    """The kind of an error: its first line, in which what varies is ``…``."""
    return VARYING.sub("…", error.partition("\n")[0])[:KIND_MAX]


def _causes(view: SagaView) -> Iterator[Question]:
    stuck = [asked for asked in view.questions if asked.is_stuck]
    yield from stuck or view.questions


def _error(view: SagaView, asked: Question) -> str:
    return asked.error or (view.trouble if view.status == NEEDS_OPERATOR else "")


def _group(key: tuple[str, ...], found: Sequence[tuple[SagaView, Question]]) -> CauseGroup:
    name, step, kind, service, error, status = key
    oldest_ms, ids = min(asked.since_ms for _, asked in found), [view.saga_id for view, _ in found[:EXAMPLES]]
    return CauseGroup(name, step, kind, service, error, status, len(found), oldest_ms, ids)
