"""A broker that loses all that it has, while orders are under way: every order ends, and money and stock are exact."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.wire import PostgresWire
from amends.adapters.postgres.wire_schema import prepare_wire
from amends.core.state import Compensated, Completed
from tests.contract.brokers import Broker
from tests.contract.spread import SAGAS, SERVICES, SpreadShop, run
from tests.nats import nats_server
from tests.postgres import schema, server

ORDERS = 30
AGAIN_S = 0.2


async def place_orders(make: Broker, folder: Path, lose: Callable[[], object]) -> None:
    """Place orders, have the broker lose all after every tenth, and see that all end exactly."""
    urls = {name: f"memory:{folder}/{name}" for name in (*SERVICES, "coordinator")}
    async with SpreadShop(make, urls, seed=5) as shop:
        orders = []
        for number in range(ORDERS):
            orders.append(await shop.order(f"O{number}", SAGAS[number % 5]))
            if number % 10 == 9:
                lose()
        states = await shop.ends(orders)
        assert [type(state) for state in states] == [Compensated if n % 5 else Completed for n in range(ORDERS)]
        await shop.expect_exact(shipped=ORDERS // 5)


def test_a_nats_server_whose_data_folder_is_deleted(tmp_path: Path) -> None:
    """Each time it is killed, and started with an empty one."""
    with nats_server() as broker:
        address = nats_address(broker.url)

        def lose() -> None:
            broker.kill()
            shutil.rmtree(broker.data)
            broker.start()

        run(place_orders(lambda: NatsWire(address, again_s=AGAIN_S, pull_s=0.2), tmp_path, lose))


@pytest.mark.parametrize(
    "harm", ["TRUNCATE rotations, claims, messages, acknowledgements", "DROP SCHEMA IF EXISTS {} CASCADE"]
)
def test_a_schema_that_is_emptied_or_dropped(tmp_path: Path, harm: str) -> None:
    """Each time it is there again by itself."""
    with schema() as url, psycopg.connect(server(), autocommit=True) as database:
        address = address_of(url)
        prepare_wire(address)
        database.execute(f"SET search_path = {address.schema}".encode())

        def lose() -> None:
            done = False
            while not done:
                try:
                    database.execute(harm.format(address.schema).encode())
                    done = True
                except psycopg.errors.DeadlockDetected:
                    pass

        run(place_orders(lambda: PostgresWire(address, again_s=AGAIN_S), tmp_path, lose))
