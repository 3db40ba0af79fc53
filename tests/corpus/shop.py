"""The sagas of the corpus: a definition that every version of Amends takes, and which saga stands where in a store.

It is run with the source of every version that wrote a store, so it keeps to what all of them know. Once a store of the
corpus was written, its definitions and types stay as they are: what is added gets a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypedDict

from amends import GONE, Backoff, Changed, Command, Done, Refused, Saga, external, local, parallel

YEARS_S: Final = 1e9  # a store of the corpus is opened for as long as there is a corpus, and still waits then
SOON: Final = Backoff(first_s=0.5, cap_s=1.0)


class Order(NamedTuple):
    """What a saga of the corpus is asked.

    Attributes:
        name: which part it plays, one of `ROLES`; also its client key.
        item: of which shelf one is taken.
        client: who gets the points.
    """

    name: str
    item: str = "book"
    client: str = "ada"


class Shelf(NamedTuple):
    """An entity of SHELF."""

    free: int
    sold: int = 0


class Receipt(TypedDict):
    """What the card's company answers."""

    number: str
    cents: int


class Basket(NamedTuple):
    """An entity of BASKET, which is gone once its order is sent."""

    items: int


# Participants whose state is kept ----------------------------------------------------------------------------------


def take(shelf: Shelf | None, order: Order) -> Any:
    """Take one from the shelf."""
    if shelf is None or not shelf.free:
        return Refused(f"no {order.item} on the shelf")
    return Changed(Shelf(shelf.free - 1, shelf.sold + 1), {"left": shelf.free - 1})


def put_back(shelf: Shelf, order: Order) -> Shelf:
    """Put it back."""
    return Shelf(shelf.free + 1, shelf.sold - 1)


def give_points(points: int | None, order: Order) -> int:
    """Give ten points."""
    return (points or 0) + 10


def take_points(points: int, order: Order) -> int:
    """Take them back."""
    return points - 10


def empty(basket: Basket | None, order: Order) -> Any:
    """Take the basket away."""
    return GONE


def stock(shelf: Shelf | None, count: int) -> Any:
    """Put some more on a shelf; a negative number takes the shelf away."""
    if not count:
        return Refused("nothing to put on the shelf")
    if count < 0:
        return GONE
    return Shelf((shelf.free if shelf else 0) + count, shelf.sold if shelf else 0)


def fill(basket: Basket | None, items: int) -> Basket:
    """Put something into a basket."""
    return Basket((basket.items if basket else 0) + items)


def execute(on: Any, command: Command, entity_id: str, body: Any, **options: Any) -> Any:
    """Let an engine, or a transaction, carry out a command; earlier versions have another word for it."""
    return (getattr(on, "execute", None) or on.carry_out)(command, entity_id, body, **options)


STOCKED: Final = Command("SHELF_STOCKED", "SHELF", stock)
FILLED: Final = Command("BASKET_FILLED", "BASKET", fill)


# Participants outside: a client decides, by the name of the order and by what is asked ------------------------------

WITH_RECEIPT: Final = ("CARD_CHARGED/do", "LOAN_TAKEN/do", "LOAN_TAKEN/probe")
World = Callable[[str, str], Any]
"""What a participant says to the order of a name; asked is ``EVENT/do``, ``EVENT/undo`` or ``EVENT/probe``."""


def asked(what: str) -> Callable[[Any, Any, Any], Any]:
    """A function of a step that hands on to the client."""

    async def function(world: World, order: Order, call: Any) -> Any:
        return await world(order.name, what)

    return function


async def charge(world: World, order: Order, call: Any) -> Done[Receipt] | Refused:
    """Charge the card."""
    return await world(order.name, "CARD_CHARGED/do")  # type: ignore[no-any-return]  # a client says anything


async def charge_slowly(world: World, order: Order, call: Any) -> Done[Receipt] | Refused:
    """Charge the card of a company that seldom answers in time."""
    return await world(order.name, "LOAN_TAKEN/do")  # type: ignore[no-any-return]  # a client says anything


async def find_loan(world: World, order: Order, call: Any) -> Done[Receipt] | Refused:
    """Look whether it was charged."""
    return await world(order.name, "LOAN_TAKEN/probe")  # type: ignore[no-any-return]  # a client says anything


def agreed(what: str) -> Done[Any]:
    """What a participant says who says yes."""
    return Done(Receipt(number="4711", cents=2000) if what in WITH_RECEIPT else {"asked": what})


