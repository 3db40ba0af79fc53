"""A session's ledger on services that are apart: it is a client of their coordinators, and asks all by sagas.

An operation is carried out by itself. What it reads is asked at once; what it writes is asked when it is known, an
order last. So a run that is killed leaves each saga whole, and at most an order number that no order has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from amends import bootstrap
from amends.client.blocking import BlockingClient, BlockingClientHandle
from amends.core.definition import Command, Saga
from amends.core.state import Compensated, Completed, Status
from amends.core.straight import Entities
from amends.core.table import Entry
from amends.core.walk import execute
from amends.engine.handle import Result
from amends.errors import EngineStopped, OperatorNeeded, RequestRefused
from amends.shop import Session
from amends.shop.checkout import CHECKOUT, SERVICES
from amends.shop.inventory import INVENTORY, STOCK_SET
from amends.shop.operations import ARGUMENTS, QUERY_CUSTOMER
from amends.shop.orders import NUMBERING, NUMBERS_TAKEN, ORDER, number_of, order_id_of
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT
from amends.shop.purchase import Purchase
from amends.shop.report import Row, trail_name
from amends.shop.unit import Given, Upshot
from amends.storage.rows import COMPENSATED, COMPLETED, NEEDS_OPERATOR
from amends.storefront.apart import (
    CREDIT_SEEN,
    NUMBERS_SEEN,
    ORDERS,
    SAGAS,
    SEE_ACCOUNT,
    SEE_NUMBERS,
    SEE_PRODUCT,
    STOCK_SEEN,
    WANT_LIMIT,
    WANT_NUMBERS,
    WANT_OFFER,
    LimitWanted,
    NumbersWanted,
    OfferWanted,
)
from amends.storefront.ledger import ById
from amends.views.sagas import SagaView

ID: Final = ARGUMENTS[QUERY_CUSTOMER][0]
PATIENCE_S: Final = 60.0  # for one answer; a host or a coordinator that is started anew takes a sixth of it
ENDS: Final = {COMPLETED: Completed(), COMPENSATED: Compensated()}
SERVICE_OF: Final = {event: step.service for step in CHECKOUT.every_step() for event in (step.event, step.undone)}
KNOWN: Final = frozenset(status.value for status in Status)  # of a trail; what is owed is an operator's
SEEN_BY: Final[Mapping[str, tuple[Saga, str]]] = {
    PAYMENT: (SEE_ACCOUNT, CREDIT_SEEN),
    INVENTORY: (SEE_PRODUCT, STOCK_SEEN),
    ORDER: (SEE_NUMBERS, NUMBERS_SEEN),
}
"""By service, the saga that looks at an entity of it, and the step that answers."""


class SpreadStorefront(NamedTuple):
    """The order system on services that are apart.

    Attributes:
        session: takes batches of operations, and reports on each.
        ledger: what it asks.
    """

    session: Session
    ledger: SpreadLedger


@contextmanager
def open_spread(url: str, *, limits: bool = False, patience_s: float = PATIENCE_S) -> Iterator[SpreadStorefront]:
    """Open the order system as a client of its coordinators, which run in processes of their own.

    Args:
        url: of the coordinators' store.
        limits: whether each batch has the three count limits of the function.
        patience_s: for how long an answer is waited for, in seconds, > 0. Raise it where processes are away for longer.

    Raises:
        StoreUnusable: there can be no such store.
        EngineStopped: on the way, when no answer came in time; what was asked for goes on.
    """
    bootstrap.located(url).records().close()  # else a client would wait for coordinators of a store that is not there
    with bootstrap.connect(url, sagas=SAGAS) as client:
        ledger = SpreadLedger(client, patience_s)
        yield SpreadStorefront(Session(limits=limits, ledger=ledger), ledger)


class SpreadLedger:
    """The ledger of a session (`amends.shop.unit.Ledger`) on services that are apart.

    Attributes:
        piece_max: how many operations are one unit of work: one alone, since what it writes is not read before it is
            asked for.
    """

    piece_max = 1

    def __init__(self, client: BlockingClient, patience_s: float) -> None:
        """Ask by a client.

        Args:
            client: of the coordinators, with `amends.storefront.apart.SAGAS`.
            patience_s: for how long an answer is waited for.
        """
        self._client = client
        self._patience_s = patience_s
        self._ordered: dict[str, BlockingClientHandle] = {}

    @property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """What the services keep, each entity asked for by itself."""
        return {service: ById(partial(self._entity, service)) for service in SEEN_BY}

    def transact(self, do: Callable[[Any], Given], keys: Sequence[str] = ()) -> Given:  # noqa: ARG002 - no run is known again
        """Run a function on a unit of work, and ask for what it wrote: the order last, which is not waited for."""
        unit = SpreadUnit(self)
        given = do(unit)
        for saga, wanted in unit.wanted:
            result = self._end(self._client.submit(saga, wanted))
            if result.reason:
                raise RequestRefused(
                    f"{result.reason}: another run places orders meanwhile; end it, and run this again"
                )
        if unit.ordered is not None:
            saga, purchase = unit.ordered
            handle = self._client.submit(saga, purchase, key=purchase.order_id)
            self._ordered = {purchase.order_id: handle}
        return given

    def wait_for(self, order_id: str) -> None:
        """Wait until an order has ended, or waits for an operator."""
        with suppress(OperatorNeeded):
            self._end(self._ordered[order_id])

    def waiting_for_operator(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Which of these orders wait for an operator, and why."""
        views = {order_id: self._client.find(order_id) for order_id in order_ids}
        return {name: view.trouble for name, view in views.items() if view and view.status == NEEDS_OPERATOR}

    def order(self, order_id: str) -> Row | None:
        """The saga of an order, as it stands; ``None`` when there is none of this id."""
        view = self._client.find(order_id) if order_id_of(number_of(order_id)) == order_id else None
        return None if view is None else row_seen(view)

    def seen(self, names: Iterable[tuple[str, str]]) -> Entities:
        """Look at entities, all at once; at none that has an id which no operation gives.

        Args:
            names: of each, its service and its id.
        """
        given = [name for name in names if name[0] == ORDER or ID.accepts(name[1])]
        asked = [(name, self._client.submit(SEEN_BY[name[0]][0], name[1])) for name in given]
        found: Entities = {service: {} for service in SERVICES}
        for (service, entity_id), handle in asked:
            entity = self._end(handle).answers.get(SEEN_BY[service][1])
            if entity is not None:
                found[service][entity_id] = entity
        return found

    def _entity(self, service: str, entity_id: str) -> Any:
        return self.seen([(service, entity_id)])[service].get(entity_id)

    def _end(self, handle: BlockingClientHandle) -> Result:
        """How a saga ended.

        Raises:
            OperatorNeeded: it waits for an operator.
            EngineStopped: it has not ended in time.
        """
        try:
            return handle.result(self._patience_s)
        except OperatorNeeded:
            raise
        except TimeoutError as error:
            raise EngineStopped(f"{error}: are its coordinators and hosts up?") from error


