"""The function against a hand-written loop that does the same with dicts (bench/handwritten.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amends.shop import ecommerce_saga_processor
from bench.handwritten import handwritten_processor
from bench.measure import Figure, in_turn, middle, seconds

ORDERS = 100
REPEATS = 100  # one call takes less than the clock can tell
ROUNDS = 60
RATIO_NEEDED = 0.33


def batch() -> list[tuple[Any, ...]]:
    """100 orders of 10 customers for 10 products, each tenth failing at INVENTORY."""
    operations: list[tuple[Any, ...]] = [("CREATE_CUSTOMER", f"C{i:03d}", 100_000) for i in range(10)]
    operations += [("ADD_PRODUCT", f"P{i:03d}", 1000, 10) for i in range(10)]
    operations += [("PLACE_ORDER", f"C{i % 10:03d}", f"P{i * 7 % 10:03d}", 1 + i % 3) for i in range(ORDERS)]
    operations += [("INJECT_FAILURE", "INVENTORY", f"O{i:03d}") for i in range(10, ORDERS + 1, 10)]
    return operations


def function_figures() -> list[Figure]:
    """Speed of the function as a share of the hand-written loop's."""
    operations = batch()
    if ecommerce_saga_processor(operations) != handwritten_processor(operations):
        raise AssertionError("the two do not give the same report, so their speed cannot be compared")

    def repeated(process: Callable[[Any], object]) -> Callable[[], float]:
        def task() -> None:
            for _ in range(REPEATS):
                process(operations)  # the report is dropped, so that neither pays for a growing heap

        return lambda: seconds(task)

    taken = in_turn(repeated(ecommerce_saga_processor), repeated(handwritten_processor), ROUNDS)
    ratio, least, most = middle([loop / function for function, loop in taken])
    mine, loop = (min(times) / REPEATS / ORDERS * 1e6 for times in zip(*taken, strict=True))
    note = f"{mine:.2f} µs an order, the loop {loop:.2f} µs"
    what = "function / hand-written loop, speed, 100 orders"
    return [Figure(what, ratio, least, most, f">= {RATIO_NEEDED}", ratio >= RATIO_NEEDED, note)]
