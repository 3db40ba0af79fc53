"""Sagas that start by letters, while somebody else's transaction is open: no old version of a row can be removed.

A client posts a thousand letters a second; one in fifty is waited for. What the last part of the time took is compared
with the first part.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import Final, NamedTuple

import psycopg

import amends
from amends.shop import CHECKOUT
from bench.durable import asked
from bench.measure import Figure
from bench.postgres.fleet import engines
from bench.postgres.server import Measured

A_SECOND: Final = 1_000
A_POST: Final = 50
PARTS: Final = 10
HELD_MAX: Final = 1.2


class PartOfTime(NamedTuple):
    """A tenth of the time.

    Attributes:
        rate: sagas a second.
        latency_s: from the letter to the end, the median of those that were waited for.
    """

    rate: float
    latency_s: float


def held_figures(server: Measured, minutes: float) -> Iterator[Figure]:
    """Rate and latency in the last tenth of the time, against the first."""
    with engines(server, 1) as fleet, ExitStack() as ends:
        holder = ends.enter_context(psycopg.connect(server.conninfo))
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT pg_current_xact_id()")
        command = [sys.executable, "-m", "bench.postgres.held", fleet.url, str(minutes)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        holder.rollback()
        fleet.by_letters = posts_of(minutes) * A_POST
    parts = [PartOfTime(*map(float, line.split())) for line in said.splitlines()]
    first, last = parts[0], parts[-1]
    what = f"held for {minutes:g} min, last tenth / first"
    for name, ratio, note in (
        ("rate, first / last", first.rate / last.rate, f"{first.rate:,.0f} and {last.rate:,.0f} a second"),
        ("latency", last.latency_s / first.latency_s, f"{last.latency_s * 1e3:.1f} and {first.latency_s * 1e3:.1f} ms"),
    ):
        yield Figure(f"a transaction {what}: {name}", ratio, ratio, ratio, f"<= {HELD_MAX}", ratio <= HELD_MAX, note)


def posts_of(minutes: float) -> int:
    """How often letters are posted in some minutes."""
    return round(minutes * 60 * A_SECOND / A_POST)


async def _run(url: str, minutes: float) -> None:
    """Post without pause, at an even rate."""
    posts = posts_of(minutes)
    done: list[tuple[float, float]] = []
    waiting = set[asyncio.Task[None]]()
    async with amends.connect(url, sagas=[CHECKOUT]) as client:
        begin_s = time.perf_counter()

        async def wait(handle: amends.ClientHandle, posted_s: float) -> None:
            await handle.result()
            now = time.perf_counter()
            done.append((now - begin_s, now - posted_s))

        for number in range(posts):
            await asyncio.sleep(begin_s + number * A_POST / A_SECOND - time.perf_counter())
            posted_s = time.perf_counter()
            handles = await client.submit_many(CHECKOUT, asked(range(number * A_POST, (number + 1) * A_POST)))
            (last,) = handles[-1:]
            assert not isinstance(last, Exception), last
            task = asyncio.create_task(wait(last, posted_s))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
    part_s = minutes * 60 / PARTS
    for part in range(PARTS):
        took = [latency_s for at_s, latency_s in done if part * part_s <= at_s < (part + 1) * part_s]
        print(len(took) * A_POST / part_s, median(took), flush=True)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], float(sys.argv[2])))
