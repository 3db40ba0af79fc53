"""Sagas that run together: what no order of them, one after the other, would have come to; each with a twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from amends.core.definition import Saga, Step, local
from amends.core.messages import Call, Changed, Refused
from amends.scenario import Scenario
from tests.checking.cases.case import Case


class Order(NamedTuple):
    """Who wants how much."""

    who: str
    pieces: int = 1


UPDATE, DIRTY, ORDERED = "no lost update", "no dirty read", "as if one after the other"
ANN, BOB, CEM = Order("ann"), Order("bob"), Order("cem")
PARCEL: Final = local("PARCEL_SHIPPED", lambda _, order: order.pieces, pivot=True, entity=lambda order: order.who)


def on(service: str, action: Any, undo: Any, done: str = "TAKEN", **options: Any) -> Step:
    """A step on the one entity of a service."""
    name = f"{service}_{done}"
    return local(name, action, undo=undo, undone=f"{name}_BACK", service=service, entity=lambda _: "one", **options)


def together(*steps: Step, orders: tuple[Order, ...] = (ANN, BOB), **start: Any) -> Scenario:
    """Some orders, each with these steps and a parcel."""
    return Scenario(
        Saga("together", Order, [*steps, PARCEL]), {name: {"one": it} for name, it in start.items()}, orders
    )


def unchanged(kept: Any, _: Order) -> Any:
    """Undo a look."""
    return kept


# Batches: the first that expires goes out first ----------------------------------------------------------------


class Batch(NamedTuple):
    """Pieces that expire together."""

    name: str
    pieces: int


BATCHES: Final = (Batch("may", 2), Batch("june", 9))


def pick(batches: tuple[Batch, ...], order: Order) -> Changed:
    """Take the oldest pieces, and tell of which batch each is."""
    wanted, kept, picked = order.pieces, [], []
    for batch in batches:
        count = min(wanted, batch.pieces)
        wanted -= count
        kept.append(batch._replace(pieces=batch.pieces - count))
        picked += [Batch(batch.name, count)] * bool(count)
    return Changed(tuple(kept), tuple(picked))


def put_on_oldest(batches: tuple[Batch, ...], order: Order) -> tuple[Batch, ...]:
    """Whatever was picked, it goes back into the oldest batch."""
    return batches[0]._replace(pieces=batches[0].pieces + order.pieces), *batches[1:]


def put_on_own(batches: tuple[Batch, ...], _: Order, call: Call) -> tuple[Batch, ...]:
    """Each piece goes back into its own batch."""
    back = dict(call.answer)
    return tuple(batch._replace(pieces=batch.pieces + back.get(batch.name, 0)) for batch in batches)


def dairy(undo: Any, *pieces: int) -> Scenario:
    """Two orders of pieces."""
    orders = tuple(Order(who, count) for who, count in zip(("ann", "bob"), pieces, strict=True))
    return together(on("SHELF", pick, undo), orders=orders, SHELF=BATCHES)


# A look in one step, a write in another ------------------------------------------------------------------------


def look(stock: int, order: Order) -> int | Refused:
    """See whether there is enough."""
    return stock if order.pieces <= stock else Refused("sold out")


def take(stock: int, order: Order) -> int:
    """Take without looking."""
    return stock - order.pieces


def take_if_there(stock: int, order: Order) -> int | Refused:
    """Look and take in one."""
    return stock - order.pieces if order.pieces <= stock else Refused("sold out")


def give_back(stock: int, order: Order) -> int:
    """Put it back."""
    return stock + order.pieces


LOOKED, TAKEN = on("STOCK", look, unchanged, "LOOKED_AT"), on("STOCK", take, give_back)
TAKEN_IF_THERE = on("STOCK", take_if_there, give_back)

# A number read on one entity, written to another ------------------------------------------------------------------


class Duty(NamedTuple):
    """Who is on duty."""

    doctors: tuple[str, ...]


def how_many(duty: Duty, _: Order) -> Changed:
    """Tell how many are on duty."""
    return Changed(duty, len(duty.doctors))


def leave_if_others(duty: Duty, order: Order, call: Call) -> Duty | Refused:
    """Leave, when more than one was there at the look."""
    if call.answers["DUTY_SEEN"] < 2:
        return Refused("the last one stays")
    return Duty(tuple(doctor for doctor in duty.doctors if doctor != order.who))


def leave_if_others_now(duty: Duty, order: Order) -> Duty | Refused:
    """Leave, when more than one is there."""
    if len(duty.doctors) < 2:
        return Refused("the last one stays")
    return Duty(tuple(doctor for doctor in duty.doctors if doctor != order.who))


def come_back(duty: Duty, order: Order) -> Duty:
    """Be on duty again."""
    return Duty(tuple(sorted((*duty.doctors, order.who))))


SEEN = on("DUTY", how_many, unchanged, "SEEN")
LEFT_AS_SEEN = on("DUTY", leave_if_others, come_back, "LEFT")
LEFT = on("DUTY", leave_if_others_now, come_back, "LEFT")

# Numbers and prices that are taken back -----------------------------------------------------------------------------


def draw(last: int, _: Order) -> Changed:
    """Give the next number."""
    return Changed(last + 1, last + 1)


def undraw(last: int, _: Order) -> int:
    """Give the number to the next one."""
    return last - 1


class Fare(NamedTuple):
    """What a ride costs, and what was taken."""

    price: int = 100
    taken: int = 0


def raise_or_pay(fare: Fare, order: Order) -> Changed:
    """Ann raises the price; whoever else comes pays it."""
    if order.who == "ann":
        return Changed(fare._replace(price=fare.price + 20), None)
    return Changed(fare._replace(taken=fare.taken + fare.price), fare.price)


def lower_or_pay_back(fare: Fare, order: Order, call: Call) -> Fare:
    """The reverse."""
    if order.who == "ann":
        return fare._replace(price=fare.price - 20)
    return fare._replace(taken=fare.taken - call.answer)


def pay(fare: Fare, order: Order) -> Changed:
    """Pay the price that is certain."""
    return Changed(fare._replace(taken=fare.taken + fare.price), fare.price)


def pay_back(fare: Fare, _: Order, call: Call) -> Fare:
    """Pay back what was paid."""
    return fare._replace(taken=fare.taken - call.answer)


def grow(cents: int, order: Order) -> Changed:
    """Ann pays in; whoever else comes adds a tenth of what is there."""
    more = 100 if order.who == "ann" else cents // 10
    return Changed(cents + more, more)


def shrink(cents: int, _: Order, call: Call) -> int:
    """Take out what was added."""
    return cents - int(call.answer)


# An alarm that is not lowered ---------------------------------------------------------------------------------------


class Bin(NamedTuple):
    """What is in a bin, and whether that is little."""

    pieces: int
    is_low: bool = False


def take_from_bin(kept: Bin, order: Order) -> Bin | Refused:
    """Take, and raise the alarm."""
    left = kept.pieces - order.pieces
    return Bin(left, kept.is_low or left <= 1) if left >= 0 else Refused("empty")


def fill(kept: Bin, order: Order) -> Bin:
    """Put back; the alarm stays."""
    return kept._replace(pieces=kept.pieces + order.pieces)


def fill_and_lower(kept: Bin, order: Order) -> Bin:
    """Put back, and look whether it is still little."""
    return Bin(kept.pieces + order.pieces, kept.pieces + order.pieces <= 1)


# Any free seat will do ----------------------------------------------------------------------------------------------


def sit(seats: Mapping[str, str], order: Order) -> Changed | Refused:
    """Take the first free seat."""
    seat = next((seat for seat, who in seats.items() if not who), None)
    return Refused("full") if seat is None else Changed({**seats, seat: order.who}, seat)


def sit_in_passing(seats: Mapping[str, str], order: Order) -> Changed:
    """Take the first seat, whoever sits there."""
    return Changed({**seats, "a": order.who}, "a")


def rise(seats: Mapping[str, str], order: Order) -> Mapping[str, str]:
    """Leave it again."""
    return {seat: "" if who == order.who else who for seat, who in seats.items()}


HALLS: Final = {"HERE": {"a": "", "b": ""}, "THERE": {"a": "", "b": ""}}
ANY_SEAT: Final[Mapping[str, Callable[[Any], object]]] = {
    "HERE_TAKEN": bool,
    "THERE_TAKEN": bool,
    "HERE": lambda seats: sorted(seats.values()),
    "THERE": lambda seats: sorted(seats.values()),
}


def halls(here: Any, there: Any, alike: Mapping[str, Callable[[Any], object]]) -> Scenario:
    """Each order takes a seat in one hall, then in another."""
    saga = Saga("together", Order, [on("HERE", here, rise), on("THERE", there, rise), PARCEL])
    return Scenario(saga, {name: {"one": seats} for name, seats in HALLS.items()}, (ANN, BOB), alike=alike)


CASES: Final = [
    Case("pieces of two batches go back into the oldest one",
         dairy(put_on_oldest, 2, 2), dairy(put_on_own, 1, 4), UPDATE),
    Case("both looked before either took",
         together(LOOKED, TAKEN, STOCK=1), together(TAKEN_IF_THERE, STOCK=1), ORDERED),
    Case("the last two doctors leave, each having seen the other",
         together(SEEN, LEFT_AS_SEEN, DUTY=Duty(("ann", "bob"))),
         together(LEFT, DUTY=Duty(("ann", "bob"))), ORDERED),
    Case("a number that was taken back is given twice", together(on("LAST", draw, undraw), LAST=0),
         together(on("LAST", draw, unchanged, leaves=lambda last, _: last + 1), LAST=0), DIRTY),
    Case("a price that was taken back is paid", together(on("FARE", raise_or_pay, lower_or_pay_back), FARE=Fare()),
         together(on("FARE", pay, pay_back), FARE=Fare()), DIRTY),
    Case("interest is paid on what was taken back", together(on("SAVED", grow, shrink), SAVED=1000),
         together(on("SAVED", lambda cents, _: cents + 100, lambda cents, _: cents - 100), SAVED=1000), DIRTY),
    Case("an alarm of a third order is not lowered",
         together(on("BIN", take_from_bin, fill), orders=(ANN, BOB, CEM), BIN=Bin(4)),
         together(on("BIN", take_from_bin, fill_and_lower), orders=(ANN, BOB, CEM), BIN=Bin(4)), UPDATE),
    Case("one sits on another's seat, though any will do", halls(sit, sit_in_passing, ANY_SEAT),
         halls(sit, sit, ANY_SEAT), UPDATE),
    Case("which seat is not said to be all the same", halls(sit, sit, {}), halls(sit, sit, ANY_SEAT), UPDATE),
]  # fmt: skip
