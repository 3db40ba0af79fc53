"""Orders on PostgreSQL: one engine and several, all for one product, one at a time, after a long history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from bench.durable import HISTORY, HISTORY_NEEDED, LATENCY_NEEDED
from bench.measure import Figure, in_turn, middle
from bench.postgres.fleet import Ran, engines
from bench.postgres.raw import raw_alone, raw_rate
from bench.postgres.server import Measured

ORDERS: Final = 30_000
FLEET_ORDERS: Final = 60_000  # of several engines: each has some fifteen turns, of which the first and last are alone
ROUNDS: Final = 3
ALONE: Final = 500
PART: Final = 100_000

ONE_NEEDED: Final = 0.28
TWO_NEEDED: Final = 0.42
HOT_NEEDED: Final = 0.75
FOUR_NEEDED: Final = 0.9
EIGHT_NEEDED: Final = 0.75


def order_figures(server: Measured) -> Iterator[Figure]:
    """What needs no history. What an order writes is noted beside the first one."""
    seen = list[Ran]()

    def rate(number: int, products: int = 1000, orders: int = ORDERS) -> float:
        with engines(server, number, products=products) as fleet:
            seen.append(fleet.run(orders))
        return seen[-1].rate

    def fleet(number: int) -> float:
        return rate(number, orders=FLEET_ORDERS)

    def raw() -> float:
        return raw_rate(server, ORDERS)

    yield ratio_figure("one engine / bare rows by UNNEST", ONE_NEEDED, in_turn(lambda: rate(1), raw, ROUNDS))
    yield _written(seen)
    yield ratio_figure("two engines / bare rows by UNNEST", TWO_NEEDED, in_turn(lambda: rate(2), raw, ROUNDS))
    spread = in_turn(lambda: rate(2, 1), lambda: rate(2), ROUNDS)
    yield ratio_figure("two engines, all for one product / for a thousand", HOT_NEEDED, spread)
    yield ratio_figure("four engines / two", FOUR_NEEDED, in_turn(lambda: fleet(4), lambda: fleet(2), ROUNDS))
    yield ratio_figure("eight engines / two", EIGHT_NEEDED, in_turn(lambda: fleet(8), lambda: fleet(2), ROUNDS))
    yield _latency(server)


def history_figure(server: Measured, sagas: int = HISTORY) -> Iterator[Figure]:
    """The rate after a long history, against that on an empty schema."""
    with engines(server, 1) as long:
        for _ in range(0, sagas, PART):
            long.run(PART)
        with engines(server, 1) as short:
            taken = in_turn(lambda: long.run(ORDERS).rate, lambda: short.run(ORDERS).rate, ROUNDS)
    yield ratio_figure(f"after {sagas:,} sagas / on an empty schema", HISTORY_NEEDED, taken)


def _written(seen: Sequence[Ran]) -> Figure:
    """What an order writes: nothing is asked of it, but that it is told."""
    kib, syncs = (median(values) for values in zip(*((ran.wal_bytes / 1024, ran.syncs) for ran in seen), strict=True))
    return Figure("KiB of the server's log an order, of one engine", kib, kib, kib, "", True, f"{syncs:.4f} syncs")


def ratio_figure(what: str, needed: float, taken: Sequence[tuple[float, float]]) -> Figure:
    """How many times the second rate the first one is, in the middle."""
    ratio, least, most = middle([one / other for one, other in taken])
    ours, theirs = (median(rates) for rates in zip(*taken, strict=True))
    return Figure(what, ratio, least, most, f">= {needed}", ratio >= needed, f"{ours:,.0f} and {theirs:,.0f} a second")


def _latency(server: Measured) -> Figure:
    """One order at a time, from submitting it to its end on stable storage."""

    def ours() -> float:
        with engines(server, 1) as fleet:
            return fleet.run(ALONE, "alone").took_s[0]

    taken = in_turn(ours, lambda: median(raw_alone(server, ALONE)), ROUNDS)
    ratio, least, most = middle([one / other for one, other in taken])
    note = f"{median(one for one, _ in taken) * 1e3:.2f} ms and {median(other for _, other in taken) * 1e3:.2f} ms"
    what = "one saga at a time / a bare transaction, median"
    return Figure(what, ratio, least, most, f"<= {LATENCY_NEEDED}", ratio <= LATENCY_NEEDED, note)
