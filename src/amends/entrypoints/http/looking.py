"""``GET /sagas``: which sagas there are, and one of them, step by step."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from amends.client.client import Client
from amends.engine.looking import SagaSearch
from amends.entrypoints.cli.store.documents import story_document
from amends.entrypoints.http.documents import TheClient, etag_of, saga_document
from amends.entrypoints.http.preferences import is_known, wait_of
from amends.entrypoints.http.problems import Problem, documented
from amends.entrypoints.http.scopes import Scope
from amends.errors import OperatorNeeded, RequestRefused
from amends.storage.ports import Records
from amends.views.sagas import AsOf
from amends.views.search import LIMIT
from amends.views.story import Description, story

PAGE_MAX: Final = 200  # sagas in a page (promise of the OWASP list, API4)
ID_MAX: Final = 255  # characters of any name, as of who says something

SagaId = Annotated[str, PathParameter(min_length=1, max_length=ID_MAX, description="of a saga")]
Moment = Annotated[str | None, QueryParameter(required=False, format="date-time", description="RFC 3339")]
Text = Annotated[str | None, QueryParameter(required=False, max_length=ID_MAX)]
RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")
STATUS: Final = "forward, backward, needs-operator, waiting, completed, compensated, abandoned, failing, owed"
Prefer = Annotated[str | None, HeaderParameter(name="Prefer", required=False, description="wait=N seconds for the end")]


@get(
    "/sagas",
    scope=Scope.read,
    summary="find sagas",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def list_sagas(  # noqa: PLR0913, PLR0917 - Litestar passes each by its name
    client: TheClient,
    status: Annotated[list[str] | None, QueryParameter(required=False, max_items=9, description=STATUS)] = None,
    definition: Text = None,
    service: Text = None,
    step: Text = None,
    started_before: Moment = None,
    started_from: Moment = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = LIMIT,
    after: Text = None,
) -> dict[str, Any]:
    """A page of sagas, the one that started last first; `after` of the answer gives the next page."""
    wanted = SagaSearch(
        status=status or (), definition=definition or "", service=service or "", step=step or "",
        started_before=moment_of(started_before, "started_before"),
        started_from=moment_of(started_from, "started_from"), limit=limit, after=after,
    )  # fmt: skip
    try:
        return (await client.list(**wanted)).as_json()
    except RequestRefused as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused)) from refused


def moment_of(text: str | None, field: str) -> datetime | None:
    """A moment that was given, with its time zone.

    Raises:
        Problem: it is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text) if RFC_3339.match(text) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        rule = "a moment with a time zone, as 2026-12-01T12:00:00Z"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {rule}", field=field, value=text, rule=rule)
    return found


@get(
    "/sagas/{saga_id:str}",
    scope=Scope.read,
    summary="see a saga, step by step",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_saga(
    request: Request[Any, Any, State],
    client: TheClient,
    saga_id: SagaId,
    prefer: Prefer = None,  # noqa: ARG001 - for the document; `wait_of` reads it
) -> Response[dict[str, Any] | None]:
    """A saga as it stands. ``Prefer: wait=N`` waits for its end; ``If-None-Match`` with its ETag asks what is new."""
    if wait_s := wait_of(request):
        await _wait(client, saga_id, wait_s)
    saga = await described(client, saga_id)
    tag = etag_of(saga)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if is_known(request, tag):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(saga_document(saga), headers=headers)


@get(
    "/sagas/{saga_id:str}/export",
    scope=Scope.read,
    summary="take a saga home",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def export_saga(client: TheClient, saga_id: SagaId) -> Response[dict[str, Any]]:
    """A saga with every record of it, as `amends show --json` has it."""
    document = await client.connection.look(lambda records, as_of: _story_in(records, saga_id, as_of, client))
    name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in saga_id)
    return Response(document, headers={"Content-Disposition": f'attachment; filename="{name}.json"'})


async def described(client: Client, saga_id: str) -> Description:
    """A saga, step by step.

    Raises:
        Problem: there is none.
    """
    try:
        return await client.describe(saga_id)
    except RequestRefused as refused:
        raise no_saga(str(refused), saga_id) from refused


def no_saga(detail: str, saga_id: str) -> Problem:
    """The answer to who asks for a saga that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, detail, field="saga_id", value=saga_id)


async def _wait(client: Client, saga_id: str, wait_s: int) -> None:
    try:
        await client.result(saga_id, wait_s)
    except (OperatorNeeded, TimeoutError):
        return
    except RequestRefused:  # how it stands is told all the same, or why it cannot be
        return


def _story_in(records: Records, saga_id: str, as_of: AsOf, client: Client) -> dict[str, Any]:
    told = story(records, saga_id, as_of, client.definitions.sagas)
    if told is None:
        raise no_saga(f"there is no saga {saga_id!r}", saga_id)
    return {"form": 1, **story_document(told)}
