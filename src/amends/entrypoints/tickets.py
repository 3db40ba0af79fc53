"""The saga of one's own that ``amends demo`` shows as it stands here, from the next import on, and runs."""

from __future__ import annotations

from typing import NamedTuple

from amends import Call, Refused, Saga, external, local


class Buy(NamedTuple):
    show: str
    seats: int
    card: str


def hold(free: int, buy: Buy) -> int | Refused:  # kept here: before -> after
    return free - buy.seats if buy.seats <= free else Refused("sold out")


def let_go(free: int, buy: Buy) -> int:
    return free + buy.seats


def charge(bank: dict[str, int], buy: Buy, call: Call) -> None:  # outside
    bank[buy.card] -= 20 * buy.seats


def refund(bank: dict[str, int], buy: Buy, call: Call) -> None:
    bank[buy.card] += 20 * buy.seats


def issue(_: str | None, buy: Buy) -> str | Refused:
    return buy.show if buy.seats < 5 else Refused("printer jammed")


TICKETS = Saga("tickets", Buy, [
    local("SEATS_HELD", hold, entity=lambda buy: buy.show,
          undo=let_go, undone="SEATS_FREED"),
    external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED"),
    local("TICKET_ISSUED", issue, entity=lambda buy: buy.card, pivot=True),
])  # fmt: skip
