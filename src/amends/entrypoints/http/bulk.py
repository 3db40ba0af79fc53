"""``/bulk``: a verb for many sagas, previewed, carried out, paused and stopped."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from amends.engine.looking import SagaSearch
from amends.entrypoints.cli.verbs.orders import VerbGiven
from amends.entrypoints.http.bulk_verbs import RATE_MAX, SAGAS_MAX, BulkRun, BulkVerbs
from amends.entrypoints.http.documents import location_of
from amends.entrypoints.http.problems import Problem, documented
from amends.entrypoints.http.scopes import Scope, caller_of
from amends.entrypoints.http.telling import GivenReason, OutcomeGiven
from amends.errors import RequestRefused

Bulk = NamedDependency[BulkVerbs]
BulkId = Annotated[str, PathParameter(min_length=1, max_length=32, description="of a bulk verb")]


class BulkVerb(StrEnum):
    """What many sagas may be told."""

    cancel = "cancel"
    retry = "retry"
    resolve = "resolve"
    abandon = "abandon"
    undo = "undo"


class Turn(StrEnum):
    """What becomes of a bulk verb that runs."""

    pause = "pause"
    resume = "resume"
    stop = "stop"


class SagasMeant(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which sagas a verb is for: the filters of `GET /sagas`.

    Attributes:
        status: or several.
        definition: by its name.
        service: that they wait for.
        step: that they wait for.
        limit: at most so many.
    """

    status: list[str] = []
    definition: str = ""
    service: str = ""
    step: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=SAGAS_MAX)] = SAGAS_MAX


class PreviewWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A verb for many sagas.

    Attributes:
        verb: its name.
        reason: why, for the record of each.
        filter: which sagas.
        step: the step that it is about; empty for the one that it can be.
        outcome: of ``resolve`` alone.
        rate_per_s: how many sagas a second at most; 0 for as fast as they are.
    """

    verb: BulkVerb
    reason: GivenReason
    filter: SagasMeant
    step: str = ""
    outcome: OutcomeGiven | None = None
    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=RATE_MAX)] = 0


class BulkWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A previewed verb that is to be carried out.

    Attributes:
        token: of the preview.
    """

    token: str


@post(
    "/bulk/preview",
    scope=Scope.operate,
    status_code=HTTPStatus.OK,
    summary="see what a verb would do to many sagas",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def preview_bulk(request: Request[Any, Any, State], bulk: Bulk, data: JSONBody[PreviewWanted]) -> dict[str, Any]:
    """Exactly which sagas the filter means now, and what the verb does to each; the token carries out just that."""
    if (data.outcome is None) == (data.verb is BulkVerb.resolve):
        rule = "resolve needs an outcome, and nothing else has one"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"outcome: {rule}", field="outcome", rule=rule)
    outcome = data.outcome.outcome() if data.outcome else None
    said = VerbGiven(data.verb.value, caller_of(request).name, data.reason, data.step, outcome)
    try:
        preview = await bulk.preview(said, _search(data.filter), data.rate_per_s)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused), field="filter") from refused
    return {
        "token": preview.token, "count": len(preview.orders), "not_taken": len(preview.items) - len(preview.orders),
        "sagas": [item._asdict() for item in preview.items],
    }  # fmt: skip


def _search(wanted: SagasMeant) -> SagaSearch:
    return SagaSearch(
        status=wanted.status, definition=wanted.definition, service=wanted.service, step=wanted.step, limit=wanted.limit
    )


@post(
    "/bulk",
    scope=Scope.operate,
    status_code=HTTPStatus.ACCEPTED,
    summary="carry out a previewed verb",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def start_bulk(
    request: Request[Any, Any, State], bulk: Bulk, data: JSONBody[BulkWanted]
) -> Response[dict[str, Any]]:
    """Carry out what was previewed. A saga that has changed since is skipped, and named."""
    run = bulk.start(data.token)
    if run is None:
        detail = "there is no such preview, or no longer: look again, and carry out what is seen then"
        raise Problem(HTTPStatus.NOT_FOUND, detail, field="token")
    where = location_of(request, f"/bulk/{run.bulk_id}")
    return Response(bulk_document(run), status_code=HTTPStatus.ACCEPTED, headers={"Location": where})


@get("/bulk", scope=Scope.read, summary="see bulk verbs", responses=documented())
async def see_bulks(bulk: Bulk) -> list[dict[str, Any]]:
    """Those of this process, the last one first: who said what for how many, and how far each is."""
    return [bulk_document(run) for run in bulk.runs()]


@get("/bulk/{bulk_id:str}", scope=Scope.read, summary="see a bulk verb", responses=documented(HTTPStatus.NOT_FOUND))
async def see_bulk(bulk: Bulk, bulk_id: BulkId) -> dict[str, Any]:
    """How far it is, and which sagas failed or were skipped."""
    return bulk_document(_run(bulk, bulk_id))


@post(
    "/bulk/{bulk_id:str}/{turn:str}",
    scope=Scope.operate,
    status_code=HTTPStatus.OK,
    summary="pause, resume or stop a bulk verb",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def turn_bulk(bulk: Bulk, bulk_id: BulkId, turn: Annotated[Turn, PathParameter()]) -> dict[str, Any]:
    """Pause it, go on with it, or stop it; what was done stays done."""
    run = _run(bulk, bulk_id)
    if run.is_over:
        raise Problem(HTTPStatus.CONFLICT, f"it is {run.state}, and takes no {turn.value}")
    run.state = {Turn.pause: "paused", Turn.resume: "running", Turn.stop: "stopped"}[turn]  # type: ignore[assignment]
    return bulk_document(run)


def _run(bulk: BulkVerbs, bulk_id: str) -> BulkRun:
    run = bulk.run(bulk_id)
    if run is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "there is no such bulk verb in this process", field="bulk_id", value=bulk_id
        )
    return run


def bulk_document(run: BulkRun) -> dict[str, Any]:
    """A bulk verb, as it is told."""
    said = {"verb": run.said.verb, "step": run.said.step, "by": run.said.by, "reason": run.said.reason}
    told = asdict(run)
    del told["said"]
    told["failed"] = [item._asdict() for item in run.failed]
    told["skipped"] = [item._asdict() for item in run.skipped]
    return {**told, **said}
