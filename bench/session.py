"""A long session against short ones: what an order costs must not grow with history."""

from __future__ import annotations

import tracemalloc
from typing import Any

from amends.shop import Session
from bench.measure import Figure, in_turn, middle, seconds

BATCH = 100
SHORT = 1_000
LONG = 100_000
ROUNDS = 5
COST_NEEDED = 1.2
BYTES_NEEDED = 1024

STOCK: list[tuple[Any, ...]] = [("ADD_PRODUCT", f"P{i:03d}", 10_000, 1) for i in range(10)]
CUSTOMERS: list[tuple[Any, ...]] = [("CREATE_CUSTOMER", f"C{i:03d}", 1_000_000) for i in range(10)]


def batches(orders: int) -> list[list[tuple[Any, ...]]]:
    """Batches of 100 orders, each tenth failing at INVENTORY, with a restock now and then."""
    made = []
    for first in range(0, orders, BATCH):
        batch = [*STOCK] if first % LONG == 0 or first % (BATCH * BATCH) == 0 else []
        batch += [("PLACE_ORDER", f"C{i % 10:03d}", f"P{i * 7 % 10:03d}", 1 + i % 3) for i in range(BATCH)]
        batch += [("INJECT_FAILURE", "INVENTORY", f"O{first + i:03d}") for i in range(10, BATCH + 1, 10)]
        made.append(batch)
    return made


def played(made: list[list[tuple[Any, ...]]]) -> Session:
    """A session that has processed batches; their reports are dropped."""
    session = Session()
    session.process(CUSTOMERS)
    for batch in made:
        session.process(batch)
    return session


def session_figures() -> list[Figure]:
    """What an order of a long session costs, as a multiple of a short one's; and what it keeps."""
    short, long = batches(SHORT), batches(LONG)

    def many_short() -> float:
        return seconds(lambda: [*map(played, [short] * (LONG // SHORT))])

    def one_long() -> float:
        return seconds(lambda: played(long))

    taken = in_turn(one_long, many_short, ROUNDS)
    ratio, least, most = middle([one / many for one, many in taken])
    note = f"{min(one for one, _ in taken) / LONG * 1e6:.2f} µs an order"
    what = f"session of {LONG} orders / of {SHORT}, cost an order"
    cost = Figure(what, ratio, least, most, f"<= {COST_NEEDED}", ratio <= COST_NEEDED, note)
    return [cost, _kept(long)]


def _kept(made: list[list[tuple[Any, ...]]]) -> Figure:
    tracemalloc.start()
    session = played(made)
    kept = tracemalloc.get_traced_memory()[0] / LONG
    tracemalloc.stop()
    del session
    share = kept / BYTES_NEEDED
    return Figure("memory kept / 1 KiB an order", share, share, share, "<= 1", share <= 1, f"{kept:.0f} bytes an order")
