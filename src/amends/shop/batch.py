"""One batch of operations: screened as a whole, carried out piece by piece, and reported at its end.

What an operation does to the shop and what the batch learns from it are two things: the first is carried out on a unit
of work, which may be thrown away and carried out again, and gives an answer; the second needs the answer alone. So a
batch goes on in another process with the answers that were kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple

from amends.core.messages import Refused
from amends.shop.checkout import SERVICES, place
from amends.shop.inventory import INVENTORY, STOCK_SET, Offer, Product
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
)
from amends.shop.orders import NUMBERING, NUMBERS_TAKEN, ORDER, order_id_of
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT, Account
from amends.shop.report import Report, Row, customer_report, log_report, order_report, product_report
from amends.shop.unit import CREATED, NAMED, NOTED, REFUSED, StoredReply, Unit, Upshot

CUSTOMERS_MAX: Final = 20  # newly created in one call of the function (contract, "Operations")
PRODUCTS_MAX: Final = 50  # newly created, too
ORDERS_MAX: Final = 100  # placed

QUANTITY_PLACE: Final = 3  # in a purchase, and in an order's row
NO_ROW: Final[Row] = ("", "", "", 0, 0, False, "", "")  # of an order that was asked for, until it is looked up

IS_NAMED: Final = StoredReply(NAMED)
IS_CREATED: Final = StoredReply(CREATED)
IS_UNKNOWN: Final = StoredReply(NOTED, 1, "nothing has this id (yet)")

Operation = Any
"""A tuple that `is_well_formed`."""


class NamedEntities(NamedTuple):
    """What a batch named, as it stands at the batch's end, each in the order of first naming."""

    customers: dict[str, Account]
    products: dict[str, Product]
    orders: dict[str, Row]


