"""Which sagas are looked for, and the pages in which they are found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, Final, NamedTuple

import msgspec

from amends.errors import RequestRefused
from amends.storage.ports import ALL, Records, SagaFilter, nothing_after
from amends.storage.rows import STATUSES, WAITING, SagaRow, Unreadable
from amends.views.sagas import AsOf, Question, SagaView, view_of
from amends.views.trouble import owed, owed_at_end

STATUS_WORDS: Final = {**{status.replace(" ", "-"): (status,) for status in STATUSES}, "waiting": WAITING}
"""What a saga's status is asked for by; several together mean any of them."""
OWED: Final = "owed"
FAILING: Final = "failing"
CONDITIONS: Final = (FAILING, OWED)
"""What is asked for beside a status, and has to hold with it."""
REFUSED: Final = "refused"  # where the answer under a client key has a reason
LIMIT: Final = 100  # sagas in a page, where it is not said how many: what a person reads, and a document of 200 KB


class Search(NamedTuple):
    """Which sagas are looked for.

    Attributes:
        statuses: of these; any when empty.
        name: of the definition of this name; any when empty.
        service: that ask this service now; any when empty.
        started_before_ms: started before that; ``None`` for any.
        started_from_ms: started then or later; ``None`` for any.
        limit: at most so many, >= 1.
        is_owed: of which something is owed.
        step: that ask this step now; any when empty.
        is_failing: of which a step is failing.
        after: behind the saga of this id; from the first one on when empty.
    """

    statuses: tuple[str, ...] = ()
    name: str = ""
    service: str = ""
    started_before_ms: int | None = None
    started_from_ms: int | None = None
    limit: int = LIMIT
    is_owed: bool = False
    step: str = ""
    is_failing: bool = False
    after: str = ""

    def has(self, saga: SagaView | Unreadable) -> bool:
        """Whether a saga is one of them, wherever it was found; of one that cannot be read, nothing is known."""
        return isinstance(saga, Unreadable) or (
            (not self.statuses or saga.status in self.statuses)
            and (not self.name or saga.name == self.name)
            and (self.started_before_ms is None or saga.started_ms < self.started_before_ms)
            and (self.started_from_ms is None or saga.started_ms >= self.started_from_ms)
            and (not self.is_owed or bool(saga.owed))
            and (not self.is_failing or saga.is_failing)
            and (not (self.service or self.step) or any(map(self.is_about, saga.questions)))
        )

    def is_about(self, question: Question) -> bool:
        """Whether a request is of the service and the step that are looked for."""
        return self.service in ("", question.service) and self.step in ("", question.step)


class Page(NamedTuple):
    """Some of the sagas that are looked for, the one that started last first.

    Attributes:
        sagas: those that can be read.
        unreadable: rows among them that cannot, each with why.
        after: what the next page is to come after; ``None`` where this is the last one.
    """

    sagas: tuple[SagaView, ...]
    unreadable: tuple[Unreadable, ...]
    after: str | None

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "sagas": [saga.as_json() for saga in self.sagas],
            "unreadable": [saga_as_json(row) for row in self.unreadable],
            "after": self.after,
        }


def page(records: Records, search: Search, as_of: AsOf) -> Page:
    """A page of the sagas that are looked for.

    Raises:
        RequestRefused: the saga that it is to come after is not there.
    """
    found = list(sagas(records, search._replace(limit=search.limit + 1), as_of))
    here = found[: search.limit]
    return Page(
        tuple(saga for saga in here if isinstance(saga, SagaView)),
        tuple(row for row in here if isinstance(row, Unreadable)),
        _id_of(here[-1]) if len(found) > len(here) else None,
    )


def sagas(records: Records, search: Search, as_of: AsOf) -> Iterator[SagaView | Unreadable]:
    """The sagas that are looked for, newest first. Rows that cannot be read are among them, with their reason."""
    seen = _after(records, search, owed(records, as_of)) if search.is_owed else _listed(records, search, as_of)
    return islice((view for view in seen if search.has(view)), search.limit)


def ended_and_owed(records: Records, search: Search, as_of: AsOf) -> Iterator[SagaView]:
    """Those that have ended, and of which something is owed, newest first."""
    return (view for view in _after(records, search, owed_at_end(records, as_of)) if search.has(view))


def found_by(records: Records, as_of: AsOf, key: str) -> SagaView | None:
    """The saga that was started under a client key; ``None`` while none was.

    Raises:
        RequestRefused: what came under the key was refused, and why; or it cannot be read.
    """
    row = records.key(key)
    if row is None:
        return None
    if isinstance(row, Unreadable):
        raise RequestRefused(f"client key {key!r} cannot be read: {row.why}")
    if not row.saga_id:
        answer = msgspec.json.decode(row.answer)
        if isinstance(answer, dict) and isinstance(reason := answer.get(REFUSED), str):
            raise RequestRefused(reason)
        return None
    saga = records.saga(row.saga_id)
    view = view_of(saga, as_of) if saga else None
    if isinstance(view, Unreadable):
        raise RequestRefused(f"saga {row.saga_id!r} cannot be read: {view.why}")
    return view


def _listed(records: Records, search: Search, as_of: AsOf) -> Iterator[SagaView | Unreadable]:
    """Those of their status and time; of what only a saga that waits can be, the final ones are not walked."""
    statuses = search.statuses
    if search.service or search.step or search.is_failing:
        statuses = tuple(status for status in statuses or WAITING if status in WAITING)
        if not statuses:
            return iter(())
    wanted = SagaFilter(statuses, search.name, search.started_before_ms, ALL, search.after)
    rows = takewhile(lambda row: _is_from(row, search.started_from_ms), records.listing(wanted))
    return (view_of(row, as_of) for row in rows)


def _after(records: Records, search: Search, found: Sequence[SagaView]) -> Iterator[SagaView]:
    if not search.after:
        return iter(found)
    last = records.saga(search.after)
    if not isinstance(last, SagaRow):
        raise nothing_after(search.after)
    return (view for view in found if (view.started_ms, view.saga_id) < (last.started_ms, last.saga_id))


def _is_from(row: SagaRow | Unreadable, from_ms: int | None) -> bool:
    return from_ms is None or isinstance(row, Unreadable) or row.started_ms >= from_ms


def _id_of(saga: SagaView | Unreadable) -> str:
    return saga.name if isinstance(saga, Unreadable) else saga.saga_id


def saga_as_json(saga: SagaView | Unreadable) -> dict[str, Any]:
    """A saga as plain values; of one that cannot be read, its id and why."""
    return {"saga_id": saga.name, "unreadable": saga.why} if isinstance(saga, Unreadable) else saga.as_json()