ORDER: Final = Saga(
    "order",
    Order,
    [
        local("SHELF_TAKEN", take, undo=put_back, undone="SHELF_RETURNED", entity=lambda order: order.item),
        parallel(
            external("CARD_CHARGED", charge, undo=asked("CARD_CHARGED/undo"), undone="CARD_REFUNDED",
                     limit_s=YEARS_S, backoff=SOON),
            external("ROOM_BOOKED", asked("ROOM_BOOKED/do"), undo=asked("ROOM_BOOKED/undo"), undone="ROOM_FREED",
                     limit_s=YEARS_S, backoff=SOON),
            local("POINTS_GIVEN", give_points, undo=take_points, undone="POINTS_TAKEN",
                  entity=lambda order: order.client),
        ),
        external("ORDER_APPROVED", asked("ORDER_APPROVED/do"), pivot=True, limit_s=YEARS_S, backoff=SOON),
        external("PARCEL_SENT", asked("PARCEL_SENT/do"), backoff=SOON),
        local("BASKET_EMPTIED", empty, entity=lambda order: order.name),
    ],
)  # fmt: skip

LOAN: Final = Saga(
    "loan",
    Order,
    [
        external("LOAN_TAKEN", charge_slowly, undo=asked("LOAN_TAKEN/undo"), undone="LOAN_PAID_BACK", probe=find_loan,
                 settles_within_s=0.05, timeout_s=0.2, limit_s=0.2, backoff=SOON),
        external("ORDER_APPROVED", asked("ORDER_APPROVED/do"), pivot=True, limit_s=YEARS_S, backoff=SOON),
    ],
)  # fmt: skip


def prepare(entities: Mapping[str, Mapping[str, Any]], saga_id: str, order: Order) -> Any:
    """Refuse at the door what there is no shelf for."""
    if entities["SHELF"].get(order.item) is None:
        return Refused(f"there is no shelf for {order.item}")
    return order


ERRAND: Final = Saga(
    "errand",
    Order,
    [
        local("SHELF_TAKEN", take, undo=put_back, undone="SHELF_RETURNED", entity=lambda order: order.item),
        external("ORDER_APPROVED", asked("ORDER_APPROVED/do"), pivot=True, limit_s=YEARS_S, backoff=SOON),
    ],
    version=2,
    deadline_s=YEARS_S,
    prepare=prepare,
)  # fmt: skip

VISIT: Final = Saga(
    "visit",
    Order,
    [
        external("ORDER_APPROVED", asked("ORDER_APPROVED/do"), pivot=True, limit_s=YEARS_S, backoff=SOON),
        external("DESK_VISITED", asked("DESK_VISITED/do"), timeout_s=60.0, backoff=SOON),
    ],
)
"""At the desk is a place for one at a time."""

SAGAS: Final = (ORDER, LOAN, ERRAND, VISIT)
COMMANDS: Final = (STOCKED, FILLED)
SERVICES: Final = ("CARD", "ROOM", "ORDER", "PARCEL", "LOAN", "DESK")
CONCURRENCY: Final = {"DESK": 1}


# Who plays what ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Role:
    """A saga of the corpus.

    Attributes:
        status: where it stands in the store.
        end: how it ends once everybody outside says yes.
        holds: words of its row's body by which the store's writer knows that it stands there; empty for none.
        saga: its definition.
        is_archived: whether it is in the archive, where the version had archives.
    """

    status: str
    end: str
    holds: str = ""
    saga: Saga = ORDER
    is_archived: bool = False


ROLES: Final[Mapping[str, Role]] = {
    "archived": Role("completed", "completed", is_archived=True),
    "archived, turned back": Role("compensated", "compensated", is_archived=True),
    "completed": Role("completed", "completed"),
    "paid back a loan that was found": Role("compensated", "compensated", saga=LOAN),
    "turned back": Role("compensated", "compensated"),
    "waits for an answer": Role("forward", "completed", '"taken":true'),
    "waits for an answer after the pivot": Role("forward", "completed", '"taken":true'),
    "waits with a deadline": Role("forward", "completed", '"taken":true', ERRAND),
    "is tried again": Role("forward", "completed", '"error":'),
    "is being asked": Role("forward", "completed", '"DESK_VISITED":{', VISIT),
    "waits for a place": Role("forward", "completed", '"DESK_VISITED":{', VISIT),
    "looks for its loan": Role("backward", "compensated", '"probe"', LOAN),
    "waits for an undo": Role("backward", "compensated", '"taken":true'),
    "is undone again": Role("backward", "compensated", '"error":'),
    "is canceled while it waits": Role("backward", "compensated", '"taken":true'),
    "needs an operator": Role("needs operator", "compensated"),
    "needs an operator who gives it up": Role("needs operator", "abandoned"),
    "was resolved by an operator": Role("completed", "completed"),
    "was turned back by an operator": Role("compensated", "compensated"),
    "was retried by an operator": Role("compensated", "compensated"),
    "was abandoned": Role("abandoned", "abandoned"),
    "owes a room": Role("compensated", "compensated"),
    "owed a room, which was freed": Role("compensated", "compensated"),
}
