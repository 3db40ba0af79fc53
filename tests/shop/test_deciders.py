"""What the services decide, where no batch can show it: a batch runs each order to its end at its place."""

from __future__ import annotations

from typing import Any

from amends import Refused, run
from amends.shop import CHECKOUT
from amends.shop.history import History
from amends.shop.inventory import Offer, Product, reserve, set_stock
from amends.shop.payments import Account, process
from amends.shop.purchase import Purchase
from amends.shop.report import Row

SHORT = Purchase("O001", "C", "P", 5, 1000, short=True)


def test_a_short_order_is_refused_also_when_stock_came_in() -> None:
    """Intake froze that it was short (contract, "Short")."""
    restocked = set_stock(Product(3, 0, 0, 3, 200), Offer(100, 200))
    assert isinstance(reserve(restocked, SHORT), Refused)
    assert reserve(restocked, SHORT._replace(short=False)) == Product(95, 5, 0, 100, 200)


def test_a_short_order_may_exceed_the_credit_until_it_is_refunded() -> None:
    """A doomed order alone, between its payment and its refund (contract, "Short")."""
    assert process(Account(800, 0), SHORT) == Account(800, 1000)
    assert isinstance(process(Account(800, 0), SHORT._replace(short=False)), Refused)
    entities: dict[str, dict[str, Any]] = {"ORDER": {}, "SHIPPING": {}}
    entities |= {"PAYMENT": {"C": Account(800, 0)}, "INVENTORY": {"P": Product(100, 0, 0, 100, 200)}}
    ended = run(CHECKOUT, SHORT, saga_id="O001", entities=entities)
    assert [entry.event for entry in ended.trail] == [
        "ORDER_CREATED",
        "PAYMENT_PROCESSED",
        "INVENTORY_RESERVED",
        "PAYMENT_REFUNDED",
        "ORDER_CANCELED",
    ]
    assert entities["PAYMENT"] == {"C": Account(800, 0)}


def test_a_history_gives_its_orders_in_sequence() -> None:
    """Packed ones first, then the last batch."""
    history = History()
    rows: dict[str, Row] = {f"O{n:03d}": (f"O{n:03d}", "C", "P", 1, 2, False, "way", "") for n in range(1, 4)}
    history.update({"O001": rows["O001"], "O002": rows["O002"]})
    history.update({"O003": rows["O003"]})
    assert (list(history), len(history)) == (list(rows), 3)
    assert dict(history) == rows
