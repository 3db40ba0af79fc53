"""The sagas that core bugs are planted under; the standard library alone, since a patched core runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from amends.checking.models import (
    Effect,
    Model,
    SystemReply,
    answers_later,
    declines,
    forgets_keys,
    honours_keys,
    standing,
)
from amends.core.definition import Saga, Step, external, local, parallel, pause, wait_for
from amends.core.messages import Call, Changed, Kind, Refused, Request
from amends.scenario import Scenario
from amends.shop.checkout import CHECKOUT
from amends.shop.inventory import INVENTORY, Product
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase

SEATS: Final[dict[str, dict[str, Any]]] = {"SEATS": {"show": 1}}


def hold(free: int | None, _: str) -> int | Refused:
    """Take a seat."""
    return free - 1 if free else Refused("sold out")


def let_go(free: int, _: str) -> int:
    """Give it back."""
    return free + 1


def issue(_: str | None, buyer: str) -> str:
    """Print the ticket."""
    return buyer


def outside(client: Any, request: str, call: Call) -> None:
    """Stand for a function of the world outside; its model acts."""


def seats(**options: Any) -> Step:
    """A step on our own entity."""
    return local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda _: "show", **options)


def charge(event: str = "CARD_CHARGED", **options: Any) -> Step:
    """A step in the world outside, with a probe."""
    probe = {"probe": outside, "settles_within_s": 60}
    return external(event, outside, undo=outside, undone=f"{event}_BACK", **{**probe, **options})


def ticket(**options: Any) -> Step:
    """A pivot of ours."""
    return local("TICKET_ISSUED", issue, pivot=True, entity=lambda buyer: buyer, **options)


def of(*steps: Any, models: dict[str, Model] | None = None, count: int = 1, **options: Any) -> Scenario:
    """A scenario with so many buyers for the one seat."""
    buyers = ["Ann", "Bob", "Cem"][:count]
    return Scenario(Saga("tickets", str, list(steps), **options), SEATS, buyers, models or {})


def order() -> Scenario:
    """An order, alone."""
    given: dict[str, dict[str, Any]] = {PAYMENT: {"C1": Account(100, 0)}, INVENTORY: {"P1": Product(5, 0, 0, 5, 10)}}
    return Scenario(CHECKOUT, given, [Purchase("O001", "C1", "P1", 2, 20, False)])


def tickets() -> Scenario:
    """Seat, card, ticket, and a list that every ticket is put on."""
    return of(seats(), charge(), ticket(), local("LIST_EXTENDED", issue, entity=lambda _: "list"))


def halted() -> Scenario:
    """The same; a step may be halted, and an operator says what may be said."""
    return replace(tickets(), operators=True)


def late() -> Scenario:
    """The same, with a card that is charged later, and a deadline."""
    return of(seats(), charge(), ticket(), models={"CARD": answers_later()}, deadline_s=300)


def last_seat() -> Scenario:
    """Two buyers for one seat."""
    return of(seats(), ticket(), count=2)


def together() -> Scenario:
    """Seat and card at the same time; the card may be declined."""
    return of(parallel(seats(), charge()), ticket(), models={"CARD": declines()})


def receipts() -> Scenario:
    """Ours alone, but the undo needs to know what the action answered."""

    def take(free: int, _: str) -> Changed:
        return Changed(free - 1, 1)

    def back(free: int, _: str, call: Call) -> int:
        return free + int(call.answer or 0)

    taken = local("SEATS_TAKEN", take, undo=back, undone="SEATS_BACK", entity=lambda _: "show")
    return of(taken, charge(service="BANK"), ticket(), models={"BANK": declines()})


def declined() -> Scenario:
    """A card that may be declined."""
    return of(seats(), charge(), ticket(), models={"CARD": declines()})


def pays() -> Scenario:
    """The pivot is in the world outside, and its key lives for a day."""
    paid = external("CARD_CHARGED", outside, pivot=True, probe=outside, settles_within_s=60, key_lives_h=24)
    return of(seats(), paid, models={"CARD": forgets_keys()})


def pays_without_probe() -> Scenario:
    """The same, and nobody can look whether it happened."""
    return of(seats(), external("CARD_CHARGED", outside, pivot=True, key_lives_h=24))


def pays_and_sends() -> Scenario:
    """Behind the pivot something is sent; that it may be refused is its fault, and an operator's business."""

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        yield from honours_keys().replies(books, request, step)
        if request.kind is Kind.DO and not books:
            yield SystemReply(books, Refused("full"), "declined", is_fault=True)

    sent = external("MAIL_SENT", outside, probe=outside, settles_within_s=60)
    return of(seats(), ticket(), sent, models={"MAIL": Model("may be full", (), replies, standing)})


def cannot_undo() -> Scenario:
    """A card whose provider may refuse to pay back; that is its fault, and an operator's business."""

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        yield from declines().replies(books, request, step)
        if request.kind is Kind.UNDO:
            yield SystemReply(books, Refused("closed"), "refused to pay back", is_fault=True)

    return of(seats(), charge(), ticket(), models={"CARD": Model("may be closed", (), replies, standing)})


def approved() -> Scenario:
    """A card is charged while the boss is asked, who may be told to hurry."""
    asked = wait_for("BOSS_APPROVED", limit_s=60)
    told = wait_for("CHIEF_APPROVED", limit_s=60, notify=outside)
    return of(seats(), parallel(charge(), asked), told, pause("COOLED_OFF", 5), ticket(), deadline_s=300)


SCENARIOS: Final[dict[str, Callable[[], Scenario]]] = {
    made.__name__: made
    for made in (
        order, tickets, late, last_seat, together, receipts, declined, pays, pays_without_probe, pays_and_sends,
        cannot_undo, halted, approved,
    )
}  # fmt: skip
