"""One system, many batches: the door to the order system in memory, and the function in front of it.

The contract is docs/contract.md, "A session".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from amends.core.messages import Refused
from amends.core.straight import Entities
from amends.core.table import first_way
from amends.core.walk import carry_out, walk
from amends.shop.checkout import CHECKOUT, FAILING_AT, SERVICES, place
from amends.shop.history import History
from amends.shop.inventory import INVENTORY, STOCK_SET, Offer
from amends.shop.operations import (
    ADD_PRODUCT,
    CREATE_CUSTOMER,
    INJECT_FAILURE,
    PLACE_ORDER,
    QUERY_CUSTOMER,
    QUERY_ORDER,
    QUERY_PRODUCT,
    Remark,
    fault,
    is_well_formed,
    read,
)
from amends.shop.orders import NUMBERING, NUMBERS_TAKEN, ORDER, order_id_of
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT
from amends.shop.report import (
    WAYS,
    Placed,
    Report,
    Row,
    customer_report,
    log_report,
    order_report,
    placed_of,
    product_report,
)
from amends.shop.shipping import SHIPPING

CUSTOMERS_MAX: Final = 20  # newly created in one call of the function (contract, "Operations")
PRODUCTS_MAX: Final = 50
ORDERS_MAX: Final = 100

START: Final = first_way(CHECKOUT)
STARTS_FAILING: Final = tuple(first_way(saga) for saga in FAILING_AT)


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


class Sagas(Protocol):
    """Where a session keeps its orders' sagas."""

    def __getitem__(self, order_id: str, /) -> Row: ...

    def get(self, order_id: str, /) -> Row | None:
        """An order's saga; ``None`` when no such order was placed."""

    def update(self, batch: dict[str, Row], /) -> None:
        """Keep the sagas of a batch."""


class Session:
    """An order system that lives from batch to batch.

    Attributes:
        entities: what the services keep: service, then id, to entity.
        sagas: the orders' sagas, by order id.
        refusals: of the last batch, in the order of its list.
        notes: of the last batch, likewise: injections that could not fail an order, queries of unknown ids.
    """

    def __init__(
        self,
        *,
        limits: bool = False,
        entities: Entities | None = None,
        sagas: Sagas | None = None,
    ) -> None:
        """Open a session.

        Args:
            limits: whether each batch may create 20 customers and 50 products and place 100 orders at most.
            entities: where the services keep their entities: for each of `SERVICES` a mapping. Dicts by default.
            sagas: where the orders' sagas are kept; a dict serves. A `History` by default.
        """
        self.entities: Entities = {service: {} for service in SERVICES} if entities is None else entities
        self.sagas: Sagas = History() if sagas is None else sagas
        self.refusals: tuple[Remark, ...] = ()
        self.notes: tuple[Remark, ...] = ()
        self._limits = limits

    def placed(self, order_id: str) -> Placed:
        """An order's saga.

        Raises:
            KeyError: no such order was placed.
        """
        return placed_of(self.sagas[order_id])

    def process(self, operations: Any) -> Report:
        """Run one batch.

        Args:
            operations: as in docs/contract.md, "Operations".

        Returns:
            The entities that the batch names and the log of its orders, as at its end.
        """
        entries, unreadable = read(operations)  # first: whoever is read may use this session
        batch = _Batch(self.entities, self.sagas, limits=self._limits)
        report = batch.process(entries, unreadable)
        batch.keep(self.entities, self.sagas)
        self.refusals, self.notes = tuple(batch.refusals), tuple(batch.notes)
        return report


