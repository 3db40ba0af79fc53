"""Definitions that the shop does not know: trips, with a bank that can be away or closed, and a manager who is asked.

`amends serve tests.e2e.trips:engine` serves them on a store in the folder `AMENDS_E2E`. A file there named ``away``
makes charges fail, one named ``closed`` makes the bank refuse refunds: tests write and delete them.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import amends
from amends import Backoff, Call, Done, Refused, Saga, external, local, wait_for

SEATS = 100_000
QUICK = Backoff(first_s=0.2, cap_s=0.5)


@dataclass(frozen=True)
class Journey:
    """What a traveller asks for; who travels as ``nobody`` gets no ticket."""

    traveller: str
    cents: int


class Bank(NamedTuple):
    """Its state is in the folder."""

    folder: Path

    def charge(self, key: str) -> str:
        """Take the money."""
        if (self.folder / "away").exists():
            raise ConnectionError("the bank does not answer")
        return f"receipt of {key}"

    def refund(self) -> Refused | None:
        """Give it back."""
        return Refused("the account is closed") if (self.folder / "closed").exists() else None


@dataclass(frozen=True)
class Flight:
    """Seats: how many are free, and how many are reserved for trips under way."""

    free: int = SEATS
    reserved: int = 0


def hold(flight: Flight | None, _: Journey) -> Flight | Refused:
    """SEAT_HELD."""
    seen = flight or Flight()
    return Flight(seen.free - 1, seen.reserved + 1) if seen.free else Refused("sold out")


def give_back(flight: Flight, _: Journey) -> Flight:
    """SEAT_FREED."""
    return Flight(flight.free + 1, flight.reserved - 1)


def sell(flight: Flight, _: Journey) -> Flight:
    """SEAT_SOLD."""
    return Flight(flight.free, flight.reserved - 1)


def count(guests: int | None, _: Journey) -> int:
    """GUEST_COUNTED."""
    return (guests or 0) + 1


def charge(bank: Bank, _: Journey, call: Call) -> Done:
    """CARD_CHARGED."""
    return Done(bank.charge(call.key))


def refund(bank: Bank, _: Journey, _call: Call) -> Done | Refused:
    """CARD_REFUNDED."""
    return bank.refund() or Done()


def issue(_: None, journey: Journey, _call: Call) -> Done | Refused:
    """TICKET_ISSUED."""
    return Refused("nobody travels") if journey.traveller == "nobody" else Done(f"ticket of {journey.traveller}")


TRIP = Saga("trip", Journey, [
    local("SEAT_HELD", hold, undo=give_back, undone="SEAT_FREED", entity=lambda _: "LX-8", service="FLIGHT",
          holds=["reserved"]),
    external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", service="BANK",
             backoff=QUICK, remembers_refusals=True),
    wait_for("MANAGER_APPROVED", assignee=lambda _: "ada@travel.example", limit_s=86_400),
    external("TICKET_ISSUED", issue, service="TICKETS", pivot=True),
    local("SEAT_SOLD", sell, entity=lambda _: "LX-8", service="FLIGHT"),
])  # fmt: skip
VISIT = Saga("visit", Journey, [local("GUEST_COUNTED", count, entity=lambda _: "door", service="DOOR", pivot=True)])

folder = Path(os.environ.get("AMENDS_E2E", "."))
engine = amends.open(
    f"sqlite:///{folder / 'shop.db'}",
    sagas=[TRIP, VISIT],
    clients={"BANK": Bank(folder), "TICKETS": None},
)


def fill(count: int) -> None:
    """Have so many visits in the store, which are over."""

    async def started() -> None:
        async with engine as opened:
            handles = [opened.submit(VISIT, Journey("ada", number)) for number in range(count)]
            for handle in await asyncio.gather(*handles):
                await handle.result(timeout=300)

    asyncio.run(started())
