"""Vouchers that several orders share, kept by a system outside, and charges that only its books tell of."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from amends.checking.adapters import adapter
from amends.checking.models import Model
from amends.core.definition import Saga, Step, external
from amends.core.messages import Call, Done, Refused
from amends.scenario import Scenario, Under
from tests.checking.cases.case import Case
from tests.checking.cases.outside import LEFT, PARCEL, Bank, Charge, Order, card, charge, paid

DIRTY, IN_TURN = "no dirty read", "as if one after the other"
ANN, BOB = Order("ann", 300), Order("bob", 500)


class Voucher(NamedTuple):
    """What is left of it, and which keys did what."""

    cents: int
    seen: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class Issuer:
    """Who keeps a voucher: it does a key once, and remembers what it refused."""

    def __init__(self, books: Voucher) -> None:
        self.books = books

    def add(self, key: str, cents: int) -> None:
        """Change what is left."""
        if key not in self.books.seen:
            seen = tuple(sorted((*self.books.seen, key)))
            self.books = self.books._replace(cents=self.books.cents + cents, seen=seen)

    def take(self, key: str, cents: int) -> bool:
        """Take from it, where there is enough."""
        if key not in self.books.seen and (key in self.books.refused or self.books.cents < cents):
            self.books = self.books._replace(refused=tuple(sorted({*self.books.refused, key})))
            return False
        self.add(key, -cents)
        return True


def ask(issuer: Issuer, order: Order, _: Call) -> Done | Refused:
    """Look whether there is enough."""
    return Done() if issuer.books.cents >= order.cents else Refused("too little is left")


def spend_blindly(issuer: Issuer, order: Order, call: Call) -> Done:
    """Take it, as somebody looked before."""
    issuer.add(call.key, -order.cents)
    return Done(order.cents)


def spend(issuer: Issuer, order: Order, call: Call) -> Done | Refused:
    """Look and take."""
    return Done(order.cents) if issuer.take(call.key, order.cents) else Refused("too little is left")


def load(issuer: Issuer, order: Order, call: Call) -> Done:
    """Put money on it."""
    issuer.add(call.key, order.cents)
    return Done(order.cents)


def give(issuer: Issuer, _: Order, call: Call) -> None:
    """Give back what was spent."""
    if call.answer is not None:
        issuer.add(call.key, call.answer)


def unload(issuer: Issuer, _: Order, call: Call) -> None:
    """Take back what was put on it."""
    if call.answer is not None:
        issuer.add(call.key, -call.answer)


def find(issuer: Issuer, order: Order, call: Call) -> Done | Refused:
    """Look for a key."""
    return Done(order.cents) if call.key in issuer.books.seen else Refused("never seen")


def standing(books: Voucher) -> tuple[str, ...]:
    """What was done and not taken back."""
    return tuple(key for key in books.seen if key.endswith("/do") and key.replace("/do", "/undo") not in books.seen)


def on_voucher(event: str, action: Any, undo: Any) -> Step:
    """A step that changes what is left."""
    return external(event, action, undo=undo, undone=f"{event}_BACK", service="VOUCHER", probe=find,
                    settles_within_s=60)  # fmt: skip


ASKED: Final = external("VOUCHER_ASKED", ask, service="VOUCHER", asks=True)
SPENT: Final = on_voucher("VOUCHER_SPENT", spend, give)
BLINDLY: Final = on_voucher("VOUCHER_SPENT", spend_blindly, give)
TOP_UP: Final = Saga("top up", Order, [on_voucher("VOUCHER_LOADED", load, unload), PARCEL])
TOP_UP_LAST: Final = Saga("top up", Order, [PARCEL, external("VOUCHER_LOADED", load, service="VOUCHER")])


def issuer(cents: int, *, by_view: bool) -> Model:
    """The one who keeps it."""
    if by_view:
        return adapter(Issuer, Voucher(cents), view=lambda books: books.cents)
    return adapter(Issuer, Voucher(cents), standing)


def two(*steps: Step, by_view: bool) -> Scenario:
    """Two orders that want more than there is."""
    saga = Saga("spend", Order, [*steps, PARCEL])
    return Scenario(saga, {}, [ANN, BOB], {"VOUCHER": issuer(600, by_view=by_view)})


def topped_up(top_up: Saga, *, by_view: bool) -> Scenario:
    """One loads what the other spends."""
    saga = Saga("spend", Order, [SPENT, PARCEL])
    return Scenario(saga, {}, [ANN, Under(top_up, ANN)], {"VOUCHER": issuer(0, by_view=by_view)})


class KnowsNoKeys(Bank):
    """A bank that charges whenever it is asked."""

    def charge(self, key: str, cents: int) -> None:
        """Take money."""
        self.books = (*self.books, Charge(key, cents))


def in_all(books: tuple[Charge, ...]) -> int:
    """What the bank took."""
    return sum(row.cents - row.back for row in books)


def retried(*, at_least_once: bool) -> Scenario:
    """A charge that is asked for until it is done."""
    step = external("CARD_CHARGED", charge, pivot=True, service="CARD", at_least_once=at_least_once)
    return Scenario(Saga("paid", Order, [step]), {}, [ANN], {"CARD": adapter(KnowsNoKeys, view=in_all)})


CASES: Final = [
    Case("a-voucher-is-overdrawn", two(ASKED, BLINDLY, by_view=True), two(SPENT, by_view=True), IN_TURN),
    Case("a-voucher-is-overdrawn-standing", two(ASKED, BLINDLY, by_view=False), two(SPENT, by_view=False), IN_TURN),
    Case("what-was-unloaded-is-spent", topped_up(TOP_UP, by_view=True), topped_up(TOP_UP_LAST, by_view=True), DIRTY),
    Case("what-was-unloaded-is-spent-standing", topped_up(TOP_UP, by_view=False),
         topped_up(TOP_UP_LAST, by_view=False), DIRTY),
    Case("a-double-charge-shows-in-the-sum", paid(card(), card=adapter(KnowsNoKeys, view=in_all)),
         paid(card(), card=adapter(Bank, view=in_all)), LEFT),
    Case("a-double-that-is-said", retried(at_least_once=False), retried(at_least_once=True), LEFT),
]  # fmt: skip
