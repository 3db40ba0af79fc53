"""The API under test: an engine, a client and the application in one event loop, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import httpx

import amends
from amends import Client, Done, Engine, Later, Refused, Saga, external, local
from amends.engine.names import new_name
from amends.entrypoints.http.access.gate import Access
from amends.entrypoints.http.app import application
from amends.storefront.web import ShopSagas

BASE = "http://localhost"
OPEN = Access(is_open=True)


def hold(free: int | None, seats: int) -> int | Refused:
    """SEATS_HELD: there are a hundred."""
    left = (100 if free is None else free) - seats
    return left if left >= 0 else Refused(f"{seats} wanted, {free} are free")


def give_back(free: int, seats: int) -> int:
    """SEATS_GIVEN_BACK."""
    return free + seats


def take_later(_client: None, _seats: int, _call: object) -> Later:
    """MONEY_CHARGED: the bank answers by a webhook."""
    return Later(3600)


def refund(_client: None, _seats: int, _call: object) -> Done:
    """MONEY_REFUNDED."""
    return Done()


TICKETS = Saga("tickets", int, [local("SEATS_HELD", hold, entity=lambda _: "Hamlet", pivot=True)])
CHARGED = Saga(
    "charged tickets",
    int,
    [
        local(
            "SEATS_HELD", hold, undo=give_back, undone="SEATS_GIVEN_BACK", entity=lambda _: "Hamlet", service="SEATS"
        ),
        external("MONEY_CHARGED", take_later, undo=refund, undone="MONEY_REFUNDED", service="BANK"),
    ],
)
SAGAS = (TICKETS, CHARGED)


class Api(NamedTuple):
    """What a test asks, and what is behind it."""

    http: httpx.AsyncClient
    client: Client
    engine: Engine

    async def start(self, definition: str, request: Any, key: str, **headers: str) -> httpx.Response:
        """Start a saga."""
        body = {"definition": definition, "request": request}
        return await self.http.post("/sagas", json=body, headers={"Idempotency-Key": key, **headers})


@asynccontextmanager
async def served(
    sagas: tuple[Saga, ...] = SAGAS, access: Access = OPEN, shop: ShopSagas | None = None
) -> AsyncIterator[Api]:
    """Serve some definitions on a store in memory."""
    url = f"memory:{new_name(8)}"
    async with amends.open(url, sagas=sagas) as engine, amends.connect(url, sagas=sagas) as client:
        transport = httpx.ASGITransport(cast(Any, application(client, access, shop)), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as http:
            yield Api(http, client, engine)


def on_api(test: Callable[[Api], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test of the API, in an event loop of its own."""

    async def run() -> None:
        async with served() as api:
            await test(api)

    def plain() -> None:
        asyncio.run(run())

    plain.__name__, plain.__doc__ = test.__name__, test.__doc__
    return plain
