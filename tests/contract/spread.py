"""The shop, spread over engines: a host for each service on a store of its own, and a coordinator with none of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final, Self

import amends
from amends import Backoff, Engine, Saga
from amends.core.state import State
from amends.shop.checkout import CHECKOUT, FAILING_AT
from amends.shop.inventory import STOCK_SET, Offer, Product
from amends.shop.payments import CREDIT_LIMIT_SET, Account
from amends.shop.purchase import Purchase
from amends.storage.wire import Wire
from tests.contract.brokers import Broker
from tests.contract.hostile import HostileWire

PATIENCE_S: Final = 60.0  # for what is there within seconds; a machine that others use as well is slower
SERVICES: Final = ("ORDER", "PAYMENT", "INVENTORY", "SHIPPING")


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test that ends by itself, or fails."""

    async def within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test

    asyncio.run(within())


def quick(saga: Saga) -> Saga:
    """Return a definition whose attempts are over soon: what is lost is asked again within the test."""
    steps = [replace(step, timeout_s=0.2, backoff=Backoff(0.01, 0.1)) for step in saga.every_step()]
    return replace(saga, steps=steps, prepare=None)


SAGAS: Final = [*map(quick, (CHECKOUT, *FAILING_AT))]


class SpreadShop:
    """The shop: a host for each service, on a store of its own, and a coordinator with none of their entities.

    Attributes:
        hosts: by service.
        coordinator: of all orders.
    """

    hosts: dict[str, Engine]
    coordinator: Engine

    def __init__(self, make: Broker, urls: dict[str, str], seed: int) -> None:
        self._make = make
        self._urls = urls
        self._chance = random.Random(seed)
        self._ends = AsyncExitStack()
        self.hosts = {}

    def _wire(self) -> Wire:
        return HostileWire(self._make(), self._chance)

    async def __aenter__(self) -> Self:
        for service in SERVICES:
            await self.open_host(service)
        self.coordinator = await self.open_coordinator()
        await self.hosts["PAYMENT"].carry_out(CREDIT_LIMIT_SET, "C1", 10_000)
        await self.hosts["INVENTORY"].carry_out(STOCK_SET, "P1", Offer(40, 10))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ends.aclose()

    async def open_host(self, service: str) -> None:
        """Open a host of a service, on its store."""
        others = [other for other in SERVICES if other != service]
        self.hosts[service] = await self._open(service, hosts=[service], elsewhere=others)

    async def open_coordinator(self) -> Engine:
        """Open one, on the coordinator's store."""
        self.coordinator = await self._open("coordinator", elsewhere=SERVICES)
        return self.coordinator

    async def _open(self, name: str, **parts: Any) -> Engine:
        opening = amends.open(self._urls[name], sagas=SAGAS, wire=self._wire, drain_s=0, **parts)
        return await self._ends.enter_async_context(opening)

    async def order(self, name: str, saga: Saga = SAGAS[0], quantity: int = 1) -> str:
        """Place an order."""
        purchase = Purchase(name, "C1", "P1", quantity, 10 * quantity, short=False)
        return (await self.coordinator.submit(saga, purchase, key=name)).saga_id

    async def ends(self, saga_ids: Sequence[str]) -> list[State]:
        """Wait for the ends of sagas; give the state of each."""
        return [(await self.coordinator.result(saga_id)).state for saga_id in saga_ids]

    async def expect_exact(self, shipped: int) -> None:
        """See that money and stock are as so many orders of one piece leave them."""
        account = await self.hosts["PAYMENT"].entity("PAYMENT", "C1")
        assert account == Account(10_000, 10 * shipped)
        product = await self.hosts["INVENTORY"].entity("INVENTORY", "P1")
        assert product == Product(40 - shipped, 0, shipped, 40, 10)
