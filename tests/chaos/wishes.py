"""What clients ask for: orders at home and outside, parcels whose carrier answers later, labels, visits at a desk.

What a client asks for under a number follows from the seed, its name and the number alone: whoever was killed before
it heard the answer asks the same again, under the same key.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from amends import Backoff, Call, Done, Refused, Saga, external
from amends.shop.checkout import CHECKOUT
from tests.chaos.desk import Visit
from tests.chaos.orders import APART, order_of
from tests.torture.quick import CHECKOUT_QUICK
from tests.torture.shop import CUSTOMERS, PARCEL, PRODUCTS, SHELVES, UNLUCKY, Parcel

KINDS: Final = {"home": 36, "outside": 28, "parcel": 20, "label": 8, "visit": 8}
"""So many of a hundred wishes are of each kind."""
AT_THE_DESK: Final = {"home": 20, "label": 20, "visit": 60}
"""The same where sagas are to wait for places."""
MANY: Final = 0.1  # so many wishes are for several sagas at once
MANY_MAX: Final = 8
PRINTER: Final = "PRINTER"
DESK: Final = "DESK"
VISITS: Final = 1_000_000  # numbers of visits
SOON: Final = Backoff(0.05, 0.5)


class Label(NamedTuple):
    """The request of a label's saga."""

    text: str


class Prints(Protocol):
    """What a label needs of its printer, which knows no keys: each request is one more label."""

    async def print_label(self, label: Label, call: Call) -> Done:
        """Print one."""


async def print_label(printer: Prints, label: Label, call: Call) -> Done:
    """LABEL_PRINTED."""
    return await printer.print_label(label, call)


LABEL: Final = Saga(
    "label",
    Label,
    [
        external("LABEL_PRINTED", print_label, service=PRINTER, pivot=True, at_least_once=True, backoff=SOON),
    ],
)


class Serves(Protocol):
    """What a visit needs of the desk."""

    async def serve_visit(self, visit: Visit, call: Call) -> Done | Refused:
        """Do what the key says."""


async def serve(desk: Serves, visit: Visit, call: Call) -> Done | Refused:
    """Every step of a visit, and what undoes it."""
    return await desk.serve_visit(visit, call)


VISIT: Final = Saga(
    "visit",
    Visit,
    [
        external("VISIT_BEGUN", serve, undo=serve, undone="VISIT_CANCELED", service=DESK, backoff=SOON),
        # asked again after a kill, it refuses again
        external("VISIT_CONFIRMED", serve, pivot=True, remembers_refusals=True, service=DESK, backoff=SOON),
    ],
)

SAGAS: Final = {"home": CHECKOUT, "outside": CHECKOUT_QUICK, "parcel": PARCEL, "label": LABEL, "visit": VISIT, **APART}


class Wish(NamedTuple):
    """Sagas of one kind that a client wants at once.

    Attributes:
        kind: one of `SAGAS`.
        keys: the client key of each.
        requests: of each.
    """

    kind: str
    keys: list[str]
    requests: list[Any]


def wished(seed: int, client: str, number: int, kinds: Mapping[str, int]) -> Wish:
    """What a client wishes for under a number: of some kinds, so many of each."""
    chance = random.Random(f"{seed}/{client}/{number}")
    (kind,) = chance.choices([*kinds], [*kinds.values()])
    many = chance.randrange(2, MANY_MAX) if chance.random() < MANY else 1
    keys = [f"{client}/{number}.{one}" for one in range(many)]
    return Wish(kind, keys, [_request(chance, kind, key) for key in keys])


def _request(chance: random.Random, kind: str, key: str) -> Any:
    if kind == "parcel":
        return Parcel(chance.choice([*SHELVES]), chance.randrange(1, UNLUCKY + 1))
    if kind in APART:
        return order_of(chance, key)
    if kind == "label":
        return Label(key)
    if kind == "visit":
        return Visit(chance.randrange(VISITS))
    return "PLACE_ORDER", chance.choice([*CUSTOMERS]), chance.choice([*PRODUCTS]), chance.randrange(6)
