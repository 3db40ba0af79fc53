"""The shop that is tortured: orders at home and outside, parcels whose carrier answers later, restocks.

What client number n asks for follows from the seed and n alone: whoever was killed before it heard the answer asks the
same again, under the same key.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from amends import Backoff, Command, Refused, Saga, external, local
from amends.core.messages import Call, Outcome
from amends.shop.checkout import CHECKOUT
from amends.shop.inventory import INVENTORY, STOCK_SET, Offer, Product
from amends.shop.outside import CHECKOUT_OUTSIDE, CUSTOMER_KNOWN
from amends.shop.payments import CREDIT_LIMIT_SET

CUSTOMERS: Final = {"C1": 1_000_000, "C2": 1_000_000, "C3": 900_000, "C4": 700}
"""Customer to credit limit; the last one is refused soon."""
PRODUCTS: Final = {"P1": Offer(30_000, 3), "P2": Offer(30_000, 11), "P3": Offer(60, 7)}
"""Product to stock and price; the last one is sold out soon."""
SHELVES: Final = {"S1": 20_000, "S2": 50}
"""Shelf to pieces."""

SHELF: Final = "SHELF"
CARRIER: Final = "CARRIER"
ANSWERS_WITHIN_S: Final = 20
MANY_MAX: Final = 12
UNLUCKY: Final = 5  # a parcel of so many pieces is refused by its carrier


class Parcel(NamedTuple):
    """The request of a parcel's saga."""

    shelf_id: str
    pieces: int


class Shelf(NamedTuple):
    """What lies on a shelf; ``free + held + gone`` never changes."""

    free: int
    held: int
    gone: int


class Carries(Protocol):
    """What a parcel needs of its carrier."""

    async def book(self, parcel: Parcel, call: Call) -> Outcome:
        """Take a parcel, once for each key."""
        ...

    async def cancel(self, call: Call) -> Outcome:
        """Give it back."""
        ...


def hold(shelf: Shelf, parcel: Parcel) -> Shelf | Refused:
    """PIECES_HELD."""
    free, held, gone = shelf
    if parcel.pieces > free:
        return Refused(f"{free} pieces left")
    return Shelf(free - parcel.pieces, held + parcel.pieces, gone)


def free(shelf: Shelf, parcel: Parcel) -> Shelf:
    """PIECES_FREED."""
    return Shelf(shelf.free + parcel.pieces, shelf.held - parcel.pieces, shelf.gone)


def leave(shelf: Shelf, parcel: Parcel) -> Shelf:
    """PIECES_LEFT."""
    return Shelf(shelf.free, shelf.held - parcel.pieces, shelf.gone + parcel.pieces)


async def book(carrier: Carries, parcel: Parcel, call: Call) -> Outcome:
    """CARRIER_BOOKED: it says that it will answer."""
    return await carrier.book(parcel, call)


async def cancel(carrier: Carries, parcel: Parcel, call: Call) -> Outcome:
    """CARRIER_CANCELED."""
    return await carrier.cancel(call)


def shelf_of(parcel: Parcel) -> str:
    """Return which shelf a parcel is from."""
    return parcel.shelf_id


PARCEL: Final = Saga(
    "parcel",
    Parcel,
    [
        local("PIECES_HELD", hold, service=SHELF, entity=shelf_of, undo=free, undone="PIECES_FREED"),
        external(
            "CARRIER_BOOKED", book, service=CARRIER, undo=cancel, undone="CARRIER_CANCELED", timeout_s=1, limit_s=10,
            remembers_refusals=True, backoff=Backoff(0.05, 0.5),
        ),
        local("PIECES_LEFT", leave, service=SHELF, entity=shelf_of, pivot=True),
    ],
)  # fmt: skip


def restock(product: Product, pieces: int) -> Product:
    """RESTOCKED: unlike setting the stock, doing it twice shows."""
    return product._replace(stock=product.stock + pieces, added=product.added + pieces)


def fill(shelf: Shelf | None, pieces: int) -> Shelf:
    """SHELF_FILLED: to begin with."""
    return Shelf(pieces, 0, 0)


RESTOCKED: Final = Command("RESTOCKED", INVENTORY, restock)
SHELF_FILLED: Final = Command("SHELF_FILLED", SHELF, fill)

SAGAS: Final = {"home": CHECKOUT, "outside": CHECKOUT_OUTSIDE, "parcel": PARCEL}
COMMANDS: Final = (CREDIT_LIMIT_SET, CUSTOMER_KNOWN, STOCK_SET, RESTOCKED, SHELF_FILLED)


class Asked(NamedTuple):
    """Something that a client asks for.

    Attributes:
        key: its client key.
        kind: one of `SAGAS`, or empty for a command.
        asked: what the saga, or the command's function, gets.
        command: which.
        entity_id: the command's.
    """

    key: str
    kind: str
    asked: Any
    command: Command | None = None
    entity_id: str = ""


def opening() -> list[Asked]:
    """Return what is to be done before anybody orders."""
    orders = [
        *((CREDIT_LIMIT_SET, name, limit) for name, limit in CUSTOMERS.items()),
        *((CUSTOMER_KNOWN, name, None) for name in CUSTOMERS),
        *((STOCK_SET, name, offer) for name, offer in PRODUCTS.items()),
        *((SHELF_FILLED, name, pieces) for name, pieces in SHELVES.items()),
    ]
    return [Asked(f"open-{place}", "", body, command, name) for place, (command, name, body) in enumerate(orders)]


def wanted(seed: int, number: int) -> Sequence[Asked]:
    """Return what client `number` asks for: one thing, or many sagas of one kind at once."""
    chance = random.Random(f"{seed}/{number}")
    kind = chance.choices(["home", "outside", "parcel", ""], [35, 30, 25, 10])[0]
    if not kind:
        return [Asked(f"{number}", "", chance.randrange(1, 9), RESTOCKED, chance.choice(list(PRODUCTS)))]
    if chance.random() < 0.9:
        return [Asked(f"{number}", kind, _asked(chance, kind))]
    return [Asked(f"{number}.{one}", kind, _asked(chance, kind)) for one in range(chance.randrange(2, MANY_MAX))]


def _asked(chance: random.Random, kind: str) -> Any:
    if kind == "parcel":
        return Parcel(chance.choice(list(SHELVES)), chance.randrange(1, UNLUCKY + 1))
    return ("PLACE_ORDER", chance.choice(list(CUSTOMERS)), chance.choice(list(PRODUCTS)), chance.randrange(6))
