"""What clients of the spread shop ask for: orders whose amounts are frozen by who places them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from amends import Backoff, Saga
from amends.shop.purchase import Purchase
from amends.storefront.apart import ORDERED, ORDERS
from tests.torture.shop import CUSTOMERS, PRODUCTS

ATTEMPT_S: Final = 1.0  # what is lost is asked again soon; by default after 10 s
SHORT: Final = 0.05  # so many orders exceed the stock, says who places them
PIECES_MAX: Final = 5


def _quick(saga: Saga) -> Saga:
    steps = [replace(step, timeout_s=ATTEMPT_S, backoff=Backoff(0.05, 0.5)) for step in saga.every_step()]
    return replace(saga, steps=steps)


APART: Final = {saga.name: _quick(saga) for saga in ORDERS}
"""The sagas, by the name of their kind."""
KINDS_APART: Final = {name: 80 if name == ORDERED.name else 5 for name in APART}
"""So many of a hundred wishes are of each kind: those that fail at each service among them."""


def order_of(chance: random.Random, key: str) -> Purchase:
    """An order that a client wants under a key, which is its number, too."""
    product, pieces = chance.choice([*PRODUCTS]), chance.randrange(PIECES_MAX + 1)
    amount = pieces * PRODUCTS[product].price
    return Purchase(key, chance.choice([*CUSTOMERS]), product, pieces, amount, chance.random() < SHORT)
