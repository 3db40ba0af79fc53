"""A ticket sale as most tutorials write it. `amends check examples/tickets.py:tickets` says what is wrong with it.

`mended` is the same with one thing more: whether an unanswered charge happened is looked up before it is undone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from amends import Call, Done, Refused, Saga, Scenario, external, local


class Buy(NamedTuple):
    """What a visitor asks for."""

    show: str
    seats: int
    card: str


def charge(bank: Any, buy: Buy, call: Call) -> Done:
    return Done(bank.charge(buy.card, 2100 * buy.seats, key=call.key))


def refund(bank: Any, _: Buy, call: Call) -> None:
    if call.answer:  # without a receipt there is nothing to refund
        bank.refund(call.answer, key=call.key)


def find_charge(bank: Any, _: Buy, call: Call) -> Done | Refused:
    receipt = bank.receipt(call.key)
    return Done(receipt) if receipt else Refused("no such charge")


def hold(free: int, buy: Buy) -> int | Refused:
    return free - buy.seats if buy.seats <= free else Refused("sold out")


def let_go(free: int, buy: Buy) -> int:
    return free + buy.seats


def issue(_: str | None, buy: Buy) -> str:
    return f"{buy.seats} seats"


def ticket_saga(name: str, **more: Any) -> Saga:
    return Saga(name, Buy, [
        external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", **more),
        local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
        local("TICKET_ISSUED", issue, pivot=True, entity=lambda buy: buy.card),
    ])  # fmt: skip


tickets = ticket_saga("tickets")
mended = ticket_saga("tickets", probe=find_charge, settles_within_s=60)

ada = Scenario(tickets, given={"SEATS": {"Hamlet": 10}}, requests=[Buy("Hamlet", 2, "ada")])
ada_mended = Scenario(mended, given={"SEATS": {"Hamlet": 10}}, requests=[Buy("Hamlet", 2, "ada")])
