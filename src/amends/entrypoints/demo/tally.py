"""Whether the orders, the money and the stock in a store add up, read from its rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from amends.bootstrap import located
from amends.shop.inventory import INVENTORY, Product
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase
from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import COMPLETED, EntityRow, SagaRow

Entity = TypeVar("Entity")


class StoreTotals(NamedTuple):
    """What a store of orders holds.

    Attributes:
        orders: how many there are.
        shipped: how many of them were shipped.
        earned: what these cost.
        used: the credit that all customers have used.
        sold: the pieces in what was shipped.
        gone: the pieces that have left the stock, reserved ones among them.
    """

    orders: int
    shipped: int
    earned: int
    used: int
    sold: int
    gone: int


def tally(path: Path, customers: Iterable[str], products: Iterable[str], most: int) -> StoreTotals:
    """Count what a store holds.

    Args:
        path: of the store.
        customers: the ids of all accounts.
        products: the ids of all stocks.
        most: orders are counted up to here.

    Raises:
        StoreUnusable: the store cannot be used.
    """
    with closing(located(str(path)).records()) as store:
        rows = [row for row in store.listing(SagaFilter(limit=most)) if isinstance(row, SagaRow)]
        accounts = [*_entities(store, PAYMENT, customers, Account)]
        stocks = [*_entities(store, INVENTORY, products, Product)]
    shipped = [msgspec.json.decode(row.request, type=Purchase) for row in rows if row.status == COMPLETED]
    return StoreTotals(
        len(rows),
        len(shipped),
        sum(order.total_amount for order in shipped),
        sum(account.credit_used for account in accounts),
        sum(order.quantity for order in shipped),
        sum(product.added - product.stock for product in stocks),
    )


def _entities(store: Records, service: str, ids: Iterable[str], form: type[Entity]) -> Iterator[Entity]:
    for entity_id in ids:
        row: Any = store.entity(service, entity_id)
        if isinstance(row, EntityRow) and row.body is not None:
            yield msgspec.json.decode(row.body, type=form)
