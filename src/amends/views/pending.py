"""The answers that are to come from outside: of a webhook, or of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

from amends.storage.ports import ALL, Records
from amends.storage.rows import WAITING
from amends.views.sagas import AsOf, SagaView
from amends.views.search import Search, sagas

ANSWERED: Final = ("do", "undo")  # kinds of requests that are answered from outside: a probe has its action's key


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """An answer that is to come from outside: of a person, or of a participant that took a request and answers later.

    Attributes:
        key: of the request, as `Call.key`; the answer is given under it.
        saga_id: whose request it is.
        name: of the saga's definition.
        step: event of the step.
        kind: ``do`` or ``undo``.
        service: the participant.
        assignee: who is asked; of a participant that answers later, its service.
        since_ms: when it was asked first, milliseconds since 1970 (UTC).
        until_ms: when its outcome becomes unknown; of a person, when it counts as refused.
    """

    key: str
    saga_id: str
    name: str
    step: str
    kind: str
    service: str
    assignee: str
    since_ms: int
    until_ms: int

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def pending(records: Records, search: Search, as_of: AsOf) -> Iterator[PendingAnswer]:
    """The answers that are to come from outside, those of the saga that started last first.

    Args:
        records: the store.
        search: of which sagas; with a service or a step, of that alone. Its limit is one of answers.
        as_of: the moment of the look.
    """
    looked_at = search._replace(statuses=search.statuses or WAITING, limit=ALL)
    views = (view for view in sagas(records, looked_at, as_of) if isinstance(view, SagaView))
    answers = (
        PendingAnswer(
            f"{view.saga_id}/{asked.step}/{asked.kind}", view.saga_id, view.name, asked.step, asked.kind,
            asked.service, asked.assignee or asked.service, asked.since_ms, asked.until_ms,
        )
        for view in views
        for asked in view.questions
        if asked.is_answered_from_outside and search.is_about(asked) and asked.kind in ANSWERED
    )  # fmt: skip
    return islice(answers, search.limit)
