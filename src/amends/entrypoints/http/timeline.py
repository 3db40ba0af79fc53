"""``GET /sagas/{id}/timeline`` and ``GET /events``: what happened to a saga, and what happens to all, live."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter
from litestar.response import Stream

from amends.entrypoints.http.documents import TheClient, saga_document
from amends.entrypoints.http.live import LiveEvents
from amends.entrypoints.http.looking import ID_MAX, SagaId, described, no_saga
from amends.entrypoints.http.problems import RETRY, Problem, documented
from amends.entrypoints.http.scopes import Scope
from amends.events.cloud_events import what_happened
from amends.storage.ports import Records
from amends.storage.records import Record
from amends.storage.rows import Head
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.sagas import AsOf
from amends.views.story import story

Live = NamedDependency[LiveEvents]
LastEventId = Annotated[
    str | None, HeaderParameter(name="Last-Event-ID", required=False, max_length=10 * ID_MAX, description="to go on")
]
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@get(
    "/sagas/{saga_id:str}/timeline",
    scope=Scope.read,
    summary="see what happened to a saga",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_timeline(client: TheClient, saga_id: SagaId) -> dict[str, Any]:
    """A saga, and every record of it, in order: what was heard or told, and what became of its steps by that."""
    saga = await described(client, saga_id)
    records = await client.connection.look(lambda records, as_of: _records_in(records, saga_id, as_of))
    return {"saga": saga_document(saga), "records": records}


def _records_in(records: Records, saga_id: str, as_of: AsOf) -> list[dict[str, Any]]:
    told = story(records, saga_id, as_of)
    if told is None:
        raise no_saga(f"there is no saga {saga_id!r}", saga_id)
    return [_record(head, record) for head, record in told.records]


def _record(head: Head, record: Record) -> dict[str, Any]:
    return {
        **what_happened(record), "at_ms": record.at_ms, "text": cause_in_words(record),
        "became": changes_in_words(record), "block": head.number, "chain": head.chain,
    }  # fmt: skip


@get(
    "/events",
    scope=Scope.read,
    summary="hear what happens, live",
    responses=documented(),
    media_type="text/event-stream",
    is_stream=True,
)
async def hear_events(live: Live, last_event_id: LastEventId = None) -> Stream:
    """Server-sent events, each a CloudEvent without values; ``event: reset`` where more happened than is told.

    An event is told again after a break rather than left out. A listener that is too slow is told to look anew.
    """
    if live.is_full:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "as many listen here as can: ask again", headers=RETRY)
    return Stream(live.listen(last_event_id or ""), media_type="text/event-stream", headers=HEADERS)
