"""The answers that are to come from outside: of a webhook, or of a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import msgspec

from amends.core.definition import Saga
from amends.storage.ports import ALL, Records
from amends.storage.rows import WAITING
from amends.views.late_undos import late_undos
from amends.views.sagas import AsOf, Question, SagaView
from amends.views.search import Search, ended_and_owed, sagas
from amends.views.story import NO_DEFINITIONS

ANSWERED: Final = ("do", "undo")  # kinds of requests that are answered from outside: a probe has its action's key
OWED_MAX: Final = 500  # sagas whose records are read for what is owed of them: a second or two


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """An answer that is to come from outside: of a person, or of a participant that took a request and answers later.

    Attributes:
        key: of the request, as `Call.key`; the answer is given under it.
        saga_id: whose request it is.
        name: of the saga's definition.
        step: event of the step.
        kind: ``do`` or ``undo``; or ``undo-late``, of what is owed, where ``undo`` was asked before.
        service: the participant; empty where that is not known, of what is owed of a definition that is not known.
        assignee: who is asked; of a participant that answers later, its service.
        since_ms: when it was asked first, milliseconds since 1970 (UTC).
        until_ms: when its outcome becomes unknown; of a person, when it counts as refused. What is owed stays owed.
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


def pending(
    records: Records, search: Search, as_of: AsOf, definitions: Mapping[str, Saga] = NO_DEFINITIONS
) -> Iterator[PendingAnswer]:
    """The answers that are to come from outside, those of the saga that started last first.

    Of very many sagas that ended and of which something is owed, the `OWED_MAX` that started last are looked at.

    Args:
        records: the store.
        search: of which sagas; with a service or a step, of that alone. Its limit is one of answers.
        as_of: the moment of the look.
        definitions: by ``name/version/fingerprint``, which know the participants of what is owed.
    """
    wanted = search._replace(service="", step="", limit=ALL)
    ended = islice(ended_and_owed(records, wanted, as_of), OWED_MAX)
    views = merge(_waiting(records, wanted, as_of), ended, key=attrgetter("started_ms"), reverse=True)
    asked = ((view, asked) for view in views for asked in _asked(records, view, definitions))
    return islice((_answer(*each) for each in asked if search.is_about(each[1])), search.limit)


def _waiting(records: Records, search: Search, as_of: AsOf) -> Iterator[SagaView]:
    if statuses := tuple(status for status in search.statuses or WAITING if status in WAITING):
        found = sagas(records, search._replace(statuses=statuses), as_of)
        yield from (view for view in found if isinstance(view, SagaView))


def _asked(records: Records, view: SagaView, definitions: Mapping[str, Saga]) -> Iterator[Question]:
    yield from (asked for asked in view.questions if asked.is_answered_from_outside and asked.kind in ANSWERED)
    yield from late_undos(records, view, definitions)


def _answer(view: SagaView, asked: Question) -> PendingAnswer:
    return PendingAnswer(
        f"{view.saga_id}/{asked.step}/{asked.kind}", view.saga_id, view.name, asked.step, asked.kind,
        asked.service, asked.assignee or asked.service, asked.since_ms, asked.until_ms,
    )  # fmt: skip
