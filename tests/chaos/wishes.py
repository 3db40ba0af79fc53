"""What clients ask for: orders at home and outside, parcels whose carrier answers later, labels of a printer.

What a client asks for under a number follows from the seed, its name and the number alone: whoever was killed before
it heard the answer asks the same again, under the same key.
"""

from __future__ import annotations

import random
from typing import Any, Final, NamedTuple, Protocol

from amends import Backoff, Call, Done, Saga, external
from amends.shop.checkout import CHECKOUT
from tests.torture.quick import CHECKOUT_QUICK
from tests.torture.shop import CUSTOMERS, PARCEL, PRODUCTS, SHELVES, UNLUCKY, Parcel

KINDS: Final = {"home": 40, "outside": 30, "parcel": 22, "label": 8}
"""So many of a hundred wishes are of each kind."""
MANY: Final = 0.1  # so many wishes are for several sagas at once
MANY_MAX: Final = 8
PRINTER: Final = "PRINTER"


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
        external(
            "LABEL_PRINTED", print_label, service=PRINTER, pivot=True, at_least_once=True, backoff=Backoff(0.05, 0.5)
        )
    ],
)

SAGAS: Final = {"home": CHECKOUT, "outside": CHECKOUT_QUICK, "parcel": PARCEL, "label": LABEL}


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


def wished(seed: int, client: str, number: int) -> Wish:
    """What a client wishes for under a number."""
    chance = random.Random(f"{seed}/{client}/{number}")
    (kind,) = chance.choices([*KINDS], [*KINDS.values()])
    many = chance.randrange(2, MANY_MAX) if chance.random() < MANY else 1
    keys = [f"{client}/{number}.{one}" for one in range(many)]
    return Wish(kind, keys, [_request(chance, kind, key) for key in keys])


def _request(chance: random.Random, kind: str, key: str) -> Any:
    if kind == "parcel":
        return Parcel(chance.choice([*SHELVES]), chance.randrange(1, UNLUCKY + 1))
    if kind == "label":
        return Label(key)
    return "PLACE_ORDER", chance.choice([*CUSTOMERS]), chance.choice([*PRODUCTS]), chance.randrange(6)
