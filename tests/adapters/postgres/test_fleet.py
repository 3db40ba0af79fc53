"""A limit for all engines of a PostgreSQL: counted where the calls arrive, with engines in processes of their own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import amends
from amends import Compensated, Completed
from amends.adapters.postgres import PostgresStore
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.reader import PostgresReader
from amends.storage.budgets import BudgetShare, reserved_of
from amends.storage.shards import SHARDS
from tests.adapters.postgres.counted import CHARGING, LEASE_MS, LIMIT, REFUSED, CountingService
from tests.adapters.postgres.test_two_engines import ROOT

SAGAS = 300
BOUND_S = 90  # for what takes some seconds on a machine at rest


@asynccontextmanager
async def engine(url: str, socket: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An engine in a process of its own."""
    command = [sys.executable, "-m", "tests.adapters.postgres.counted", url, str(socket), name]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, **pipes)  # type: ignore[arg-type]  # they are
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(is_so: Callable[[], bool]) -> None:
    """Look until something is so."""
    async with asyncio.timeout(BOUND_S):
        while not is_so():
            await asyncio.sleep(0.02)


def test_never_more_calls_than_the_limit_of_all_engines(url: str) -> None:
    """Both of them call; one is killed, its places come back with its lease, and the other one has them all."""

    async def test(socket: Path) -> None:
        service = CountingService()
        async with service.listening(socket), engine(url, socket, "one") as one, engine(url, socket, "two"):
            with closing(PostgresStore(url)) as store:
                shares = [SHARDS // 2, SHARDS // 2]
                await until(lambda: sorted(Counter(store.ownership.owners().values()).values()) == shares)
            async with amends.connect(url, sagas=[CHARGING]) as client:
                handles = [await client.submit(CHARGING, number) for number in range(SAGAS)]
                await until(lambda: min(service.calls["one"], service.calls["two"]) >= SAGAS // 10)
                one.kill()
                results = [await handle.result(timeout=BOUND_S) for handle in handles]
            assert sum(isinstance(result.state, Completed) for result in results) == SAGAS - SAGAS // REFUSED
            assert sum(isinstance(result.state, Compensated) for result in results) == SAGAS // REFUSED
            assert service.most <= LIMIT.at_once
            assert service.most_actions <= LIMIT.at_once - reserved_of(LIMIT.at_once)
            with closing(PostgresStore(url)) as store:
                with closing(PostgresReader(address_of(url))) as reader:
                    await until(lambda: [lease.engine for lease in store.ownership.leases()] == ["two"])
                    await until(lambda: [share.places for share in reader.engines()[0].places] == [LIMIT.at_once])
                store.ownership.enter("three", LEASE_MS)
                (grant,) = store.ownership.share_places("three", [BudgetShare("three", "BANK", LIMIT.at_once)])
                assert grant.share.places == 0
                store.ownership.leave("three")

    with tempfile.TemporaryDirectory(prefix="amends-") as folder:
        asyncio.run(test(Path(folder) / "bank"))
