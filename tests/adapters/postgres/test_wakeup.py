"""Engines and clients of one schema wake each other by NOTIFY; a listener that was cut off comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.wakeup import PostgresWakeup
from tests.postgres import schema, server

BOUND_S = 60


async def until(is_so: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Look until something is so."""
    async with asyncio.timeout(BOUND_S):
        while not is_so():
            meanwhile()
            await asyncio.sleep(0.02)


async def heard_by(url: str) -> None:
    """Ring in both directions, also after the server cut the connections."""
    address, loop, heard = address_of(url), asyncio.get_running_loop(), list[str]()
    engine, client = PostgresWakeup(address, is_engine=True), PostgresWakeup(address, is_engine=False)
    for name, one in (("engine", engine), ("client", client)):
        one.listen(loop, lambda name=name: heard.append(name))  # type: ignore[misc]
    await until(lambda: engine.listen(loop, print) and client.listen(loop, print))
    for _ in range(2):
        for name, other in (("client", engine), ("engine", client)):
            heard.clear()
            await until(lambda name=name: name in heard, other.ring)  # type: ignore[misc]
        with psycopg.connect(server(), autocommit=True) as database:
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    heard.clear()
    await until(lambda: heard.count("client") >= 2, lambda: engine.ring(engines=True))
    assert "engine" not in heard, "the only engine has rung itself"
    other = PostgresWakeup(address, is_engine=True)
    await until(lambda: other.listen(loop, print))
    await until(lambda: "engine" in heard, lambda: other.ring(engines=True))
    for one in (engine, client, other):
        one.close()
        one.close()
        one.ring()


def test_a_ring_wakes_the_other_end() -> None:
    """The engines are woken by clients, and clients by engines."""
    with schema() as url:
        PostgresStore(url).close()
        asyncio.run(heard_by(url))
