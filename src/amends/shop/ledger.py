"""A session's ledger in memory: dicts, which end with the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from amends.core.definition import Command
from amends.core.straight import Entities
from amends.core.table import first_way
from amends.core.walk import execute, walk
from amends.shop.checkout import CHECKOUT, FAILING_AT, SERVICES
from amends.shop.history import History
from amends.shop.orders import NUMBERING, ORDER
from amends.shop.purchase import Purchase
from amends.shop.report import WAYS, Row
from amends.shop.shipping import SHIPPING
from amends.shop.unit import Given, Upshot

START: Final = first_way(CHECKOUT)
STARTS_FAILING: Final = tuple(first_way(saga) for saga in FAILING_AT)


class MemoryLedger:
    """Dicts.

    Attributes:
        entities: what the services keep: service, then id, to entity.
        sagas: the orders' sagas, by order id.
        piece_max: nothing can break down between the operations of a batch, so all of them are one piece.
    """

    piece_max = sys.maxsize

    def __init__(self) -> None:
        self.entities: Entities = {service: {} for service in SERVICES}
        self.sagas = History()

    def transact(self, do: Callable[[Any], Given], keys: Sequence[str] = ()) -> Given:  # noqa: ARG002 - none outlives us
        """Run a function on a unit of work, and keep what it did."""
        unit = MemoryUnit(self.entities, self.sagas)
        given = do(unit)
        if unit.placed:
            self.sagas.update(unit.placed)
            for service in (ORDER, SHIPPING):
                self.entities[service].update(unit.entities[service])
        return given

    def wait_for(self, order_id: str) -> None:
        """No order is ever under way here."""


class MemoryUnit:
    """What is new with each order is written to mappings of the unit's own, and kept together at its end.

    For the tables of a long session are cold memory, and one visit to them costs less than many.

    Attributes:
        entities: service, then id, to entity.
        placed: the sagas of its orders, by order id, once they are to be kept.
        waits_for: no order: each ends at once.
        answered: nothing was, before.
    """

    waits_for = ""
    answered: tuple[Upshot, ...] = ()

    def __init__(self, entities: Entities, sagas: History) -> None:
        number = entities[ORDER].get(NUMBERING, 0)
        self.entities: Entities = {**entities, ORDER: {NUMBERING: number}, SHIPPING: {}}
        self.placed: dict[str, Row] = {}
        self._sagas = sagas

    def prefetch(self, names: Iterable[tuple[str, str]]) -> None:
        """All of it is at hand."""

    def execute(self, order: Command, entity_id: str, body: Any) -> object:
        """Carry out a command on its entity."""
        return execute(self.entities, order, entity_id, body)

    def start(self, purchase: Purchase, failing: int | None) -> Row:
        """Run an order's saga to its end."""
        path, _, reason, _ = walk(
            START if failing is None else STARTS_FAILING[failing], purchase[0], purchase, self.entities
        )
        return (*purchase, WAYS[path], reason)

    def order(self, order_id: str) -> Row | None:
        """The saga of an order of a batch before; ``None`` when there is none of this id."""
        return self._sagas.get(order_id)

    def keep(self, answers: Sequence[Upshot], placed: dict[str, Row]) -> None:  # noqa: ARG002 - nobody can ask again
        """Keep the sagas of this batch."""
        self.placed = placed
