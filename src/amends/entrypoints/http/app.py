"""The ASGI application: every route of the API, around one client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from amends.client.client import Client
from amends.entrypoints.http.bodies import BODY_BYTES_MAX, expect_body
from amends.entrypoints.http.looking import export_saga, list_sagas, see_saga
from amends.entrypoints.http.problems import answer_problem
from amends.entrypoints.http.scopes import ANYONE
from amends.entrypoints.http.starting import start_saga
from amends.entrypoints.http.telling import answer_question, cancel_saga, tell_saga
from amends.errors import AmendsError

ROUTES: Sequence[ControllerRouterHandler] = (
    start_saga, list_sagas, see_saga, export_saga, cancel_saga, tell_saga, answer_question,
)  # fmt: skip


def asgi(client: Client, *, routes: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """An ASGI application that serves the HTTP API over a client: alone, or mounted in another application.

    Args:
        client: connected; it is closed by who opened it.
        routes: more of them, as those of the order shop.
    """

    def the_client() -> Client:
        return client

    return Litestar(
        [*ROUTES, *routes],
        dependencies={"client": Provide(the_client, sync_to_thread=False)},
        middleware=[known_caller],
        before_request=expect_body,
        exception_handlers=dict.fromkeys((AmendsError, Exception), answer_problem),
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=OpenAPIConfig("Amends", "1", path="/docs", render_plugins=[JsonRenderPlugin()]),
        debug=False,
    )


def known_caller(app: ASGIApp) -> ASGIApp:
    """Say who calls."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = ANYONE
        await app(scope, receive, send)

    return call


def routes_of(app: Litestar) -> Any:
    """Every route of an application, with its methods and its scope."""
    return [(route.path, handler) for route in app.routes for handler in getattr(route, "route_handlers", ())]
