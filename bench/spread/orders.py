"""A coordinator of the spread shop that is given orders: ``python -m bench.spread.orders DB WIRE``.

A line tells it what to do: ``stock``; ``many FIRST ORDERS [PRODUCTS [AT_A_TIME]]`` and ``paced FIRST ORDERS RATE``,
which answer with when they began and ended, and with what an order took; ``books ORDERS 0``, which looks whether money
and stock are exact after so many.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

import amends
from amends import Engine, Result, Saga
from amends.shop.orders import order_id_of
from amends.shop.purchase import Purchase
from amends.storefront.apart import (
    CREDIT_SEEN,
    ORDERED,
    SAGAS,
    SEE_ACCOUNT,
    SEE_PRODUCT,
    SERVICES,
    STOCK_SEEN,
    WANT_LIMIT,
    WANT_OFFER,
    LimitWanted,
    OfferWanted,
)
from bench.durable import asked, booked
from bench.orders import CUSTOMERS, PRODUCTS, STOCK

PART_MAX: Final = 500  # orders of one call: a turn takes no more
UNDER_WAY_MAX: Final = (
    1_000  # of a coordinator: more wait for longer, and on a busy machine for longer than an attempt has
)
TICK_S: Final = 0.01  # between two calls where orders come at a rate
WITHIN_S: Final = 120.0  # for what is asked at once: some seconds of work


class EndsHeard:
    """When sagas ended, as their engine tells."""

    def __init__(self) -> None:
        self.at_s: dict[str, float] = {}
        self._more = asyncio.Event()

    async def hear(self, result: Result) -> None:
        """One has ended."""
        self.at_s[result.saga_id] = time.perf_counter()
        self._more.set()

    async def reach(self, number: int) -> None:
        """Wait until so many have ended."""
        async with asyncio.timeout(WITHIN_S):
            while len(self.at_s) < number:
                self._more.clear()
                await self._more.wait()


async def stock(engine: Engine) -> None:
    """Have customers with credit, and products."""
    await _ended(engine, WANT_LIMIT, [LimitWanted(f"C{number}", 10**12) for number in range(CUSTOMERS)])
    await _ended(engine, WANT_OFFER, [OfferWanted(f"P{number}", STOCK, 1) for number in range(PRODUCTS)])


async def many(
    engine: Engine,
    ends: EndsHeard,
    first: int,
    orders: int,
    products: int = PRODUCTS,
    under_way_max: int = UNDER_WAY_MAX,
) -> Sequence[float]:
    """Give it orders as fast as they end; what one took."""
    ends.at_s.clear()
    begun_s = dict[str, float]()
    for start in range(0, orders, PART_MAX):
        await ends.reach(start + PART_MAX - under_way_max)
        now_s, numbers = time.perf_counter(), range(first + start, first + min(start + PART_MAX, orders))
        begun_s |= dict.fromkeys(await _started(engine, numbers, products), now_s)
    return await _took(ends, begun_s)


async def paced(engine: Engine, ends: EndsHeard, first: int, orders: int, rate: int) -> Sequence[float]:
    """Give it so many orders a second, whatever it does with them; what one took from the moment it was due."""
    ends.at_s.clear()
    begin_s, due_s = time.perf_counter(), dict[str, float]()

    async def come(numbers: range) -> None:
        ids = await _started(engine, numbers, PRODUCTS)
        due_s.update(zip(ids, (begin_s + (number - first) / rate for number in numbers), strict=True))

    async with asyncio.TaskGroup() as coming:
        next_one, stop = first, first + orders
        while next_one < stop:
            until = min(first + 1 + int((time.perf_counter() - begin_s) * rate), stop)  # the first is due at once
            coming.create_task(come(range(next_one, until)))
            next_one = until
            await asyncio.sleep(TICK_S)
    return await _took(ends, due_s)


async def books(engine: Engine, orders: int, _: int) -> None:
    """See that customers owe, and that products lost, what so many orders came to."""
    accounts = await _ended(engine, SEE_ACCOUNT, [f"C{number}" for number in range(CUSTOMERS)])
    products = await _ended(engine, SEE_PRODUCT, [f"P{number}" for number in range(PRODUCTS)])
    used = sum(each.answers[CREDIT_SEEN].credit_used for each in accounts)
    taken = sum(each.answers[STOCK_SEEN].settled for each in products)
    assert (used, taken) == booked(range(orders)), "money and stock are not exact"


async def _took(ends: EndsHeard, begun_s: Mapping[str, float]) -> Sequence[float]:
    """What sagas took: the median, and what one in a hundred took at least."""
    await ends.reach(len(begun_s))
    took_s = sorted(ends.at_s[saga_id] - at_s for saga_id, at_s in begun_s.items())
    return took_s[len(took_s) // 2], took_s[len(took_s) * 99 // 100]


async def _started(engine: Engine, numbers: range, products: int) -> list[str]:
    """The ids of the sagas of orders, which have started."""
    begun = await engine.submit_many(ORDERED, [*_purchases(numbers, products)])
    return [_expected(handle).saga_id for handle in begun]


def _purchases(numbers: range, products: int) -> Iterable[Purchase]:
    for number, (_, customer, product, quantity) in zip(numbers, asked(numbers, products=products), strict=True):
        yield Purchase(order_id_of(number + 1), customer, product, quantity, quantity, short=quantity > STOCK)


async def _ended(engine: Engine, saga: Saga, requests: Sequence[Any]) -> list[Result]:
    handles = [_expected(handle) for handle in await engine.submit_many(saga, requests)]
    return [await handle.result(WITHIN_S) for handle in handles]


def _expected(handle: amends.Handle | Exception) -> amends.Handle:
    if isinstance(handle, Exception):
        raise handle
    return handle


def main() -> None:
    """Run the coordinator."""
    db, wire = sys.argv[1:]
    ends = EndsHeard()
    with amends.open(db, sagas=SAGAS, wire=wire, elsewhere=SERVICES, on_end=ends.hear) as engine:
        _say("runs")
        for line in sys.stdin:
            word, *numbers = line.split()
            begin_s = time.perf_counter()
            took_s = engine.ask(_question(ends, word, *map(int, numbers)))
            _say(begin_s, time.perf_counter(), *took_s)


def _question(ends: EndsHeard, word: str, *numbers: int) -> Callable[[Engine], Coroutine[Any, Any, Sequence[float]]]:
    """What a line asks the engine to do; it gives what an order took, where that is looked at."""

    async def do(engine: Engine) -> Sequence[float]:
        match word:
            case "stock":
                await stock(engine)
            case "many":
                return await many(engine, ends, *numbers)
            case "paced":
                return await paced(engine, ends, *numbers)
            case "books":
                await books(engine, *numbers)
        return ()

    return do


def _say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main()
