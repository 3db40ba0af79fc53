"""Amends on SQLite, or on PostgreSQL: the engine in this process; four external steps that do nothing, or the orders.

Each step's request is on stable storage before it is sent, and its answer before the next request. Each step has its
undo, and there is no pivot, so that a saga could turn back until its end. The orders are local, and come in batches.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final, NamedTuple

import amends
from amends import Call, Completed, Done, Engine, Handle, Overloaded, Saga, external
from amends.shop import CHECKOUT
from bench.durable import asked as order_requests
from bench.durable import booked, books, rate, shop
from bench.peers.driving import DATABASE, STEPS, Asked, Driven, answer, asked, drive

OUTSIDE: Final = "OUTSIDE"
AGAIN_S: Final = 0.05


class Numbered(NamedTuple):
    """A saga's request."""

    number: int


class Outside:
    """The client: nothing is there, but it counts."""

    def __init__(self) -> None:
        self.asked = 0


async def nothing(client: Outside, request: Numbered, call: Call) -> Done:  # noqa: ARG001 - an action's parameters
    """What each step does."""
    client.asked += 1
    return Done()


STEPS_SAGA: Final = Saga(
    "nothing",
    Numbered,
    [
        external(event, nothing, undo=nothing, undone=event.replace("DONE", "UNDONE"), service=OUTSIDE)
        for event in STEPS
    ],
)


async def steps(wanted: Asked) -> Driven:
    """Run the sagas, and look whether each one completed and each step was made once."""
    outside = Outside()
    url = os.environ.get(DATABASE) or f"sqlite:///{wanted.directory / 'amends.db'}"
    at_a_time = {OUTSIDE: wanted.concurrency}
    async with amends.open(url, sagas=[STEPS_SAGA], clients={OUTSIDE: outside}, concurrency=at_a_time) as engine:

        async def saga(number: int) -> None:
            handle = await _submitted(engine, number)
            ended = await handle.result()
            assert isinstance(ended.state, Completed), ended

        await drive(saga, wanted.warm_up, wanted.concurrency)
        driven = await drive(saga, wanted.measured, wanted.concurrency)
    assert outside.asked == len(wanted.all) * len(STEPS), outside.asked
    return driven


async def _submitted(engine: Engine, number: int) -> Handle:
    """Submit a saga; an engine that shares its database has no shard in its first moments."""
    while True:
        try:
            return await engine.submit(STEPS_SAGA, Numbered(number))
        except Overloaded:
            await asyncio.sleep(AGAIN_S)


def orders(wanted: Asked) -> Driven:
    """Run the orders, so many in a batch, and look whether money, stock and shipments are exact."""
    each_s: list[float] = []
    with shop(wanted.directory / "amends.db") as engine:
        rate(engine, order_requests(wanted.warm_up))
        begin_s = time.perf_counter()
        for first in wanted.measured[:: wanted.concurrency]:
            numbers = range(first, min(first + wanted.concurrency, wanted.measured.stop))
            batch_s = time.perf_counter()
            engine.submit_many(CHECKOUT, order_requests(numbers))
            each_s += [time.perf_counter() - batch_s] * len(numbers)
        wall_s = time.perf_counter() - begin_s
        assert engine.transact(books) == booked(wanted.all)
    return Driven(wall_s, each_s)


def main() -> None:
    """Run one workload and answer."""
    wanted = asked("steps", "orders")
    driven = orders(wanted) if wanted.workload == "orders" else asyncio.run(steps(wanted))
    answer(driven, wanted, amends.__version__)


if __name__ == "__main__":
    main()
