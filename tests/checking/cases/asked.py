"""Sagas that hold while objects are handed around, and fail once they were stored and read back; beside their twins.

Each was green before participants were asked with what is read back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from amends import GONE, Call, Changed, Done, Refused, Saga, Scenario, external, local
from amends.checking import adapter
from amends.checking.read_back import READ_BACK
from amends.core.messages import Gone


class Buy(NamedTuple):
    """What is asked for."""

    who: str = "ann"
    number: int = 7


class Receipt(NamedTuple):
    """What the bank gives."""

    id: str
    cents: int = 100


@dataclass(frozen=True)
class Slip:
    """The same, as a dataclass."""

    id: str


class Shelf(NamedTuple):
    """What is kept."""

    free: int = 3


class Case(NamedTuple):
    """A saga as it was written, its twin as it was meant, and what the check says of the first one."""

    name: str
    written: Scenario
    meant: Scenario
    told: tuple[str, ...]
    rule: str = READ_BACK


# The world outside -------------------------------------------------------------------------------------------


class Bank:
    """A bank that does a key once."""

    def __init__(self, books: tuple[str, ...] = ()) -> None:
        self.books = books

    def charge(self, key: str) -> None:
        """Charge."""
        if not {key, f"{key} back"} & {*self.books}:
            self.books = (*self.books, key)

    def refund(self, key: str) -> None:
        """Give back."""
        self.books = tuple(f"{key} back" if one == key else one for one in self.books)


def standing(books: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was charged and not given back."""
    return tuple(one for one in books if not one.endswith("back"))


def charge(bank: Any, buy: Buy, call: Call) -> Done | Refused:
    """Charge, and say nothing of what the receipt is."""
    bank.charge(call.key)
    return Done(Receipt(call.key))


def charge_by_set(bank: Any, buy: Buy, call: Call) -> Done | Refused:
    """Charge, and answer what JSON does not give back."""
    bank.charge(call.key)
    return Done({call.key})


def charge_typed(bank: Any, buy: Buy, call: Call) -> Done[Receipt] | Refused:
    """Charge."""
    bank.charge(call.key)
    return Done(Receipt(call.key))


async def charge_async(bank: Any, buy: Buy, call: Call) -> Done[Receipt]:
    """Charge, as it is written for a loop."""
    bank.charge(call.key)
    return Done(Receipt(call.key))


def charge_wrongly(bank: Any, buy: Buy, call: Call) -> Done[Receipt]:
    """Charge, and say that a dict is a receipt."""
    bank.charge(call.key)
    return Done({"id": call.key, "cents": 100})  # type: ignore[arg-type]  # which is the bug


def refund(bank: Any, buy: Buy, call: Call) -> None:
    """Refund by a field of the receipt."""
    bank.refund(call.answer.id)


def refund_by_number(bank: Any, buy: Buy, call: Call) -> None:
    """Refund by a field that a receipt does not have."""
    bank.refund(call.answer.number)


def look_up(bank: Any, buy: Buy, call: Call) -> Done | Refused:
    """Look, and say nothing of what the slip is."""
    return Done(Slip(call.key)) if call.key in bank.books else Refused("nothing")


def look_up_typed(bank: Any, buy: Buy, call: Call) -> Done[Slip] | Refused:
    """Look."""
    return Done(Slip(call.key)) if call.key in bank.books else Refused("nothing")


def charge_quietly(bank: Any, buy: Buy, call: Call) -> Done:
    """Charge; the receipt is found by the probe alone."""
    bank.charge(call.key)
    return Done()


def refund_if_known(bank: Any, buy: Buy, call: Call) -> None:
    """Refund what the probe found, or what the action did."""
    bank.refund(call.answer.id if call.answer else call.key.replace("/undo", "/do"))


def card(action: Callable[..., Any], undo: Callable[..., Any] = refund, probe: Callable[..., Any] | None = None) -> Any:
    """A step outside."""
    return external(
        "CARD_CHARGED", action, undo=undo, undone="CARD_REFUNDED", probe=probe or look_up_again, settles_within_s=60
    )


def look_up_again(bank: Any, buy: Buy, call: Call) -> Done | Refused:
    """Look for the charge."""
    return Done(Receipt(call.key)) if call.key in bank.books else Refused("nothing")


# What is ours ------------------------------------------------------------------------------------------------


def order(_: Any, buy: Buy) -> int:
    """Write the order down."""
    return buy.number


