"""A session's ledger on an engine: each piece of a batch is one transaction, and so are the answers under their keys.

An order's saga has the order's id. Every command and every order goes through the engine, so that all of it is in the
audit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, Final

from amends.core.definition import Command
from amends.core.messages import Refused
from amends.core.state import Completed, NeedsOperator, Status, Underway
from amends.core.step import SagaInstance
from amends.engine.blocking import BlockingEngine
from amends.engine.transaction import Transaction
from amends.errors import AmendsError, RequestRefused
from amends.shop.checkout import CHECKOUT, FAILING_AT, SERVICES
from amends.shop.inventory import INVENTORY
from amends.shop.orders import NUMBERING, ORDER, number_of, order_id_of
from amends.shop.outside import CHECKOUT_OUTSIDE, CUSTOMER, CUSTOMER_KNOWN, FAILING_OUTSIDE_AT, Providers
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.shop.report import Row, trail_name
from amends.shop.shipping import SHIPPING
from amends.shop.unit import Given, StoredReply, Upshot
from amends.storefront.runs import NEW

OPERATIONS_MAX: Final = 1000  # in one transaction: what a kill takes back is done again in a tenth of a second
LOOK_S: Final = 0.2  # how often it is looked whether an order that does not end waits for an operator
DIGEST: Final = "an operation of a batch"  # what is asked under a key is told by the key: see `amends.storefront.runs`


AT_HOME: Final = (CHECKOUT, *FAILING_AT)
AWAY: Final = (CHECKOUT_OUTSIDE, *FAILING_OUTSIDE_AT)
"""The sagas of orders: those without an injected failure first, then those that fail at each of `SERVICES`."""


class ById(Mapping[str, Any]):
    """A mapping that finds entities one by one, by their id, and cannot list them."""

    def __init__(self, find: Callable[[str], Any]) -> None:
        """Wrap a function that finds one.

        Args:
            find: gives an entity; ``None`` when there is none.
        """
        self._find = find

    def __getitem__(self, entity_id: str) -> Any:
        found = self._find(entity_id)
        if found is None:
            raise KeyError(entity_id)
        return found

    def __iter__(self) -> Iterator[str]:
        raise TypeError("entities are looked up by id here, not listed")

    def __len__(self) -> int:
        raise TypeError("entities are looked up by id here, not counted")


class EngineLedger:
    """The ledger of a session (`amends.shop.unit.Ledger`) on an engine.

    Attributes:
        piece_max: how many operations are one transaction.
    """

    def __init__(
        self, engine: BlockingEngine, outside: Providers | None = None, *, piece_max: int = OPERATIONS_MAX
    ) -> None:
        """Use an engine.

        Args:
            engine: open; it was given the definitions and commands of `amends.storefront.opening`.
            outside: the services outside that orders go to; ``None`` when all four services are kept here.
            piece_max: how many operations are one transaction, >= 1.
        """
        self.piece_max = piece_max
        self._engine = engine
        self._outside = outside

    @property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """What the services keep, each entity looked up in a transaction of its own."""
        return {service: ById(partial(self._entity, service)) for service in SERVICES}

    def transact(self, do: Callable[[Any], Given], keys: Sequence[str] = ()) -> Given:
        """Run a function on a unit of work, as one transaction."""
        given: Given = self._engine.transact(lambda transaction: do(self._unit(transaction, keys)), keys)
        return given

    def wait_for(self, order_id: str) -> None:
        """Wait until an order has ended, or waits for an operator, which may take days."""
        while not self._is_over(order_id) and not self.waiting_for_operator([order_id]):
            pass

    def waiting_for_operator(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Which of these orders wait for an operator, and why."""
        ids = [*order_ids]

        def look(transaction: Transaction) -> list[SagaInstance | None]:
            transaction.prefetch(sagas=ids)
            return [transaction.saga(order_id) for order_id in ids]

        runs: list[SagaInstance | None] = self._engine.transact(look)
        return {run.saga_id: run.trouble for run in runs if run and isinstance(run.state, NeedsOperator)}

    def _is_over(self, order_id: str) -> bool:
        """Wait for `LOOK_S` for the end of an order; whether there is nothing more to wait for."""
        try:
            self._engine.result(order_id, LOOK_S)
        except TimeoutError:
            return False
        except AmendsError:  # the next operation on the order raises it
            return True
        return True

    def _unit(self, transaction: Transaction, keys: Sequence[str]) -> TransactionUnit:
        if self._outside is None:
            return TransactionUnit(transaction, keys)
        return OutsideUnit(transaction, keys, self._outside)

    def _entity(self, service: str, entity_id: str) -> Any:
        return self.transact(lambda unit: unit.entities[service].get(entity_id))