class _Batch:
    """What lives for one batch: what it injects, names, places and refuses.

    What is new with each order is written to mappings of the batch's own, and kept together at its end: the tables of
    a long session are cold memory, and one visit to them costs less than many.
    """

    def __init__(self, entities: Entities, sagas: Sagas, *, limits: bool) -> None:
        self.entities = {**entities, ORDER: {}, SHIPPING: {}}
        self.accounts = entities[PAYMENT]
        self.products = entities[INVENTORY]
        self.sagas = sagas
        self.limits = limits
        self.number = entities[ORDER].get(NUMBERING, 0)
        self.injected: dict[str, int] = {}
        self.customers_named: dict[str, None] = {}
        self.products_named: dict[str, None] = {}
        self.orders_named: dict[str, Row] = {}
        self.customers_created = 0
        self.products_created = 0
        self.placed: dict[str, Row] = {}
        self.refusals: list[Remark] = []
        self.notes: list[Remark] = []

    def process(self, entries: list[Any], unreadable: Remark | None) -> Report:
        """Learn which failures are injected, then carry out one operation after the other."""
        if unreadable:
            self.refusals.append(unreadable)
        accepted, injections = self._screened(entries)
        for index, entry in enumerate(accepted):
            if entry is not None:
                CARRY_OUT[entry[0]](self, index, entry)
        self._note_idle(injections)
        self.refusals.sort(key=_by_index)
        self.notes.sort(key=_by_index)
        return self._report()

    def keep(self, entities: Entities, sagas: Sagas) -> None:
        """Write what is new with the batch's orders."""
        if self.placed:
            carry_out(entities, NUMBERS_TAKEN, NUMBERING, len(self.placed))
            sagas.update(self.placed)
            for service in (ORDER, SHIPPING):
                entities[service].update(self.entities[service])

    def _screened(self, entries: list[Any]) -> tuple[list[Any], list[tuple[int, Any]]]:
        """What is to be carried out, with ``None`` in the place of everything else; and the injections.

        The caller's own lists are copied before they are looked at, and all that was read is kept by whoever called
        until the batch is over: neither another thread nor a finalizer can change what was accepted.
        """
        accepted: list[Any] = []
        injections = []
        for index, read_entry in enumerate(entries):
            entry: Any = tuple(read_entry) if type(read_entry) is list else read_entry
            if not is_well_formed(entry):
                self.refusals.append(fault(index, read_entry))
                entry = None
            elif entry[0] == INJECT_FAILURE:
                injections.append((index, entry))
                entry = None
            accepted.append(entry)
        for _, (_, service, order_id) in injections:
            step = SERVICES.index(service)
            self.injected[order_id] = min(step, self.injected.get(order_id, step))
        return accepted, injections

    def place_order(self, index: int, entry: Any) -> None:
        """Place an order and run its saga to the end."""
        entities = self.entities
        order_id = order_id_of(self.number + 1)
        purchase = place(entities, order_id, entry)
        if isinstance(purchase, Refused):
            missing = entry[1] if entry[1] not in self.accounts else entry[2]
            return self._refuse(index, entry, missing, purchase.reason)
        if self.limits and len(self.placed) == ORDERS_MAX:
            return self._refuse(index, entry, entry[2], f"one call places {ORDERS_MAX} orders at most")
        self.number += 1
        _name, customer_id, product_id, quantity = entry
        failing = self.injected.get(order_id) if quantity else None
        path, _, reason = walk(START if failing is None else STARTS_FAILING[failing], order_id, purchase, entities)
        row = (*purchase, WAYS[path], reason)
        self.placed[order_id] = self.orders_named[order_id] = row
        self.customers_named[customer_id] = self.products_named[product_id] = None
        return None

    def create_customer(self, index: int, entry: Any) -> None:
        """Create a customer, or set the limit of one."""
        _, customer_id, credit_limit = entry
        is_new = customer_id not in self.accounts
        if is_new and self.limits and self.customers_created == CUSTOMERS_MAX:
            return self._refuse(index, entry, customer_id, f"one call creates {CUSTOMERS_MAX} customers at most")
        self.customers_created += is_new
        carry_out(self.entities, CREDIT_LIMIT_SET, customer_id, credit_limit)
        self.customers_named[customer_id] = None
        return None

    def add_product(self, index: int, entry: Any) -> None:
        """Add a product, or set stock and price of one."""
        _, product_id, stock, price = entry
        is_new = product_id not in self.products
        if is_new and self.limits and self.products_created == PRODUCTS_MAX:
            return self._refuse(index, entry, product_id, f"one call creates {PRODUCTS_MAX} products at most")
        self.products_created += is_new
        carry_out(self.entities, STOCK_SET, product_id, Offer(stock, price))
        self.products_named[product_id] = None
        return None

    def query_customer(self, index: int, entry: Any) -> None:
        """Name a customer."""
        self._query(index, entry, self.accounts.get(entry[1]), self.customers_named)

    def query_product(self, index: int, entry: Any) -> None:
        """Name a product."""
        self._query(index, entry, self.products.get(entry[1]), self.products_named)

    def query_order(self, index: int, entry: Any) -> None:
        """Name an order."""
        self._query(index, entry, self.placed.get(entry[1]) or self.sagas.get(entry[1]), self.orders_named)

    def _query(self, index: int, entry: Any, found: Any, named: dict[str, Any]) -> None:
        name, entity_id = entry
        if found is None:
            self.notes.append(Remark(index, name, entity_id, "nothing has this id (yet)"))
        else:
            named[entity_id] = found

    def _refuse(self, index: int, entry: Any, value: Any, rule: str) -> None:
        self.refusals.append(Remark(index, entry[0], value, rule))

    def _note_idle(self, injections: list[tuple[int, Any]]) -> None:
        for index, (name, _, order_id) in injections:
            if order_id not in self.placed:
                self.notes.append(Remark(index, name, order_id, "the batch places no order of this id"))
            elif not placed_of(self.placed[order_id]).purchase.quantity:
                self.notes.append(Remark(index, name, order_id, "an order of zero quantity cannot be made to fail"))

    def _report(self) -> Report:
        accounts, products = self.accounts, self.products
        return {
            "customers": {key: customer_report(accounts[key]) for key in self.customers_named},
            "products": {key: product_report(products[key]) for key in self.products_named},
            "orders": {key: order_report(row) for key, row in self.orders_named.items()},
            "saga_log": log_report(self.placed.values()),
        }


def _by_index(remark: Remark) -> int:
    return remark.index


CARRY_OUT: Final[dict[str, Callable[[_Batch, int, Any], None]]] = {
    PLACE_ORDER: _Batch.place_order,
    CREATE_CUSTOMER: _Batch.create_customer,
    ADD_PRODUCT: _Batch.add_product,
    QUERY_CUSTOMER: _Batch.query_customer,
    QUERY_PRODUCT: _Batch.query_product,
    QUERY_ORDER: _Batch.query_order,
}