ORDER: Final = local("ORDER_PLACED", order, pivot=True, entity=lambda buy: buy.who)


def shelf(action: Callable[..., Any], undo: Callable[..., Any], entity: Any = None) -> Any:
    """A step of our own."""
    of = entity or (lambda buy: buy.who)
    return local("SHELF_TAKEN", action, undo=undo, undone="SHELF_GIVEN_BACK", entity=of)


def take(kept: Shelf | None, buy: Buy) -> Shelf:
    """Take a piece."""
    return Shelf((kept or Shelf()).free - 1)


def give(kept: Shelf, buy: Buy) -> Shelf:
    """Give it back."""
    return Shelf(kept.free + 1)


def clear(kept: Shelf, buy: Buy) -> Gone:
    """Leave no shelf behind."""
    return GONE


def take_untyped(kept, buy):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - which is the bug
    """Take a piece."""
    return Shelf((kept or Shelf()).free - 1)


def give_untyped(kept, buy):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give it back."""
    return Shelf(kept.free + 1)


def count(kept: dict | None, buy: Buy) -> dict:  # type: ignore[type-arg]
    """Count by number."""
    return {**(kept or {}), buy.number: 1}


def uncount(kept: dict, buy: Buy) -> Gone:  # type: ignore[type-arg]
    """Take back what was counted."""
    return GONE


def count_typed(kept: dict[int, int] | None, buy: Buy) -> dict[int, int]:
    """Count by number."""
    return {**(kept or {}), buy.number: 1}


def uncount_typed(kept: dict[int, int], buy: Buy) -> Gone:
    """Take back what was counted."""
    return GONE


def take_and_tell(kept: Shelf, buy: Buy) -> Changed | Refused:
    """Take a piece, and say nothing of what the answer is."""
    return Changed(Shelf(kept.free - 1), Receipt("r"))


def take_and_tell_typed(kept: Shelf, buy: Buy) -> Changed[Shelf, Receipt] | Refused:
    """Take a piece."""
    return Changed(Shelf(kept.free - 1), Receipt("r"))


def tell_who(kept: Shelf, buy: Buy) -> Changed:
    """Answer a set of names."""
    return Changed(Shelf(kept.free - 1), frozenset({buy.who}))


def tell_who_typed(kept: Shelf, buy: Buy) -> Changed[Shelf, frozenset[str]]:
    """Answer a set of names."""
    return Changed(Shelf(kept.free - 1), frozenset({buy.who}))


def share(kept: float | None, buy: Buy) -> float:
    """Give everybody's share of nothing."""
    return float("inf")


def share_nothing(kept: float | None, buy: Buy) -> float:
    """Give no share."""
    return 0.0


def unshare(kept: float, buy: Buy) -> float:
    """Take it back."""
    return 0.0


def price(kept: Decimal, buy: Buy) -> Changed[Decimal, Decimal]:
    """Answer what no number is."""
    return Changed(kept - 1, Decimal("Infinity"))


def price_finite(kept: Decimal, buy: Buy) -> Changed[Decimal, Decimal]:
    """Answer a number."""
    return Changed(kept - 1, Decimal("9.99"))


def price_back(kept: Decimal, buy: Buy) -> Decimal:
    """Take it back."""
    return kept + 1


def read_receipt(_: Any, buy: Buy, call: Call) -> str:
    """Write down a field of an earlier answer."""
    text: str = call.answers["SHELF_TAKEN"].id
    return text


def read_charge(_: Any, buy: Buy, call: Call) -> str:
    """Write down a field of the charge's answer."""
    text: str = call.answers["CARD_CHARGED"].id
    return text


NOTED: Final = local("NOTE_WRITTEN", read_receipt, pivot=True, entity=lambda buy: buy.who)


def sale(*steps: Any, given: Any = None, request: Any = Buy, asked: Any = Buy()) -> Scenario:  # noqa: B008 - a value
    """One buyer."""
    models = {"CARD": adapter(Bank, standing=standing)}
    saga = Saga("sale", request, [*steps])
    used = {step.service for step in saga.every_step()}
    return Scenario(saga, given or {}, [asked], {name: model for name, model in models.items() if name in used})


def by_ready_model(action: Callable[..., Any], undo: Callable[..., Any] = refund) -> Scenario:
    """Nobody runs these functions."""
    return Scenario(Saga("sale", Buy, [card(action, undo), ORDER]), {}, [Buy()])