class SpreadUnit:
    """An operation of a batch on services that are apart; see `amends.shop.unit.Unit`.

    Attributes:
        entities: service, then id, to entity: what was looked at, and what the commands make of it.
        waits_for: the order that it places; empty for none.
        answered: nothing was, before.
        wanted: what its commands ask for, each a saga and its request.
        ordered: the order that it places: its saga and its request.
    """

    answered: tuple[Upshot, ...] = ()

    def __init__(self, ledger: SpreadLedger) -> None:
        self.entities: Entities = {}
        self.waits_for = ""
        self.wanted: list[tuple[Saga, Any]] = []
        self.ordered: tuple[Saga, Purchase] | None = None
        self._ledger = ledger

    def prefetch(self, names: Iterable[tuple[str, str]]) -> None:
        """Look at what is looked at next. Of orders, each is looked up when it is asked for."""
        self.entities = self._ledger.seen(name for name in names if name[0] != ORDER or name[1] == NUMBERING)

    def execute(self, order: Command, entity_id: str, body: Any) -> object:
        """Ask for a command on its entity, once all is known."""
        before = self.entities[order.service].get(entity_id)
        self.wanted.append(WANTED_BY[order.event](before, entity_id, body))
        return execute(self.entities, order, entity_id, body)

    def start(self, purchase: Purchase, failing: int | None) -> Row:
        """Ask for an order's saga, once all is known; how it stands before."""
        self.ordered = ORDERS[0 if failing is None else failing + 1], purchase
        self.waits_for = purchase.order_id
        return (*purchase, trail_name(None, ()), "")

    def order(self, order_id: str) -> Row | None:
        """The saga of an order; ``None`` when there is none of this id."""
        return self._ledger.order(order_id)

    def keep(self, answers: Sequence[Upshot], placed: dict[str, Row]) -> None:
        """Nothing but the services keeps anything."""


WANTED_BY: Final[Mapping[str, Callable[[Any, str, Any], tuple[Saga, Any]]]] = {
    CREDIT_LIMIT_SET.event: lambda _, customer_id, limit: (WANT_LIMIT, LimitWanted(customer_id, limit)),
    STOCK_SET.event: lambda _, product_id, offer: (WANT_OFFER, OfferWanted(product_id, *offer)),
    NUMBERS_TAKEN.event: lambda last, _, count: (WANT_NUMBERS, NumbersWanted(last or 0, count)),
}
"""By command, the saga that does the same elsewhere."""


def row_seen(view: SagaView) -> Row:
    """An order's saga, as a session keeps it; see `amends.storefront.ledger.row_of`."""
    state = ENDS.get(view.status)
    words = [line.rpartition(" ") for line in view.trail]
    trail = tuple(Entry(event, SERVICE_OF[event], Status(status)) for event, _, status in words if status in KNOWN)
    reason = "" if view.status == COMPLETED else view.reason or view.trouble
    return (*Purchase(*msgspec.json.decode(view.request)), trail_name(state, trail), reason)
