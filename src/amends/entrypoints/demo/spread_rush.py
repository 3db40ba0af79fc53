"""A rush of orders for the spread shop, and whether orders, money and stock add up at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from amends.client.blocking import BlockingClient
from amends.entrypoints.demo.tally import StoreTotals
from amends.errors import AmendsError
from amends.shop import Session
from amends.shop.inventory import INVENTORY
from amends.shop.orders import order_id_of
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.rows import COMPLETED, FINAL, SagaRow
from amends.storefront.apart import FAILING_AT_SHIPPING, ORDERED
from amends.storefront.spread import SpreadLedger

ORDERS: Final = 3_000  # some seconds of work, so that a kill half-way is seen
KILLED_AT: Final = ORDERS // 4  # what is done until we have looked, and killed two processes, comes on top
EACH: Final = 10  # customers and products; and one order in so many fails when it is shipped
STOCK: Final = 10_000  # the most that an operation may give: no order is refused
PRICE: Final = 5
LIMIT_S: Final = 90.0  # what a killed process was asked is asked again within 15 s; a demo has two minutes
LOOK_S: Final = 0.1  # between two looks at how far the orders are
CUSTOMERS: Final = tuple(f"C{number}" for number in range(EACH))
PRODUCTS: Final = tuple(f"P{number}" for number in range(EACH))
KINDS: Final = (ORDERED, FAILING_AT_SHIPPING)


def place_orders(client: BlockingClient, ledger: SpreadLedger) -> None:
    """Open accounts, fill the stock, and ask for all orders: they are on disk then, and run.

    Raises:
        AmendsError: the shop does not answer, or takes no order.
    """
    Session(ledger=ledger).process(
        [
            *(("CREATE_CUSTOMER", customer, 1_000_000) for customer in CUSTOMERS),
            *(("ADD_PRODUCT", product, STOCK, PRICE) for product in PRODUCTS),
        ]
    )
    orders = [*map(_purchase, range(1, ORDERS + 1))]
    failing = orders[EACH - 1 :: EACH]
    del orders[EACH - 1 :: EACH]
    for saga, purchases in zip(KINDS, (orders, failing), strict=True):
        for asked in client.submit_many(saga, purchases, keys=[purchase.order_id for purchase in purchases]):
            if isinstance(asked, AmendsError):
                raise asked


def watch(records: Records, until: int, tell: Callable[[int], object] | None) -> int:
    """Look on, until so many orders have ended; how many have.

    Args:
        records: the coordinators' store.
        until: so many.
        tell: is told now and then how many have ended.

    Raises:
        AmendsError: they have not, in `LIMIT_S`.
    """
    last_s = time.monotonic() + LIMIT_S
    while (reached := ended(records)) < until:
        if time.monotonic() > last_s:
            raise AmendsError(f"{reached} of {ORDERS} orders had ended after {LIMIT_S:.0f} s")
        if tell is not None:
            tell(reached)
        time.sleep(LOOK_S)
    return reached


def ended(records: Records) -> int:
    """How many orders have ended."""
    names = {kind.name for kind in KINDS}
    return sum(
        number
        for (definition, status), number in records.counts().items()
        if status in FINAL and definition.partition("/")[0] in names
    )


def totals(records: Records, ledger: SpreadLedger) -> StoreTotals:
    """Count what the orders came to, in the coordinators' store, and ask the services what they keep."""
    rows = [*_order_rows(records)]
    shipped = [msgspec.json.decode(row.request, type=Purchase) for row in rows if row.status == COMPLETED]
    names = [*((PAYMENT, customer) for customer in CUSTOMERS), *((INVENTORY, product) for product in PRODUCTS)]
    kept = ledger.seen(names)
    return StoreTotals(
        len(rows),
        len(shipped),
        sum(order.total_amount for order in shipped),
        sum(account.credit_used for account in kept[PAYMENT].values()),
        sum(order.quantity for order in shipped),
        sum(product.added - product.stock for product in kept[INVENTORY].values()),
    )


def _order_rows(records: Records) -> Iterator[SagaRow]:
    for kind in KINDS:
        for row in records.listing(SagaFilter(definition=kind.name, limit=ALL)):
            if isinstance(row, SagaRow):
                yield row


def _purchase(number: int) -> Purchase:
    quantity = 1 + number % 3
    customer, product = CUSTOMERS[number % EACH], PRODUCTS[number * 7 % EACH]
    return Purchase(order_id_of(number), customer, product, quantity, quantity * PRICE, short=False)
