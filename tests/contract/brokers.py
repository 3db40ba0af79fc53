"""Brokers of each kind that a wire can go by, each of them empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

from amends.adapters.memory.wire import memory_wire
from amends.adapters.nats import NatsWire, nats_address
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.wire import PostgresWire
from amends.storage.wire import Wire
from tests.nats import nats_server
from tests.postgres import schema

AGAIN_S = 0.2  # after which a broker that does not hear of a taker's end gives what it took to others

NUMBERS = count(1)

Broker = Callable[[], Wire]
"""Gives another end of its wire."""


@contextmanager
def _in_postgres() -> Iterator[Broker]:
    with schema() as url:
        address = address_of(url)
        yield lambda: PostgresWire(address, again_s=AGAIN_S)


@contextmanager
def _in_memory() -> Iterator[Broker]:
    yield memory_wire(f"memory:test-{next(NUMBERS)}")


@contextmanager
def _in_nats() -> Iterator[Broker]:
    with nats_server() as server:
        address = nats_address(server.url)
        yield lambda: NatsWire(address, again_s=AGAIN_S)


BROKERS: dict[str, Callable[[], AbstractContextManager[Broker]]] = {
    "memory": _in_memory, "postgres": _in_postgres, "nats": _in_nats,
}  # fmt: skip
