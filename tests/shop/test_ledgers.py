"""A session goes by what any ledger may say: that an order is still under way, that operations were answered before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from amends.shop import Session, ecommerce_saga_processor
from amends.shop.ledger import MemoryLedger, MemoryUnit
from amends.shop.report import Row
from amends.shop.unit import Upshot

OPERATIONS: list[Any] = [
    ("CREATE_CUSTOMER", "C1", 1000),
    ("ADD_PRODUCT", "P1", 5, 100),
    ("PLACE_ORDER", "C1", "P1", 2),
    ("PLACE_ORDER", "C1", "P1", 4),
    ("QUERY_ORDER", "O001"),
    ("PLACE_ORDER", "C1", "P1", 1),
]


class SlowUnit(MemoryUnit):
    """Its orders are under way when it ends, and it may know answers from before."""

    def start(self, purchase: Any, failing: int | None) -> Row:
        """Start an order's saga, and say that it has not ended."""
        self.waits_for = purchase[0]
        return super().start(purchase, failing)


class SlowLedger(MemoryLedger):
    """Takes a few operations at a time, and waits for each order; remembers what it answered under a key."""

    piece_max = 2

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[str] = []
        self.answers: dict[str, Upshot] = {}

    def transact(self, do: Callable[[Any], Any], keys: Sequence[str] = ()) -> Any:
        """Run a function on a unit of work; what is known under the first keys is answered again."""
        unit = SlowUnit(self.entities, self.sagas)
        known = [self.answers[key] for key in keys if key in self.answers]
        unit.answered = tuple(known)
        given = do(unit)
        if not known:
            self.answers |= dict(zip(keys, getattr(given, "answers", ()), strict=False))
            self.sagas.update(unit.placed)
            for service in ("ORDER", "SHIPPING"):
                self.entities[service].update(unit.entities[service])
        return given

    def wait_for(self, order_id: str) -> None:
        """Wait for an order; it ends at once."""
        self.waited.append(order_id)


def test_an_order_that_is_under_way_ends_before_the_next_operation() -> None:
    """The report is that of orders which end at once."""
    ledger, reached = SlowLedger(), list[int]()
    assert Session(ledger=ledger).process(OPERATIONS, done=reached.append) == ecommerce_saga_processor(OPERATIONS)
    assert reached == [2, 3, 4, 6]
    assert ledger.waited == ["O001", "O002", "O003"]


def test_what_was_answered_under_a_key_is_not_carried_out_again() -> None:
    """A second session on the same ledger gives the same report, and says how much was known."""
    ledger = SlowLedger()
    first = Session(ledger=ledger)
    report = first.process(OPERATIONS, key="monday")
    again = Session(ledger=ledger)
    assert again.process(OPERATIONS, key="monday") == report
    assert (first.known, again.known) == (0, len(OPERATIONS))
    assert ledger.waited == ["O001", "O002", "O003"]


def test_an_order_that_was_not_placed_is_no_saga() -> None:
    """Its id is the key that is missing."""
    with pytest.raises(KeyError, match="O009"):
        Session().placed("O009")
