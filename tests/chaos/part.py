"""A process of the spread shop: a coordinator, or a host of one service; see `tests.chaos.engine`."""

from __future__ import annotations

import random
from functools import partial
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from amends.adapters.clock import SystemClock
from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.postgres import PostgresStore
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.settings import Timeouts
from amends.adapters.postgres.wire import PostgresWire
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop
from amends.engine.spread import Spread
from amends.shop.checkout import SERVICES
from amends.shop.inventory import STOCK_SET
from amends.shop.payments import CREDIT_LIMIT_SET
from amends.storage.wire import Wire
from tests.chaos.engine import DRAIN_S, LEASE_MS, live
from tests.chaos.orders import APART
from tests.contract.hostile import HostileWire

AGAIN_S: Final = 1.0  # what a process that was killed had taken comes again; by default after 15 s
COMMANDS: Final = (CREDIT_LIMIT_SET, STOCK_SET)


class PartLife(NamedTuple):
    """How the process goes.

    Attributes:
        service: that it hosts; empty for a coordinator.
        db: the URL of its store.
        wire: the URL of its wire.
        copies: so often its messages come at most, in another order, and some of them never; 0 for once, as posted.
    """

    service: str
    db: str
    wire: str
    copies: int


def run(link: Connection, life: PartLife) -> None:
    """Be the process."""
    live(link, partial(part_of, life))


def part_of(life: PartLife, name: str) -> Engine:
    """The engine of a process."""
    hosts = [life.service] if life.service else []
    loop = EngineLoop(
        partial(PostgresStore, life.db, Timeouts(*[LEASE_MS // 3] * len(Timeouts._fields))), SystemClock, name,
        sagas=APART.values(), commands=[command for command in COMMANDS if command.service in hosts], clients={},
        limits=Limits(drain_s=DRAIN_S, lease_ms=LEASE_MS),
        spread=Spread(partial(_wire_of, life, name), [name for name in SERVICES if name not in hosts], hosts),
    )  # fmt: skip
    return Engine(loop)


def _wire_of(life: PartLife, name: str) -> Wire:
    wire = wire_at(life.wire)
    return HostileWire(wire, random.Random(name), copies=life.copies) if life.copies else wire


def wire_at(url: str) -> Wire:
    """An end of a wire."""
    if url.startswith("nats:"):
        return NatsWire(nats_address(url), again_s=AGAIN_S)
    return PostgresWire(address_of(url), again_s=AGAIN_S)
