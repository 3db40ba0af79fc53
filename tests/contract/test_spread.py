"""A shop that is spread over engines, behind a wire that keeps no promise: it ends as in one process, and is exact."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.bootstrap import located
from amends.core.state import Compensated, Completed
from amends.shop.inventory import STOCK_SET
from amends.shop.payments import CREDIT_LIMIT_SET
from tests.contract.brokers import BROKERS, Broker
from tests.contract.spread import SAGAS, SERVICES, SpreadShop, run
from tests.postgres import schema

PLACES: Final = [*((name, "memory") for name in BROKERS if name != "postgres"), ("memory", "sqlite"), ("postgres",) * 2]
"""By which broker a shop is spread, and over which stores: each adapter, and not each pair, which takes minutes."""


class Place(NamedTuple):
    """Where a shop is to be spread.

    Attributes:
        broker: makes ends of its wire.
        urls: a store for each service, and for the coordinator.
    """

    broker: Broker
    urls: dict[str, str]


@pytest.fixture(params=PLACES, ids="-".join)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return where a shop can be spread, with nothing there yet."""
    broker, store = request.param
    urls = {name: f"memory:{tmp_path}/{name}" for name in (*SERVICES, "coordinator")}
    with BROKERS[broker]() as make, ExitStack() as schemas:
        if store == "sqlite":
            urls = {name: f"sqlite:///{tmp_path}/{name}.db" for name in urls}
        elif store == "postgres":
            urls |= {name: schemas.enter_context(schema()) for name in ("PAYMENT", "coordinator")}
        yield Place(make, urls)


def test_a_spread_shop_is_exact(place: Place) -> None:
    """Every order ends as in one process, and money and stock are exact, whatever becomes of messages."""

    async def test() -> None:
        async with SpreadShop(*place, seed=1) as shop:
            orders = [await shop.order(f"O{number}", SAGAS[number % 5]) for number in range(40)]
            states = await shop.ends(orders)
            assert [type(state) for state in states] == [Compensated if n % 5 else Completed for n in range(40)]
            await shop.expect_exact(shipped=8)
            for number in range(40):
                stands = "CANCELED" if number % 5 else "SHIPPED"
                if number % 5 != 1:  # it failed before there was anything to cancel
                    assert await shop.hosts["ORDER"].entity("ORDER", f"O{number}") == stands
                shipment = None if number % 5 else 1
                assert await shop.hosts["SHIPPING"].entity("SHIPPING", f"O{number}") == shipment

    run(test())
    for name, url in place.urls.items():
        if not url.startswith("memory:"):
            expect_sound(url, SERVICES if name == "coordinator" else ())


def expect_sound(url: str, elsewhere: tuple[str, ...]) -> None:
    """See that a store verifies, and that all of it follows from its records."""
    with closing(located(url).records()) as records:
        assert not [*verify(records).findings]
        assert not [*recompute(records, SAGAS, [CREDIT_LIMIT_SET, STOCK_SET], elsewhere=elsewhere).findings]


def test_a_coordinator_that_stops_is_taken_over(place: Place) -> None:
    """Wherever it was: the next one on its store asks again, and hears what its hosts answered before."""

    async def test() -> None:
        async with SpreadShop(*place, seed=3) as shop:
            orders = []
            for number in range(10):
                orders += [await shop.order(f"O{number}-{again}", SAGAS[number % 5]) for again in range(2)]
                await shop.coordinator.close(0)
                await shop.open_coordinator()
            states = await shop.ends(orders)
            assert [type(state) for state in states] == [Compensated if n // 2 % 5 else Completed for n in range(20)]
            await shop.expect_exact(shipped=4)

    run(test())


def test_a_host_that_stops_after_its_commit_answers_again(place: Place) -> None:
    """The next one on its store finds in its inbox what was answered, and changes nothing twice."""

    async def test() -> None:
        async with SpreadShop(*place, seed=4) as shop:
            orders = [await shop.order(f"O{number}", SAGAS[number % 5]) for number in range(20)]
            for service in (*SERVICES, *SERVICES):
                await shop.hosts[service].close(0)
                await shop.open_host(service)
                await asyncio.sleep(0.02)
            states = await shop.ends(orders)
            assert [type(state) for state in states] == [Compensated if n % 5 else Completed for n in range(20)]
            await shop.expect_exact(shipped=4)

    run(test())
