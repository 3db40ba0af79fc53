"""One system, many batches: the door to the order system, and the function in front of it.

The contract is docs/contract.md, "A session".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amends.shop.batch import Batch, NamedEntities
from amends.shop.ledger import MemoryLedger
from amends.shop.operations import Remark, read
from amends.shop.report import PlacedOrder, Report, placed_of
from amends.shop.unit import Ledger


def ecommerce_saga_processor(operations: Any) -> Report:
    """Run one batch of operations in a system of its own.

    Args:
        operations: any iterable of tuples or lists, as in docs/contract.md, "Operations". Anything else counts as
            empty.

    Returns:
        The report, as in docs/contract.md, "Report". What was not accepted is left out of it in silence; nothing is
        ever raised.
    """
    return Session(limits=True).process(operations)


class Session:
    """An order system that lives from batch to batch.

    Attributes:
        refusals: of the last batch, in the order of its list.
        notes: of the last batch, likewise: injections that could not fail an order, queries of unknown ids.
        named: what the last batch named, as it stood at its end.
        known: how many operations of the last batch were not carried out, since their answers were known under its key.
    """

    def __init__(self, *, limits: bool = False, ledger: Ledger | None = None) -> None:
        """Open a session.

        Args:
            limits: whether each batch may create 20 customers and 50 products and place 100 orders at most.
            ledger: where everything is kept; by default in memory.
        """
        self.refusals: tuple[Remark, ...] = ()
        self.notes: tuple[Remark, ...] = ()
        self.named = NamedEntities({}, {}, {})
        self.known = 0
        self._limits = limits
        self._ledger = MemoryLedger() if ledger is None else ledger

    @property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """What the services keep: service, then id, to entity. To be looked at, not to be changed."""
        return self._ledger.entities

    def placed(self, order_id: str) -> PlacedOrder:
        """An order's saga.

        Raises:
            KeyError: no such order was placed.
        """
        row = self._ledger.transact(lambda unit: unit.order(order_id))
        if row is None:
            raise KeyError(order_id)
        return placed_of(row)

    def process(self, operations: Any, *, key: str = "", done: Callable[[int], object] | None = None) -> Report:
        """Run one batch.

        Args:
            operations: as in docs/contract.md, "Operations".
            key: a name for this batch, where the ledger outlives the process: the same operations under the same key
                are carried out once, however often they come; what is left of them is done then. Empty for none.
            done: called now and then with how many operations are carried out.

        Returns:
            The entities that the batch names and the log of its orders, as at its end.
        """
        entries, unreadable = read(operations)  # first: whoever is read may use this session
        batch = Batch(entries, unreadable, limits=self._limits)
        while not batch.is_over:
            self._go_on(batch, key)
            if done is not None:
                done(batch.done)
        batch.end()
        self.named = self._ledger.transact(batch.named)
        self.refusals, self.notes, self.known = tuple(batch.refusals), tuple(batch.notes), batch.known
        return batch.report(self.named)

    def _go_on(self, batch: Batch, key: str) -> None:
        """Carry out a piece of a batch; an order that is under way then has to end before the next one begins."""
        ledger = self._ledger
        size = ledger.piece_max
        piece = ledger.transact(lambda unit: batch.carried_out(unit, size), batch.keys(key, size))
        if piece.waits_for:
            ledger.wait_for(piece.waits_for)
            piece.settle(ledger.transact(lambda unit: unit.order(piece.waits_for)))
        batch.learn(piece)
