"""CPU time a saga, or a check, of the amends that this Python finds: ``python -m bench.workloads NAME DIRECTORY``.

It prints one number, in microseconds. Public names alone are used, so that the same file measures other commits.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import amends
from amends import Call, Done, Engine, Saga, check, external
from amends.shop import CHECKOUT, Session
from amends.shop.inventory import STOCK_SET, Offer
from amends.shop.payments import CREDIT_LIMIT_SET
from amends.shop.scenarios import ONE_ORDER, TWO_ORDERS_ONE_CREDIT, TWO_ORDERS_ONE_STOCK

LOCAL: Final = 20_000
OUTSIDE: Final = 2_000
SESSION: Final = 20_000
WARM_UP_SHARE: Final = 5  # of the sagas that count, one in five more runs before
KINDS: Final = 1_000  # customers, and products
AT_A_TIME: Final = 256
PLACES: Final = 2 * AT_A_TIME  # so that none waits for one: some are kept for compensations
BATCH: Final = 100  # orders of one call of a session
MICROSECONDS: Final = 1e6


class Numbered(NamedTuple):
    """A request of a saga whose steps do nothing."""

    number: int


async def nothing(_client: None, _request: Numbered, _call: Call) -> Done:
    """Do nothing, as a participant outside."""
    return Done()


STEPS: Final = Saga(
    "nothing",
    Numbered,
    [
        external(f"{name}_DONE", nothing, undo=nothing, undone=f"{name}_UNDONE", service="OUTSIDE")
        for name in ("FIRST", "SECOND", "THIRD", "FOURTH")
    ],
)


def local(directory: Path) -> float:
    """Orders by `submit_many` on a file; each tenth finds no stock and is undone."""
    orders = [
        ("PLACE_ORDER", f"C{n % KINDS}", f"P{n * 7 % KINDS}", 1_000_000 if n % 10 == 9 else 1 + n % 3)
        for n in range(LOCAL + LOCAL // WARM_UP_SHARE)
    ]
    url = f"sqlite:///{directory / 'local.db'}"
    with amends.open(url, sagas=[CHECKOUT], commands=[CREDIT_LIMIT_SET, STOCK_SET]) as engine:
        for n in range(KINDS):
            engine.carry_out(CREDIT_LIMIT_SET, f"C{n}", 10**12)
            engine.carry_out(STOCK_SET, f"P{n}", Offer(10_000, 1))
        engine.submit_many(CHECKOUT, orders[LOCAL:])
        return _cpu(lambda: engine.submit_many(CHECKOUT, orders[:LOCAL])) / LOCAL


def outside(directory: Path) -> float:
    """Sagas of four steps that leave the process and do nothing, each submitted alone and waited for, on a file."""

    async def one(engine: Engine, number: int) -> None:
        await (await engine.submit(STEPS, Numbered(number))).result()

    async def many(engine: Engine, count: int) -> None:
        for first in range(0, count, AT_A_TIME):
            await asyncio.gather(*(one(engine, n) for n in range(first, min(first + AT_A_TIME, count))))

    async def measured() -> float:
        url = f"sqlite:///{directory / 'outside.db'}"
        async with amends.open(url, sagas=[STEPS], concurrency={"OUTSIDE": PLACES}) as engine:
            await many(engine, OUTSIDE // WARM_UP_SHARE)
            begin = time.process_time()
            await many(engine, OUTSIDE)
            return time.process_time() - begin

    return asyncio.run(measured()) / OUTSIDE


def session(_directory: Path) -> float:
    """Orders of a session in memory, a hundred a batch, each tenth failing at INVENTORY."""
    batches = []
    for first in range(0, SESSION, BATCH):
        batch: list[tuple[Any, ...]] = [
            ("PLACE_ORDER", f"C{n % 10}", f"P{n % 10}", 1 + n % 3) for n in range(first, first + BATCH)
        ]
        batch += [("INJECT_FAILURE", "INVENTORY", f"O{first + n:03d}") for n in range(10, BATCH + 1, 10)]
        batches.append([("ADD_PRODUCT", f"P{n}", 10_000, 1) for n in range(10)] + batch)
    shop = Session()
    shop.process([("CREATE_CUSTOMER", f"C{n}", 1_000_000) for n in range(10)])
    return _cpu(lambda: [shop.process(batch) for batch in batches]) / SESSION


def checked(_directory: Path) -> float:
    """A check of each of the order saga's scenarios: one order with two faults, two orders with one."""
    scenarios = (ONE_ORDER, 2), (TWO_ORDERS_ONE_STOCK, 1), (TWO_ORDERS_ONE_CREDIT, 1)
    return _cpu(lambda: [check(scenario, faults=faults) for scenario, faults in scenarios]) / len(scenarios)


WORKLOADS: Final[dict[str, Callable[[Path], float]]] = {
    "local": local,
    "outside": outside,
    "session": session,
    "check": checked,
}


def _cpu(task: Callable[[], object]) -> float:
    begin = time.process_time()
    task()
    return time.process_time() - begin


if __name__ == "__main__":
    print(WORKLOADS[sys.argv[1]](Path(sys.argv[2])) * MICROSECONDS)
