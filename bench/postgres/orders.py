"""A process with an engine that is given orders: ``python -m bench.postgres.orders URL PRODUCTS``.

A line tells it what to do: ``stock``; ``many FIRST ORDERS`` or ``alone FIRST ORDERS``, which answers with when it began
and ended, and with what one order took in the middle; ``books ORDERS ORDERS``, which looks
whether money and stock are exact after so many here, and by letters.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Final

import amends
from amends import Overloaded
from amends.engine.blocking import BlockingEngine
from amends.shop import CHECKOUT
from amends.shop.inventory import STOCK_SET
from amends.shop.payments import CREDIT_LIMIT_SET
from bench.durable import asked, booked, books, stocked

PART_MAX: Final = 10_000  # what is given at once: half of what an engine takes
AGAIN_S: Final = 0.05  # an engine that has no shard yet starts nothing


def main() -> None:
    """Run the engine."""
    url, products = sys.argv[1], int(sys.argv[2])
    with amends.open(url, sagas=[CHECKOUT], commands=[CREDIT_LIMIT_SET, STOCK_SET]) as engine:
        _say("runs")
        for line in sys.stdin:
            word, *numbers = line.split()
            begin_s = time.perf_counter()
            each_s = _do(engine, word, products, *map(int, numbers))
            _say(begin_s, time.perf_counter(), each_s)


def _do(engine: BlockingEngine, word: str, products: int, first: int = 0, orders: int = 0) -> float:
    """Do what a line says; what one order took, where they come one by one."""
    match word:
        case "stock":
            engine.transact(stocked)
        case "books":
            wanted = tuple(map(sum, zip(booked(range(first)), booked(range(orders)), strict=True)))
            assert engine.transact(books) == wanted, "money and stock are not exact"
        case "alone":
            return median(_alone(engine, number, products) for number in range(first, first + orders))
        case "many":
            for part in range(first, first + orders, PART_MAX):
                _many(engine, range(part, min(part + PART_MAX, first + orders)), products)
    return 0.0


def _many(engine: BlockingEngine, numbers: range, products: int) -> None:
    while True:
        try:
            handles = engine.submit_many(CHECKOUT, asked(numbers, products=products))
        except Overloaded:
            time.sleep(AGAIN_S)
        else:
            assert not (refused := [one for one in handles if isinstance(one, Exception)]), refused[:3]
            return


def _alone(engine: BlockingEngine, number: int, products: int) -> float:
    begin_s = time.perf_counter()
    engine.submit(CHECKOUT, asked([number], products=products)[0]).result()
    return time.perf_counter() - begin_s


def _say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main()
