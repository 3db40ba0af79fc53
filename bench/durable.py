"""Sagas on disk against SQLite itself: what deciding, undoing and auditing cost on top of the bare rows.

Both sides write to the same file system with the same settings (WAL, ``synchronous=FULL``). The limit writes five log
rows and three upserts a saga and nothing else; the engine also decides, keeps what it was asked, chains an audit record
of every change, and guards every row with a version and a checksum.
"""

from __future__ import annotations

import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import amends
from amends.engine.blocking import BlockingEngine
from amends.engine.transaction import Transaction
from amends.shop import CHECKOUT
from amends.shop.inventory import STOCK_SET, Offer
from amends.shop.payments import CREDIT_LIMIT_SET
from bench.measure import Figure, in_turn, middle
from bench.orders import CUSTOMERS, PRODUCTS, STOCK, order
from bench.raw import raw_batched, raw_latency

SAGAS: Final = 30_000
ROUNDS: Final = 5
ALONE: Final = 500
HISTORY: Final = 1_000_000
PART: Final = 10_000
FAILING: Final = (0, 10, 50, 100)

BATCHED_NEEDED: Final = 0.25
LATENCY_NEEDED: Final = 4.0
HOT_NEEDED: Final = 0.8
HISTORY_NEEDED: Final = 0.9
KEYS_NEEDED: Final = 0.7
START_NEEDED_S: Final = 1.0
GROWN_MAX: Final = 1.2

Asked = tuple[str, str, str, int]


def asked(numbers: Sequence[int], *, products: int = PRODUCTS, failing: int = 10) -> list[Asked]:
    """Orders; of a hundred, `failing` ask for more than there is."""
    made = []
    for number in numbers:
        one = order(number)
        fails = number * failing // 100 != (number + 1) * failing // 100
        quantity = 10 * STOCK if fails else one.quantity
        made.append(("PLACE_ORDER", f"C{one.customer}", f"P{one.product % products}", quantity))
    return made


@contextmanager
def shop(file: Path) -> Iterator[BlockingEngine]:
    """An engine on a file, with customers and products."""
    with amends.open(f"sqlite:///{file}", sagas=[CHECKOUT], commands=[CREDIT_LIMIT_SET, STOCK_SET]) as engine:
        if engine.entity("INVENTORY", "P0") is None:
            engine.transact(stocked)
        yield engine


def stocked(transaction: Transaction) -> None:
    """Have customers with credit, and products: in a transaction of the engine."""
    _prefetch(transaction)
    for number in range(CUSTOMERS):
        transaction.execute(CREDIT_LIMIT_SET, f"C{number}", 10**12)
    for number in range(PRODUCTS):
        transaction.execute(STOCK_SET, f"P{number}", Offer(STOCK, 1))


def books(transaction: Transaction) -> tuple[int, int]:
    """What customers owe, and how many pieces were taken: in a transaction of the engine."""
    _prefetch(transaction)
    accounts = [transaction.entities["PAYMENT"][f"C{number}"] for number in range(CUSTOMERS)]
    products = [transaction.entities["INVENTORY"][f"P{number}"] for number in range(PRODUCTS)]
    return sum(account.credit_used for account in accounts), sum(product.settled for product in products)


def _prefetch(transaction: Transaction) -> None:
    transaction.prefetch(("PAYMENT", f"C{number}") for number in range(CUSTOMERS))
    transaction.prefetch(("INVENTORY", f"P{number}") for number in range(PRODUCTS))


def booked(numbers: Sequence[int]) -> tuple[int, int]:
    """What the books must say once these orders ran: a piece costs 1."""
    pieces = sum(quantity for *_, quantity in asked(numbers) if quantity < STOCK)
    return pieces, pieces


def rate(engine: BlockingEngine, orders: Sequence[Asked], keys: Sequence[str] | None = None) -> float:
    """Orders a second, each to its end and on stable storage."""
    begin = time.perf_counter()
    handles = engine.submit_many(CHECKOUT, orders, keys=keys)
    taken = time.perf_counter() - begin
    assert len(handles) == len(orders)
    return len(orders) / taken


def fresh_rate(directory: Path, orders: Sequence[Asked]) -> float:
    """The same, on a new file."""
    with tempfile.TemporaryDirectory(dir=directory) as made, shop(Path(made, "shop.db")) as engine:
        return rate(engine, orders)