class Batch:
    """What lives for one batch: what it injects, names, places and refuses.

    Attributes:
        done: how many of the accepted operations are carried out.
        known: how many of these had been answered before.
        refusals: so far.
        notes: so far.
    """

    def __init__(self, entries: list[Any], unreadable: Remark | None, *, limits: bool) -> None:
        """Screen what was read, and learn which failures are injected.

        Args:
            entries: everything that was read.
            unreadable: a remark when it could not be.
            limits: whether the count limits of the function hold.
        """
        self.limits = limits
        self.done = self.known = 0
        self.refusals: list[Remark] = [unreadable] if unreadable else []
        self.notes: list[Remark] = []
        self.injected: dict[str, int] = {}
        self.placed: dict[str, Row] = {}
        self.customers_created = 0
        self.products_created = 0
        self._customers: dict[str, None] = {}
        self._products: dict[str, None] = {}
        self._orders: dict[str, Row] = {}
        self._queried: list[str] = []
        self._accepted: list[Operation] = []
        self._left_out: set[int] = set()
        self._injections: list[tuple[int, Operation]] = []
        self._screen(entries)

    @cached_property
    def _indexes(self) -> list[int]:
        """The index of each accepted operation; most batches never ask."""
        count = len(self._accepted) + len(self._left_out)
        return [index for index in range(count) if index not in self._left_out]

    @property
    def is_over(self) -> bool:
        """Whether every operation is carried out."""
        return self.done == len(self._accepted)

    def keys(self, name: str, size: int) -> list[str]:
        """Keys for the next operations: the batch's name, and the index of each in the list.

        Args:
            name: of the batch; empty when nothing is to be remembered.
            size: how many operations at most.
        """
        return [f"{name}/{index}" for index in self._indexes[self.done : self.done + size]] if name else []

    def carried_out(self, unit: Unit, size: int) -> Chunk:
        """Carry out the next operations on a unit of work; the batch itself is as before, until it learns of them.

        Of operations that were answered before, the piece has the answers, and goes no further.

        Args:
            unit: read and written.
            size: how many operations at most.
        """
        operations = self._accepted[self.done : self.done + size]
        unit.prefetch(_names(operations))
        piece = Chunk(self, unit)
        if not piece.answers:
            self._carry_out(piece, unit, operations)
        piece.waits_for = unit.waits_for
        return piece

    def learn(self, piece: Chunk) -> None:
        """Take over what became of the next operations, once that is kept."""
        orders, customers, products = self._orders, self._customers, self._products
        self.placed.update(piece.placed)
        for number, answer in enumerate(piece.answers, self.done):
            if isinstance(answer, StoredReply):
                self._learn_reply(number, answer)
            else:
                orders[answer[0]] = answer
                customers[answer[1]] = products[answer[2]] = None
        self.done += len(piece.answers)
        self.known += piece.known

    def end(self) -> None:
        """Bring the remarks in order, once everything is carried out."""
        for index, (name, _, order_id) in self._injections:
            if order_id not in self.placed:
                self.notes.append(Remark(index, name, order_id, "the batch places no order of this id"))
            elif not self.placed[order_id][QUANTITY_PLACE]:
                self.notes.append(Remark(index, name, order_id, "an order of zero quantity cannot be made to fail"))
        self.refusals.sort(key=attrgetter("index"))
        self.notes.sort(key=attrgetter("index"))

    def named(self, unit: Unit) -> NamedEntities:
        """What the batch named, as it stands now."""
        named = ((PAYMENT, self._customers), (INVENTORY, self._products), (ORDER, self._queried))
        unit.prefetch((service, entity_id) for service, ids in named for entity_id in ids)
        accounts, products = unit.entities[PAYMENT], unit.entities[INVENTORY]
        for order_id in self._queried:
            self._orders[order_id] = unit.order(order_id)  # type: ignore[assignment]  # none ever goes
        return NamedEntities(
            {key: accounts[key] for key in self._customers},
            {key: products[key] for key in self._products},
            self._orders,
        )

    def report(self, named: NamedEntities) -> Report:
        """The report."""
        return {
            "customers": {key: customer_report(account) for key, account in named.customers.items()},
            "products": {key: product_report(product) for key, product in named.products.items()},
            "orders": {key: order_report(row) for key, row in named.orders.items()},
            "saga_log": log_report(self.placed.values()),
        }

    def _screen(self, entries: list[Any]) -> None:
        """Find what is to be carried out, and the injections.

        The caller's own lists are copied before they are looked at, and all that was read is kept by whoever called
        until the batch is over: neither another thread nor a finalizer can change what was accepted.
        """
        for index, read_entry in enumerate(entries):
            entry: Any = tuple(read_entry) if type(read_entry) is list else read_entry
            if not is_well_formed(entry):
                self._left_out.add(index)
                self.refusals.append(fault(index, read_entry))
            elif entry[0] == INJECT_FAILURE:
                self._left_out.add(index)
                self._injections.append((index, entry))
            else:
                self._accepted.append(entry)
        for _, (_, service, order_id) in self._injections:
            step = SERVICES.index(service)
            self.injected[order_id] = min(step, self.injected.get(order_id, step))

    def _carry_out(self, piece: Chunk, unit: Unit, operations: Iterable[Operation]) -> None:
        answers = piece.answers
        for entry in operations:
            answers.append(CARRY_OUT[entry[0]](piece, entry))
            if unit.waits_for:
                break
        if piece.placed:
            unit.execute(NUMBERS_TAKEN, NUMBERING, len(piece.placed))
        unit.keep(answers, piece.placed)

    def _learn_reply(self, number: int, reply: StoredReply) -> None:
        kind, place_of_value, rule = reply
        entry = self._accepted[number]
        name = entry[0]
        if rule:
            remarks = self.refusals if kind == REFUSED else self.notes
            remarks.append(Remark(self._indexes[number], name, entry[place_of_value], rule))
        elif name in (CREATE_CUSTOMER, QUERY_CUSTOMER):
            self._customers[entry[1]] = None
            self.customers_created += kind == CREATED
        elif name in (ADD_PRODUCT, QUERY_PRODUCT):
            self._products[entry[1]] = None
            self.products_created += kind == CREATED
        else:
            self._queried.append(entry[1])
            self._orders.setdefault(entry[1], NO_ROW)


