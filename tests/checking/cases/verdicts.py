"""Checks that were green and said nothing: what raises, what hides, what is another the next time; each with a twin."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from amends.checking.adapters import adapter
from amends.core.definition import Saga, Step, external, local
from amends.core.messages import Call, Done, Refused
from amends.scenario import Scenario
from tests.checking.cases.case import Case


class Order(NamedTuple):
    """Who buys how much."""

    who: str = "ann"
    pieces: int = 2


class Stock(NamedTuple):
    """What there is, and what one costs."""

    pieces: int = 3
    price: int = 10


STARTED: Final = time.time()
DAY_S: Final = 86_400.0
PARCEL: Final = local("PARCEL_SHIPPED", lambda _, order: order.pieces, pivot=True, entity=lambda order: order.who)
ALWAYS, ELSEWHERE = "a function does not always raise", "what differs between two calls does not matter"
LEFT, ENDS, IN_PLACE = "all or nothing is left", "every saga ends", "books are not changed in place"


def take(stock: Stock, order: Order) -> Stock | Refused:
    """Take pieces."""
    left = stock.pieces - order.pieces
    return stock._replace(pieces=left) if left >= 0 else Refused("sold out")


def give_back(stock: Stock, order: Order) -> Stock:
    """Put them back."""
    return stock._replace(pieces=stock.pieces + order.pieces)


def sale(action: Callable[..., Any] = take, undo: Callable[..., Any] = give_back) -> Scenario:
    """Return a sale of what is in stock."""
    taken = local("STOCK_TAKEN", action, undo=undo, undone="STOCK_GIVEN_BACK", entity=lambda _: "milk")
    return Scenario(Saga("sale", Order, [taken, PARCEL]), {"STOCK": {"milk": Stock()}}, [Order()])


# What is another the next time ------------------------------------------------------------------------------------


def at_the_opening_price(stock: Stock, order: Order) -> Stock | Refused:
    """Take pieces, for less on the first day."""
    after = take(stock, order)
    is_first_day = time.time() - STARTED < DAY_S
    return after if isinstance(after, Refused) else after._replace(price=9 if is_first_day else 10)


def at_the_price_asked(stock: Stock, order: Order) -> Stock | Refused:
    """Take pieces, for the price that was agreed."""
    after = take(stock, order)
    return after if isinstance(after, Refused) else after._replace(price=9)


def back_at_full_price(stock: Stock, order: Order) -> Stock:
    """Put them back, and the price up."""
    return give_back(stock, order)._replace(price=10)


def gives_up_at_the_third(stock: Stock, order: Order, call: Call) -> Stock | Refused:
    """Take pieces; a third attempt is one too many."""
    return take(stock, order) if call.attempt < 3 else Refused("tried too often")


def until_it_is_done(stock: Stock, order: Order, call: Call) -> Stock | Refused:
    """Take pieces, at whatever attempt."""
    return take(stock, order)


# What hides ---------------------------------------------------------------------------------------------------------


@dataclass
class Till:
    """Books whose text hides what is in them; they remember the keys that were used."""

    keys: tuple[str, ...] = ()
    cents: int = field(default=0, repr=False)


class Shop:
    """A client that keeps a till."""

    def __init__(self, books: Till) -> None:
        self.books = books

    def put(self, cents: int, key: str) -> None:
        """Have so much in it, in a new till; a key is used once, and none whose undo was."""
        if not {key, f"{key.removesuffix('do')}undo"} & {*self.books.keys}:
            self.books = Till((*self.books.keys, key), cents)


class Careless(Shop):
    """The same till, written into."""

    def put(self, cents: int, key: str) -> None:
        """Have so much in it."""
        self.books.cents = cents


def paid(shop: Shop, order: Order, call: Call) -> Done:
    """Pay."""
    shop.put(order.pieces, call.key)
    return Done(call.key)


def paid_back(shop: Shop, order: Order, call: Call) -> None:
    """Pay back."""
    shop.put(0, call.key)


def forgotten(shop: Shop, order: Order, call: Call) -> None:
    """Use the key, and forget to pay back."""
    shop.put(shop.books.cents, call.key)


def in_till(shop: Shop, order: Order, call: Call) -> Done | Refused:
    """Look whether it was paid."""
    return Done(call.key) if shop.books.cents else Refused("nothing was paid")


def pays(action: Any = paid, undo: Any = paid_back, probe: Any = in_till, client: Any = Shop) -> Scenario:
    """Return a sale that is paid outside."""
    step: Step = external("TILL_PAID", action, undo=undo, undone="TILL_PAID_BACK", probe=probe, settles_within_s=60)
    return Scenario(Saga("pays", Order, [step, PARCEL]), {}, [Order()], {"TILL": adapter(client, Till())})


# What raises --------------------------------------------------------------------------------------------------------


def paid_by_a_name(shop: Any, order: Order, call: Call) -> Done:
    """Pay by a method that was renamed: no saga ever completes, and each is compensated."""
    shop.put_in(order.pieces)
    return Done(call.key)


def looked_up_wrongly(shop: Any, order: Order, call: Call) -> Done:
    """Look into a field that there is not."""
    return Done(shop.books.euros)


def spoils(given: Any) -> bool:
    """Look at a row that there is not."""
    return bool(given["STOCK"]["cream"].pieces < 0)


def is_negative(given: Any) -> bool:
    """Look at the row that there is."""
    return bool(given["STOCK"]["milk"].pieces < 0)


def never(rule: Callable[[Any], bool]) -> Scenario:
    """Return a sale with a rule."""
    return Scenario(sale().saga, sale().given, [Order()], never=[rule])


CASES: Final = [
    Case("a price depends on the day", sale(at_the_opening_price, back_at_full_price),
         sale(at_the_price_asked, back_at_full_price), ELSEWHERE, 0),
    Case("a decider gives up at its third attempt", sale(gives_up_at_the_third), sale(until_it_is_done), ELSEWHERE, 0),
    Case("books hide in their text what is left in them", pays(undo=forgotten), pays(), LEFT, 1),
    Case("a client writes into the books that it was given", pays(client=Careless), pays(), IN_PLACE, 0),
    Case("the charge calls a method that was renamed", pays(paid_by_a_name), pays(), ALWAYS, 0),
    Case("the probe reads a field that there is not", pays(probe=looked_up_wrongly), pays(), ENDS, 1),
    Case("a rule looks at a row that there is not", never(spoils), never(is_negative), "never: spoils", 0),
]  # fmt: skip