def durable_figures(directory: Path) -> Iterator[Figure]:
    """The figures that need no history."""
    orders = asked(range(SAGAS))
    yield _figure(
        "local sagas by submit_many / bare rows", "of the raw limit", BATCHED_NEEDED,
        in_turn(lambda: fresh_rate(directory, orders), lambda: raw_batched(directory, SAGAS), ROUNDS),
    )  # fmt: skip
    hot = asked(range(SAGAS), products=1)
    yield _figure(
        "orders all for one product / for a thousand", "a second", HOT_NEEDED,
        in_turn(lambda: fresh_rate(directory, hot), lambda: fresh_rate(directory, orders), ROUNDS),
    )  # fmt: skip
    yield _latency(directory)


def _figure(what: str, unit: str, needed: float, taken: Sequence[tuple[float, float]]) -> Figure:
    ratio, least, most = middle([one / other for one, other in taken])
    ours, theirs = (median(rates) for rates in zip(*taken, strict=True))
    note = f"{ours:,.0f} and {theirs:,.0f} {unit}"
    return Figure(what, ratio, least, most, f">= {needed}", ratio >= needed, note)


def _latency(directory: Path) -> Figure:
    """One saga at a time, from submitting it to its end on stable storage."""

    def ours() -> float:
        with tempfile.TemporaryDirectory(dir=directory) as made, shop(Path(made, "shop.db")) as engine:
            return median(_alone(engine, one) for one in asked(range(ALONE)))

    taken = in_turn(ours, lambda: median(raw_latency(directory, ALONE)), ROUNDS)
    ratio, least, most = middle([one / other for one, other in taken])
    note = f"{median(one for one, _ in taken) * 1e3:.2f} ms and {median(other for _, other in taken) * 1e3:.2f} ms"
    what = "one saga at a time / a bare transaction, median"
    return Figure(what, ratio, least, most, f"<= {LATENCY_NEEDED}", ratio <= LATENCY_NEEDED, note)


def _alone(engine: BlockingEngine, one: Asked) -> float:
    begin = time.perf_counter()
    engine.submit(CHECKOUT, one).result()
    return time.perf_counter() - begin


def history_figures(directory: Path, sagas: int = HISTORY) -> Iterator[Figure]:
    """What a long history costs: speed, start, memory."""
    chance = random.Random(1)
    numbers = iter(range(10**9))

    def part(count: int) -> list[Asked]:
        return asked([next(numbers) for _ in range(count)])

    def keys() -> list[str]:
        return [f"{chance.getrandbits(128):032x}" for _ in range(PART)]

    with tempfile.TemporaryDirectory(dir=directory) as made:
        long, short = Path(made, "long.db"), Path(made, "short.db")
        with shop(long) as engine:
            for number in range(sagas // PART):
                rate(engine, part(PART), keys())
                if number == sagas // PART // 10:
                    before = _memory()  # by then all that is kept at hand is there
            grown = _memory() / before
        begin = time.perf_counter()
        with shop(long) as engine:
            start_s = time.perf_counter() - begin
            with shop(short) as other:
                plain = in_turn(lambda: rate(engine, part(PART)), lambda: rate(other, part(PART)), ROUNDS)
        with shop(long) as engine, shop(Path(made, "keys.db")) as other:
            keyed = in_turn(lambda: rate(engine, part(PART), keys()), lambda: rate(other, part(PART), keys()), ROUNDS)
        size = long.stat().st_size / sagas
    yield _figure(f"after {sagas:,} sagas / on an empty file", "a second", HISTORY_NEEDED, plain)
    yield _figure("the same with random client keys", "a second", KEYS_NEEDED, keyed)
    yield Figure("start after that history, seconds", start_s, start_s, start_s, "< 1", start_s < START_NEEDED_S, "")
    yield Figure(
        "memory after it / after its first tenth",
        grown,
        grown,
        grown,
        "<= 1.2",
        grown <= 1.2,
        f"{size:.0f} bytes a saga on disk",
    )


def _memory() -> float:
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def failing_lines(directory: Path) -> Iterator[str]:
    """The price of failing: a table of sagas a second by how many of them are undone."""
    rates: dict[int, list[float]] = {share: [] for share in FAILING}
    for _ in range(ROUNDS):
        for share in FAILING:
            rates[share].append(fresh_rate(directory, asked(range(SAGAS), failing=share)))
    whole = median(rates[0])
    yield "| failing | sagas/s | against none |"
    yield "|---|---|---|"
    for share, seen in rates.items():
        yield f"| {share} % | {median(seen):,.0f} | {median(seen) / whole:.2f} |"