class Chunk:
    """Some operations of a batch, carried out on one unit of work.

    Attributes:
        answers: what became of them, in order.
        placed: the orders among them, by order id.
        known: how many of them had been answered before.
        waits_for: the order that has to end before the next operation; empty for none.
    """

    __slots__ = (
        "_accounts", "_customers_created", "_entities", "_injected", "_limits", "_number", "_number_max",
        "_products", "_products_created", "_unit", "answers", "known", "placed", "waits_for",
    )  # fmt: skip

    def __init__(self, batch: Batch, unit: Unit) -> None:
        """Begin with what was answered before.

        Args:
            batch: read only.
            unit: read and written.
        """
        self.answers: list[Upshot] = [*unit.answered]
        self.known = len(self.answers)
        self.placed: dict[str, Row] = {
            answer[0]: answer for answer in self.answers if not isinstance(answer, StoredReply)
        }
        self.waits_for = ""
        self._unit = unit
        self._entities = unit.entities
        self._accounts, self._products = unit.entities[PAYMENT], unit.entities[INVENTORY]
        self._limits, self._injected = batch.limits, batch.injected
        self._number = unit.entities[ORDER].get(NUMBERING, 0)
        self._number_max = self._number + ORDERS_MAX - len(batch.placed) if batch.limits else sys.maxsize
        self._customers_created, self._products_created = batch.customers_created, batch.products_created

    def settle(self, row: Row) -> None:
        """Take over how the last order ended."""
        self.answers[-1] = self.placed[self.waits_for] = row

    def place_order(self, entry: Operation) -> Upshot:
        """Place an order and run its saga."""
        number = self._number + 1
        order_id = order_id_of(number)
        purchase = place(self._entities, order_id, entry)
        if isinstance(purchase, Refused):
            return StoredReply(REFUSED, 1 if entry[1] not in self._accounts else 2, purchase.reason)
        if number > self._number_max:
            return StoredReply(REFUSED, 2, f"one call places {ORDERS_MAX} orders at most")
        self._number = number
        row = self.placed[order_id] = self._unit.start(purchase, self._injected.get(order_id) if entry[3] else None)
        return row

    def create_customer(self, entry: Operation) -> Upshot:
        """Create a customer, or set the limit of one."""
        _, customer_id, credit_limit = entry
        is_new = customer_id not in self._accounts
        if is_new and self._limits and self._customers_created == CUSTOMERS_MAX:
            return StoredReply(REFUSED, 1, f"one call creates {CUSTOMERS_MAX} customers at most")
        self._customers_created += is_new
        self._unit.execute(CREDIT_LIMIT_SET, customer_id, credit_limit)
        return IS_CREATED if is_new else IS_NAMED

    def add_product(self, entry: Operation) -> Upshot:
        """Add a product, or set stock and price of one."""
        _, product_id, stock, price = entry
        is_new = product_id not in self._products
        if is_new and self._limits and self._products_created == PRODUCTS_MAX:
            return StoredReply(REFUSED, 1, f"one call creates {PRODUCTS_MAX} products at most")
        self._products_created += is_new
        self._unit.execute(STOCK_SET, product_id, Offer(stock, price))
        return IS_CREATED if is_new else IS_NAMED

    def query_customer(self, entry: Operation) -> Upshot:
        """Name a customer."""
        return IS_NAMED if entry[1] in self._accounts else IS_UNKNOWN

    def query_product(self, entry: Operation) -> Upshot:
        """Name a product."""
        return IS_NAMED if entry[1] in self._products else IS_UNKNOWN

    def query_order(self, entry: Operation) -> Upshot:
        """Name an order."""
        found = self.placed.get(entry[1]) or self._unit.order(entry[1])
        return IS_UNKNOWN if found is None else IS_NAMED


def _names(operations: Iterable[Operation]) -> Iterator[tuple[str, str]]:
    """What operations look at, as service and id."""
    yield ORDER, NUMBERING
    for name, *values in operations:
        if name == PLACE_ORDER:
            yield PAYMENT, values[0]
            yield INVENTORY, values[1]
        else:
            yield SERVICE_OF[name], values[0]


SERVICE_OF: Final = {
    CREATE_CUSTOMER: PAYMENT,
    QUERY_CUSTOMER: PAYMENT,
    ADD_PRODUCT: INVENTORY,
    QUERY_PRODUCT: INVENTORY,
    QUERY_ORDER: ORDER,
}
CARRY_OUT: Final[dict[str, Callable[[Chunk, Operation], Upshot]]] = {
    PLACE_ORDER: Chunk.place_order,
    CREATE_CUSTOMER: Chunk.create_customer,
    ADD_PRODUCT: Chunk.add_product,
    QUERY_CUSTOMER: Chunk.query_customer,
    QUERY_PRODUCT: Chunk.query_product,
    QUERY_ORDER: Chunk.query_order,
}
