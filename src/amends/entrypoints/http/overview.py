"""How the store does as a whole: its sagas, who works at it, groups by cause, questions, versions in flight."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from amends.client.client import Client
from amends.entrypoints.cli.store.documents import overview_document, work_document
from amends.entrypoints.http.documents import TheClient
from amends.entrypoints.http.looking import PAGE_MAX, Text
from amends.entrypoints.http.problems import Problem, documented
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.shared import SharedLook
from amends.errors import RequestRefused
from amends.storage.rows import FINAL
from amends.views.groups import CauseGroup
from amends.views.owed import OwedLedger
from amends.views.search import LIMIT
from amends.views.status import StoreStatus

OWED_MAX: Final = 10_000  # entries that are told at once: some megabytes

StatusLook = NamedDependency[SharedLook[StoreStatus]]
OwedLook = NamedDependency[SharedLook[OwedLedger]]


@get("/status", scope=Scope.read, summary="see how the store does", responses=documented())
async def see_status(store_status: StatusLook) -> dict[str, Any]:
    """Sagas by definition and status, rates, what waits longest, engines, letters; at most a second old."""
    seen = await store_status.seen()
    work = work_document(seen.work) if seen.work else {}
    return {"at_ms": seen.at.now_ms, **overview_document(seen.store), **work}


@get(
    "/owed",
    scope=Scope.read,
    summary="see what is owed",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_owed(
    ledger: OwedLook,
    saga_id: Text = None,
    limit: Annotated[
        int, QueryParameter(ge=0, le=OWED_MAX, description="entries at most; the sums are of all")
    ] = OWED_MAX,
) -> dict[str, Any]:
    """What sagas hold, what is not answered, what is to be undone; and where the books of an entity differ."""
    seen = await ledger.seen()
    entries = (entry for entry in seen.entries if saga_id is None or entry.saga_id == saga_id)
    return replace(seen, entries=tuple(islice(entries, limit))).as_json()


@get("/groups", scope=Scope.read, summary="see what waits, by cause", responses=documented())
async def see_groups(store_status: StatusLook) -> list[dict[str, Any]]:
    """Sagas that wait, in groups by step and kind of error, the largest first; the filter finds them."""
    return [group_document(group) for group in (await store_status.seen()).groups]


def group_document(group: CauseGroup) -> dict[str, Any]:
    """A group, with the filter that finds its sagas."""
    wanted = {"definition": group.name, "step": group.step, "status": group.status.replace(" ", "-")}
    return {**group._asdict(), "filter": wanted}


@get("/definitions", scope=Scope.read, summary="see versions in flight", responses=documented())
async def see_definitions(client: TheClient, store_status: StatusLook) -> list[dict[str, Any]]:
    """Each version of each definition: its steps, where they are known here, and how many sagas of it are under way."""
    counts = (await store_status.seen()).store.counts
    known = client.definitions.sagas
    names = sorted({definition for definition, _ in counts} | known.keys())
    return [_definition_document(name, client, counts) for name in names]


def _definition_document(name: str, client: Client, counts: Any) -> dict[str, Any]:
    by_status = {status: number for (definition, status), number in counts.items() if definition == name}
    in_flight = sum(number for status, number in by_status.items() if status not in FINAL)
    saga = client.definitions.sagas.get(name)
    title, version, fingerprint = name.split("/")
    steps = [
        {"event": step.event, "service": step.service, "undone": step.undone, "is_pivot": step.pivot}
        for step in (saga.every_step() if saga else ())
    ]
    return {
        "definition": name, "name": title, "version": version, "fingerprint": fingerprint, "is_known": saga is not None,
        "takes_request": _takes(saga), "steps": steps, "sagas": by_status, "in_flight": in_flight,
        "is_drained": in_flight == 0,
    }  # fmt: skip


def _takes(saga: Any) -> str:
    """The type of a request, for people; empty where it is not known."""
    return getattr(saga.request, "__name__", str(saga.request)) if saga else ""


@get(
    "/questions",
    scope=Scope.read,
    summary="see what is to be answered",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_questions(
    client: TheClient,
    definition: Text = None,
    service: Text = None,
    step: Text = None,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)] = LIMIT,
) -> list[dict[str, Any]]:
    """The answers that are to come from people, and from participants that answer later; `POST /answers` brings one."""
    try:
        found = await client.pending(definition=definition or "", service=service or "", step=step or "", limit=limit)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused)) from refused
    return [question.as_json() for question in found]
