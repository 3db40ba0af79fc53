"""The ASGI application: every route of the API, around one client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from amends.client.client import Client
from amends.entrypoints.console.pages import see_asset, see_console
from amends.entrypoints.http.access.gate import Access, gate
from amends.entrypoints.http.access.session_routes import log_in, log_out, see_session
from amends.entrypoints.http.audit import VERIFIED_S, look_at_audit, read_audit, see_audit_head, verify_audit
from amends.entrypoints.http.bodies import BODY_BYTES_MAX, expect_body
from amends.entrypoints.http.bulk import preview_bulk, see_bulk, see_bulks, start_bulk, turn_bulk
from amends.entrypoints.http.bulk_verbs import BulkVerbs
from amends.entrypoints.http.docs_page import DocumentPage, StrictDocument
from amends.entrypoints.http.live import LiveEvents
from amends.entrypoints.http.looking import export_saga, list_sagas, see_saga
from amends.entrypoints.http.operations import Batches, run_operations
from amends.entrypoints.http.overview import see_definitions, see_groups, see_owed, see_questions, see_status
from amends.entrypoints.http.problems import answer_problem
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.shared import SharedLook
from amends.entrypoints.http.shop import place_order, see_customer, see_order, see_product, set_customer, set_product
from amends.entrypoints.http.starting import start_saga
from amends.entrypoints.http.telemetry import ServerHealth, ServerMetrics, read_metrics, see_live, see_ready
from amends.entrypoints.http.telling import answer_question, cancel_saga, tell_saga
from amends.entrypoints.http.timeline import hear_events, see_timeline
from amends.entrypoints.http.webhooks import hear_webhook
from amends.errors import AmendsError
from amends.storefront.web import OF_WEB, ShopSagas
from amends.views.owed import OwedReader
from amends.views.status import look_at_status

ROUTES: Sequence[ControllerRouterHandler] = (
    start_saga, list_sagas, see_saga, export_saga, see_timeline, cancel_saga, tell_saga,
    see_questions, answer_question, hear_webhook, see_status, see_owed, see_groups, see_definitions, hear_events,
    preview_bulk, start_bulk, see_bulks, see_bulk, turn_bulk, see_audit_head, read_audit, verify_audit,
    log_in, see_session, log_out, see_console, see_asset, see_live, see_ready, read_metrics,
)  # fmt: skip


SHOP_ROUTES: Sequence[ControllerRouterHandler] = (
    set_customer, see_customer, set_product, see_product, place_order, see_order,
)  # fmt: skip


def application(
    client: Client, access: Access, shop: ShopSagas | None = None, *, own_metrics: Callable[[], str] = str
) -> Litestar:
    """An ASGI application that serves the HTTP API over a client: alone, or mounted in another application.

    Args:
        client: connected; it is closed by who opened it.
        access: who may call it.
        shop: the sagas of the order shop, where it is served; ``None`` for none.
        own_metrics: gives those of the engine that runs in the process, as text for ``GET /metrics``.
    """
    of_shop = {"shop": shop, "batches": Batches(client)} if shop else {}
    shared = _shared(client, own_metrics) | {"access": access} | of_shop
    return Litestar(
        [*ROUTES, *(SHOP_ROUTES if shop else ()), *([run_operations] if shop is OF_WEB else ())],
        dependencies={name: Provide(made, sync_to_thread=False) for name, made in _giving_each(shared).items()},
        middleware=[gate(access)],
        before_request=expect_body,
        exception_handlers=dict.fromkeys((AmendsError, Exception), answer_problem),
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=_document(),
        state=State(shared),
        debug=False,
    )


def _document() -> OpenAPIConfig:
    bearer = SecurityScheme("http", scheme="bearer", description="a key that `amends keys new` made")
    return OpenAPIConfig(
        "Amends",
        "1",
        description="Starts sagas, shows and tells them.",
        create_examples=False,
        components=Components(security_schemes={"key": bearer}),
        security=[{"key": []}],
        openapi_router=Router("/docs", route_handlers=[], include_in_schema=False, opt={"scope": Scope.public}),
        render_plugins=[DocumentPage(path="/"), StrictDocument(path="/openapi.json")],
    )


def _shared(client: Client, own_metrics: Callable[[], str]) -> dict[str, Any]:
    """What routes ask for by name: one of each for the whole application."""
    return {
        "client": client,
        "store_status": SharedLook(client, look_at_status),
        "ledger": SharedLook(client, OwedReader(client.definitions.sagas).ledger),
        "verification": SharedLook(client, look_at_audit, VERIFIED_S),
        "live": LiveEvents(client),
        "bulk": BulkVerbs(client),
        "health": ServerHealth(client),
        "metrics": ServerMetrics(client, own_metrics),
    }


def _giving_each(shared: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    return {name: _giving(each) for name, each in shared.items()}


def _giving(shared: Any) -> Callable[[], Any]:
    def give() -> Any:
        return shared

    return give
