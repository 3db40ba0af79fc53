"""A rush of orders that a child process runs by the command line, is killed half-way with, and finishes then.

`amends demo` and the documents show it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from amends.bootstrap import located
from amends.entrypoints.demo.children import LIMIT_S, check_ended_well, started
from amends.errors import AmendsError, StoreError, StoreUnusable

ORDERS: Final = 6_000  # some seconds of work, so that a kill half-way is seen
KILLED_AT: Final = ORDERS // 4  # what is done until we have looked, and killed it, comes on top
EACH: Final = 10  # customers and products; and one order in so many fails when it is shipped
STOCK: Final = 10_000  # the most that an operation may give: no order is refused
PRICE: Final = 5
TRIES: Final = 3
LOOK_S: Final = 0.01  # between two looks at how far the other process is: far less than it runs

FILE: Final = "orders.jsonl"
STORE: Final = "shop.db"
RUN: Final = ("run", "--db", STORE, FILE)
CUSTOMERS: Final = tuple(f"C{number}" for number in range(EACH))
PRODUCTS: Final = tuple(f"P{number}" for number in range(EACH))

Tell = Callable[[int], object] | None


def operations() -> list[list[Any]]:
    """The orders, and what they need."""
    made: list[list[Any]] = [["CREATE_CUSTOMER", customer, 1_000_000] for customer in CUSTOMERS]
    made += [["ADD_PRODUCT", product, STOCK, PRICE] for product in PRODUCTS]
    made += [
        ["PLACE_ORDER", CUSTOMERS[number % EACH], PRODUCTS[number * 7 % EACH], 1 + number % 3]
        for number in range(ORDERS)
    ]
    return made + [["INJECT_FAILURE", "SHIPPING", f"O{number:03d}"] for number in range(EACH, ORDERS + 1, EACH)]


def write_orders(folder: Path) -> None:
    """Write the orders as a file of operations."""
    (folder / FILE).write_text("".join(f"{json.dumps(operation)}\n" for operation in operations()), "utf-8")


def kill_half_way(folder: Path, tell: Tell = None) -> int:
    """Run the orders, and kill the process that does it while some are left.

    A run that was over before it could be killed is forgotten, and tried again.

    Args:
        folder: has the file of orders; gets the store.
        tell: is told now and then how many orders are in the store.

    Returns:
        How many orders are in the store then; `ORDERS` when no try came in time.

    Raises:
        AmendsError: the run failed without having been killed.
    """
    reached = ORDERS
    for _ in range(TRIES):
        for path in folder.glob(f"{STORE}*"):
            path.unlink()
        with started(folder, *RUN) as child:
            _watch(child, folder, tell, KILLED_AT)
            is_killed = child.poll() is None
        if not is_killed:
            check_ended_well(child, folder, *RUN)
        reached = placed(folder)
        if reached < ORDERS:
            break
    return reached


def finish(folder: Path, tell: Tell = None) -> None:
    """Run the same orders by the same command, to its end.

    Args:
        folder: where a run of them was killed.
        tell: is told now and then how many orders are in the store.

    Raises:
        AmendsError: the run failed.
    """
    with started(folder, *RUN) as child:
        _watch(child, folder, tell, ORDERS + 1)
    check_ended_well(child, folder, *RUN)


def placed(folder: Path) -> int:
    """How many orders a store has; 0 while there is none that can be read."""
    with suppress(StoreUnusable, StoreError), closing(located(str(folder / STORE)).records()) as store:
        return sum(store.counts().values())
    return 0


def _watch(child: subprocess.Popen[bytes], folder: Path, tell: Tell, until: int) -> None:
    """Look on, until so many orders are in the store or the child has ended."""
    last_s = time.monotonic() + LIMIT_S
    reached = 0
    while child.poll() is None and reached < until:
        if time.monotonic() > last_s:
            raise AmendsError(f"{reached} of {ORDERS} orders were in the store after {LIMIT_S:.0f} s")
        time.sleep(LOOK_S)
        reached = placed(folder)
        if tell is not None:
            tell(reached)
