"""The sagas of a ticket office, whose services CREDIT and SEATS are apart; docs/spread.md says how they are run."""

from __future__ import annotations

from typing import NamedTuple

from amends import Command, Refused, Saga, local


class Buy(NamedTuple):
    """What a visitor asks for."""

    customer: str
    show: str
    seats: int


def pay(credit: int, buy: Buy) -> int | Refused:
    return credit - 20 * buy.seats if 20 * buy.seats <= credit else Refused(f"{credit} left")


def pay_back(credit: int, buy: Buy) -> int:
    return credit + 20 * buy.seats


def hold(free: int, buy: Buy) -> int | Refused:
    return free - buy.seats if buy.seats <= free else Refused(f"{free} seats left")


def let_go(free: int, buy: Buy) -> int:
    return free + buy.seats


def add(before: int | None, more: int) -> int:
    return (before or 0) + more


tickets = Saga(
    "tickets",
    Buy,
    [
        local("CREDIT_TAKEN", pay, service="CREDIT", entity=lambda buy: buy.customer, undo=pay_back, undone="RETURNED"),
        local("SEATS_HELD", hold, service="SEATS", entity=lambda buy: buy.show, undo=let_go, undone="SEATS_FREED"),
    ],
)
credit_given = Command("CREDIT_GIVEN", "CREDIT", add)
seats_built = Command("SEATS_BUILT", "SEATS", add)
