"""A trip: hotel, flight and car at the same time, then the money, then the confirmation.

Rooms, seats and cars are ours: pure functions on entities. The money is somebody else's: a charge can be looked up.
From there a trip takes place. `amends graph examples/trip.py:trip` draws it, `amends check` breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from amends import Call, Done, Refused, Saga, Scenario, external, local, parallel


@dataclass(frozen=True)
class Trip:
    """What a traveller asks for."""

    traveller: str
    hotel: str
    flight: str
    car: str
    cents: int


@dataclass(frozen=True)
class Places:
    """Rooms, seats or cars: how many are free, and who has one."""

    free: int
    taken_by: tuple[str, ...] = ()


class Bank(Protocol):
    """Somebody else's system, for payments. Asked twice with one key, it charges once."""

    def charge(self, who: str, cents: int, key: str) -> str | None: ...
    def receipt(self, key: str) -> str | None: ...


def book(places: Places | None, trip: Trip) -> Places | Refused:
    if places is None or not places.free:
        return Refused("sold out")
    return Places(places.free - 1, (*places.taken_by, trip.traveller))


def give_back(places: Places, trip: Trip) -> Places:
    others = list(places.taken_by)
    others.remove(trip.traveller)
    return replace(places, free=places.free + 1, taken_by=tuple(others))


def charge(bank: Bank, trip: Trip, call: Call) -> Done | Refused:
    receipt = bank.charge(trip.traveller, trip.cents, key=call.key)
    return Done(receipt) if receipt else Refused("card declined")


def find_charge(bank: Bank, _: Trip, call: Call) -> Done | Refused:
    receipt = bank.receipt(call.key)
    return Done(receipt) if receipt else Refused("no such charge")


def confirm(send: Callable[[str, str], object], trip: Trip, call: Call) -> None:
    send(trip.traveller, f"{trip.hotel}, {trip.flight}, {trip.car}: {call.answers['MONEY_CHARGED']}")


trip = Saga("trip", Trip, [
    parallel(
        local("HOTEL_BOOKED", book, undo=give_back, undone="HOTEL_CANCELED", entity=lambda trip: trip.hotel),
        local("FLIGHT_BOOKED", book, undo=give_back, undone="FLIGHT_CANCELED", entity=lambda trip: trip.flight),
        local("CAR_BOOKED", book, undo=give_back, undone="CAR_CANCELED", entity=lambda trip: trip.car),
    ),
    external("MONEY_CHARGED", charge, pivot=True, probe=find_charge, settles_within_s=120, key_lives_h=24),
    external("MAIL_SENT", confirm, at_least_once=True),
])  # fmt: skip

ada = Scenario(trip, {"HOTEL": {"Ritz": Places(1)}, "FLIGHT": {"LX-8": Places(1)}, "CAR": {"Fiat": Places(1)}},
               [Trip("Ada", "Ritz", "LX-8", "Fiat", 90_000)])  # fmt: skip
