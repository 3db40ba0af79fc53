"""The ticket saga that ``amends demo`` shows as it stands here, from the next import on, and breaks, mends and runs."""

from __future__ import annotations

from typing import Any, NamedTuple

from amends import Call, Done, Refused, Saga, Scenario, external, local
from amends.checking import adapter
from amends.entrypoints.demo.bank import Bank, charged


class Buy(NamedTuple):
    show: str
    seats: int
    name: str


def charge(bank: Bank, buy: Buy, call: Call) -> Done:  # the world outside
    return Done(bank.charge(2100 * buy.seats, key=call.key))


def refund(bank: Bank, buy: Buy, call: Call) -> None:
    if call.answer:  # without a receipt there is nothing to refund
        bank.refund(call.answer)


def hold(free: int, buy: Buy) -> int | Refused:  # kept here: before -> after
    return free - buy.seats if buy.seats <= free else Refused("sold out")


def let_go(free: int, buy: Buy) -> int:
    return free + buy.seats


def issue(_: str | None, buy: Buy) -> str | Refused:
    return f"{buy.seats} seats" if buy.seats < 5 else Refused("printer jammed")


def tickets(**more: Any) -> Saga:
    return Saga("tickets", Buy, [
        external("CARD_CHARGED", charge,
                 undo=refund, undone="CARD_REFUNDED", **more),
        local("SEATS_HELD", hold, entity=lambda buy: buy.show,
              undo=let_go, undone="SEATS_FREED"),
        local("TICKET_ISSUED", issue, entity=lambda buy: buy.name, pivot=True),
    ])  # fmt: skip


def one_sale(saga: Saga) -> Scenario:  # a small world to check it in
    return Scenario(saga, given={"SEATS": {"Hamlet": 10}},
                    requests=[Buy("Hamlet", 2, "ada")],
                    models={"CARD": adapter(Bank, standing=charged)})  # fmt: skip


def find(bank: Bank, buy: Buy, call: Call) -> Done | Refused:
    receipt = bank.receipt(call.key)
    return Done(receipt) if receipt else Refused("no such charge")
