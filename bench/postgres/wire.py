"""A wire against the limit of the server: the same messages, inserted by UNNEST with the same care, and never read.

One end posts, another one takes and acknowledges, in one process. Small messages are what a turn sends at a low load,
packed ones what it sends at a high one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from statistics import median
from typing import Final, NamedTuple, TypeVar

import psycopg

from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.wire import PostgresWire
from bench.measure import Figure, in_turn, middle
from bench.postgres.server import Measured

CHANNEL: Final = "PAYMENT"
TAKEN_AT_ONCE: Final = 100
ROUNDS: Final = 3
ALONE: Final = 300
HELD_S: Final = 20.0
PARTS: Final = 10
SMALL_NEEDED: Final = 0.2
PACKED_NEEDED: Final = 0.4
HELD_NEEDED: Final = 0.8
SCHEMA: Final = "CREATE TABLE messages (channel text, position bigint, body bytea, PRIMARY KEY (channel, position))"
INSERT: Final = """
INSERT INTO messages SELECT 'PAYMENT', %s::bigint + b.number, b.body
FROM unnest(%b::bytea[]) WITH ORDINALITY AS b (body, number)
"""

Given = TypeVar("Given")


class Load(NamedTuple):
    """What is sent.

    Attributes:
        posts: how often.
        bodies: of the messages of each.
    """

    posts: int
    bodies: Sequence[bytes]

    @property
    def messages(self) -> int:
        """How many messages there are in all."""
        return self.posts * len(self.bodies)


def bodies_of(size: int) -> Sequence[bytes]:
    """Five of so many bytes, which can be packed about as well as requests can."""
    return [Random(number).randbytes(size // 4).hex().ljust(size).encode() for number in range(5)]


SMALL: Final = Load(2_000, bodies_of(500))
PACKED: Final = Load(500, bodies_of(30_000))


def wire_figures(server: Measured) -> Iterator[Figure]:
    """Rates against the limit, the time of one message, and rates while a transaction is held open."""
    for what, needed, load in (("small", SMALL_NEEDED, SMALL), ("packed", PACKED_NEEDED, PACKED)):
        taken = in_turn(lambda load=load: wire_rate(server, load), lambda load=load: raw_rate(server, load), ROUNDS)  # type: ignore[misc]
        ratio, least, most = middle([one / other for one, other in taken])
        ours, raw = (median(rates) for rates in zip(*taken, strict=True))
        name = f"a wire, {what} messages of {len(load.bodies[0]):,} bytes / UNNEST"
        note = f"{ours:,.0f} and {raw:,.0f} messages a second"
        yield Figure(name, ratio, least, most, f">= {needed}", ratio >= needed, note)
    alone_s = _with_ends(server, _alone)
    yield Figure("ms from post to take, one message at a time", median(alone_s) * 1e3, min(alone_s) * 1e3,
        max(alone_s) * 1e3, "", True, "median, least, most")  # fmt: skip
    first, last = held_rates(server)
    ratio = last / first
    note = f"{first:,.0f} and {last:,.0f} messages a second"
    yield Figure(f"a transaction held for {HELD_S:g} s, last tenth / first", ratio, ratio, ratio, f">= {HELD_NEEDED}",
        ratio >= HELD_NEEDED, note)  # fmt: skip


def wire_rate(server: Measured, load: Load) -> float:
    """Messages a second, posted, taken and acknowledged."""

    async def said(sender: PostgresWire, taker: PostgresWire) -> float:
        begin_s = time.perf_counter()
        taking = asyncio.create_task(_drain(taker, load.messages))
        for _ in range(load.posts):
            await sender.post(CHANNEL, load.bodies)
        await taking
        return load.messages / (time.perf_counter() - begin_s)

    return _with_ends(server, said)


def raw_rate(server: Measured, load: Load) -> float:
    """Messages a second, inserted, whose commits do not wait for the disk either."""
    with server.schema() as url, psycopg.connect(server.conninfo, autocommit=True) as database:
        name = address_of(url).schema
        for statement in (f"CREATE SCHEMA {name}", f"SET search_path = {name}", SCHEMA, "SET synchronous_commit = off"):
            database.execute(statement.encode())
        begin_s = time.perf_counter()
        for number in range(load.posts):
            database.execute(INSERT.encode(), [number * len(load.bodies), [*load.bodies]])
        return load.messages / (time.perf_counter() - begin_s)


def held_rates(server: Measured) -> tuple[float, float]:
    """Messages a second in the first and in the last tenth of a time for which another transaction is open."""

    async def said(sender: PostgresWire, taker: PostgresWire) -> tuple[float, float]:
        begin_s, counted = time.perf_counter(), [0] * (PARTS + 1)
        while (now_s := time.perf_counter() - begin_s) < HELD_S:
            await sender.post(CHANNEL, SMALL.bodies)
            await _drain(taker, len(SMALL.bodies))
            counted[int(now_s / HELD_S * PARTS)] += len(SMALL.bodies)
        return counted[0] / HELD_S * PARTS, counted[PARTS - 1] / HELD_S * PARTS

    with psycopg.connect(server.conninfo) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT pg_current_xact_id()")
        return _with_ends(server, said)


async def _alone(sender: PostgresWire, taker: PostgresWire) -> Sequence[float]:
    """How long each message takes from its post until it is taken by who waits for it."""
    took_s = []
    for _ in range(ALONE):
        taking = asyncio.create_task(_drain(taker, 1))
        await asyncio.sleep(0.02)  # until it waits
        begin_s = time.perf_counter()
        await sender.post(CHANNEL, SMALL.bodies[:1])
        await taking
        took_s.append(time.perf_counter() - begin_s)
    return took_s


async def _drain(taker: PostgresWire, messages: int) -> None:
    while messages > 0:
        some = await taker.take(CHANNEL, TAKEN_AT_ONCE)
        await taker.acknowledge(CHANNEL, some)
        messages -= len(some)


def _with_ends(server: Measured, said: Callable[[PostgresWire, PostgresWire], Awaitable[Given]]) -> Given:
    """What is said by two ends of a wire of their own."""

    async def within(url: str) -> Given:
        sender, taker = (PostgresWire(address_of(url)) for _ in range(2))
        try:
            await taker.parked(CHANNEL)  # which makes it
            return await said(sender, taker)
        finally:
            await sender.close()
            await taker.close()

    with server.schema() as url:
        return asyncio.run(within(url))