class TransactionUnit:
    """A piece of a batch as a transaction of an engine, all four services kept here; see `amends.shop.unit.Unit`.

    Attributes:
        entities: service, then id, to entity.
        waits_for: the order that is still under way; empty for none.
        answered: what the first operations were answered before.
    """

    sagas = AT_HOME
    services: Mapping[str, str] = {}

    def __init__(self, transaction: Transaction, keys: Sequence[str]) -> None:
        """Look up what was answered before.

        Args:
            transaction: of the engine.
            keys: of the operations; empty when nothing is to be remembered.
        """
        self.entities: Mapping[str, Mapping[str, Any]] = transaction.entities
        self.waits_for = ""
        self._transaction = transaction
        self._keys = keys
        self.answered = [*self._recalled()]

    def prefetch(self, names: Iterable[tuple[str, str]]) -> None:
        """Have read at once what is looked at next."""
        entities, orders = list[tuple[str, str]](), list[str]()
        for service, entity_id in names:
            if service == ORDER and entity_id != NUMBERING:
                orders.append(entity_id)
            else:
                entities.append((self.services.get(service, service), entity_id))
        self._transaction.prefetch(entities, orders)

    def execute(self, order: Command, entity_id: str, body: Any) -> Refused | None:
        """Carry out a command on its entity."""
        return self._transaction.execute(order, entity_id, body)

    def start(self, purchase: Purchase, failing: int | None) -> Row:
        """Start an order's saga, and carry it as far as it gets."""
        saga = self.sagas[0 if failing is None else failing + 1]
        return self._last(self._transaction.start(saga, purchase.order_id, purchase))

    def order(self, order_id: str) -> Row | None:
        """The saga of an order; ``None`` when there is none of this id."""
        if order_id_of(number_of(order_id)) != order_id:  # it may be a saga's id, and is none of an order
            return None
        run = self._transaction.saga(order_id)
        return None if run is None else row_of(run)

    def keep(self, answers: Sequence[Upshot], placed: Mapping[str, Row]) -> None:  # noqa: ARG002 - they are kept already
        """Remember the answers under their keys, so that an order that has left for an archive is not placed again."""
        for key, answer in zip(self._keys, answers, strict=False):
            self._transaction.remember(key, DIGEST, answer if isinstance(answer, StoredReply) else answer[0])

    def _last(self, run: SagaInstance) -> Row:
        """The row of the order that was placed last: one that is under way has to end first."""
        if isinstance(run.state, Underway):
            self.waits_for = run.saga_id
        return row_of(run)

    def _recalled(self) -> Iterator[Upshot]:
        """Pieces are committed in order, so what is known comes before what is new.

        An order that an operator has set going again may stand before others that ended meanwhile.
        """
        answers = [self._transaction.recall(key, DIGEST, NEW) for key in self._keys]
        before = [*takewhile(lambda answer: answer is not NEW, answers)]
        self._transaction.prefetch(sagas=[known for known in before if isinstance(known, str)])
        for known in before:
            yield StoredReply(*known) if isinstance(known, list) else self._last(self._recalled_order(known))
            if self.waits_for:
                return

    def _recalled_order(self, order_id: str) -> SagaInstance:
        run = self._transaction.saga(order_id)
        if run is None:
            raise RequestRefused(f"order {order_id} was placed before, and is no longer in the store")
        return run


class OutsideUnit(TransactionUnit):
    """`TransactionUnit` with PAYMENT and SHIPPING outside: which customers there are is kept here, but no account."""

    sagas = AWAY
    services: Mapping[str, str] = {PAYMENT: CUSTOMER}

    def __init__(self, transaction: Transaction, keys: Sequence[str], outside: Providers) -> None:
        """As `TransactionUnit`.

        Args:
            transaction: of the engine.
            keys: of the operations.
            outside: the services that keep PAYMENT and SHIPPING.
        """
        super().__init__(transaction, keys)
        self._outside = outside
        known, accounts = transaction.entities[CUSTOMER], outside.books.entities[PAYMENT]
        self.entities = {
            ORDER: transaction.entities[ORDER],
            PAYMENT: ById(lambda customer_id: accounts[customer_id] if customer_id in known else None),
            INVENTORY: transaction.entities[INVENTORY],
            SHIPPING: outside.books.entities[SHIPPING],
        }

    def execute(self, order: Command, entity_id: str, body: Any) -> Refused | None:
        """Carry out a command; a credit limit is set where the account is: see `amends.shop.outside.checkout`."""
        if order.service != PAYMENT:
            return super().execute(order, entity_id, body)
        self._outside.set_limit(entity_id, body)
        return super().execute(CUSTOMER_KNOWN, entity_id, None)


def row_of(run: SagaInstance) -> Row:
    """An order's run, as a session keeps it."""
    # Of an order that shipped, what went wrong on its way is not reported.
    reason = "" if isinstance(run.state, Completed) else run.reason or run.trouble
    trail = tuple(entry for entry in run.trail if isinstance(entry.status, Status))  # what is owed is an operator's
    return (*run.request, trail_name(run.state, trail), reason)