FULL: Final[Any] = {"SHELF": {"ann": Shelf()}}
BY_WHO: Final = local("NAME_WRITTEN", lambda _, asked: asked["who"], pivot=True, entity=lambda asked: asked["who"])
READ_AS: Final = "would come back as"

CASES: Final = [
    Case("a refund reads a field of an answer that nobody typed", sale(card(charge), ORDER),
         sale(card(charge_typed), ORDER),
         ("AttributeError: 'list' object has no attribute 'id'", "say `-> Done[Receipt]`"), "every saga ends"),
    Case("the same, for a loop", sale(card(charge), ORDER), sale(card(charge_async), ORDER), ("no attribute 'id'",),
         "every saga ends"),
    Case("a refund that nobody runs reads a field of an answer that nobody typed",
         by_ready_model(charge), by_ready_model(charge_typed),
         ("CARD_CHARGED/undo (refund) reads call.answer.id, which plain JSON does not have", "-> Done[Receipt]"),
         "a function raises"),
    Case("a refund that nobody runs reads a field that its answer does not have",
         by_ready_model(charge_typed, refund_by_number), by_ready_model(charge_async),
         ("reads call.answer.number, which Receipt does not have",), "a function raises"),
    Case("the answer is of another type than was said", sale(card(charge_wrongly), ORDER),
         sale(card(charge_typed), ORDER),
         ("(charge_wrongly): the answer cannot be stored", "cannot be read back as Receipt")),
    Case("a probe finds what nobody typed", sale(card(charge_quietly, refund_if_known, look_up), ORDER),
         sale(card(charge_quietly, refund_if_known, look_up_typed), ORDER),
         ("CARD_CHARGED/probe (look_up): the answer", "Slip(id='s1/CARD_CHARGED/do')")),
    Case("an entity that nobody typed is a list after a restart", sale(shelf(take_untyped, give_untyped), ORDER),
         sale(shelf(take, clear), ORDER),
         ("SHELF_TAKEN/do (take_untyped): the entity SHELF/ann cannot be stored: Shelf(free=2) would come back as [2]",
          "declare its type as the first parameter of SHELF's functions")),
    Case("so is one that is given", sale(shelf(take_untyped, give_untyped), ORDER, given=FULL),
         sale(shelf(take, give), ORDER, given=FULL), ("the entity SHELF/ann", "Shelf(free=3) would come back as [3]")),
    Case("the keys of a dict are numbers", sale(shelf(count, uncount), ORDER),
         sale(shelf(count_typed, uncount_typed), ORDER), ("7, at .keys(), would come back as '7'",)),
    Case("a later step reads a field of an answer that nobody typed",
         sale(shelf(take_and_tell, give), NOTED, given=FULL), sale(shelf(take_and_tell_typed, give), NOTED, given=FULL),
         ("NOTE_WRITTEN/do", "'list' object has no attribute 'id'", "nobody typed is a list"),
         "a decider raises"),
    Case("an answer is a set", sale(shelf(tell_who, give), ORDER, given=FULL),
         sale(shelf(tell_who_typed, give), ORDER, given=FULL), (f"frozenset({{'ann'}}) {READ_AS} ['ann']",)),
    Case("an entity is infinite", sale(shelf(share, unshare), ORDER, given={"SHELF": {"ann": 0.0}}),
         sale(shelf(share_nothing, unshare), ORDER, given={"SHELF": {"ann": 0.0}}),
         ("inf holds a number that is not",)),
    Case("an answer is infinite", sale(shelf(price, price_back), ORDER, given={"SHELF": {"ann": Decimal(5)}}),
         sale(shelf(price_finite, price_back), ORDER, given={"SHELF": {"ann": Decimal(5)}}),
         ("Decimal('Infinity')", "not finite")),
    Case("an id is a number", sale(shelf(take, clear, lambda buy: buy.number), ORDER),
         sale(shelf(take, clear, lambda buy: str(buy.number)), ORDER), ("SHELF: the entity's id, 7,",)),
    Case("a request has keys that are numbers",
         sale(BY_WHO, request=dict, asked={"who": "ann", "pieces": {7: 1}}),
         sale(BY_WHO, request=dict, asked={"who": "ann", "pieces": {"7": 1}}),
         ("sale: the request cannot be stored", "7, at ['pieces'].keys(), would come back as '7'",
          "declare its type as the saga's request")),
]  # fmt: skip
