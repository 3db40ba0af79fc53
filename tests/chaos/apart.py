"""What has to hold of the spread shop at rest: money and stock are exact across databases, and every chain verifies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.entrypoints.spread.shop import COORDINATOR
from amends.shop.checkout import SERVICES
from amends.shop.inventory import INVENTORY
from amends.shop.orders import ORDER
from amends.shop.outside import Books
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.shop.shipping import SHIPPING
from amends.storage.ports import Records
from amends.storage.rows import COMPLETED, EntityRow, SagaRow
from tests.chaos.orders import APART
from tests.chaos.part import COMMANDS
from tests.torture.broken import demand
from tests.torture.carrier import Carrier
from tests.torture.checks import ALL_ROWS, World, check_audit, check_sagas
from tests.torture.journal import Journal
from tests.torture.shop import CUSTOMERS, PRODUCTS


def check_apart(stores: Mapping[str, Records], journal: Journal) -> int:
    """Check everything; how many sagas there are.

    Args:
        stores: that of each service, and the coordinators'.
        journal: what clients were told.

    Raises:
        BrokenPromise: something does not hold.
    """
    sagas = stores[COORDINATOR]
    rows = {row.saga_id: row for row in sagas.listing(ALL_ROWS) if isinstance(row, SagaRow)}
    world = World(sagas, Books(), Carrier(None), journal, {})
    check_sagas(world, rows)
    check_audit(world, rows)
    for name, records in stores.items():
        _check_records(name, records)
    orders = [Purchase(*json.loads(row.request)) for row in rows.values()]
    shipped = [Purchase(*json.loads(row.request)) for row in rows.values() if row.status == COMPLETED]
    demand(len({order.order_id for order in orders}) == len(orders), "an order was placed twice")
    _check_money(stores[PAYMENT], shipped)
    _check_stock(stores[INVENTORY], shipped)
    _check_shipments(stores, orders, {order.order_id for order in shipped})
    return len(rows)


def _check_records(name: str, records: Records) -> None:
    """A store's audit is as it was written, and what is stored follows from it."""
    verdict = verify(records)
    demand(verdict.is_whole and not len(verdict.findings), f"{name}: amends audit verify finds {[*verdict.findings]}")
    elsewhere = [service for service in SERVICES if service != name]
    commands = [command for command in COMMANDS if command.service == name]
    again = recompute(records, APART.values(), commands, elsewhere=elsewhere)
    demand(not len(again.findings), f"{name}: amends audit recompute finds {[*again.findings]}")
    demand(not [*records.letters(range(64), 1)], f"{name}: letters wait, and nobody acts on them")


def _check_money(records: Records, shipped: list[Purchase]) -> None:
    owed = Counter[str]()
    for order in shipped:
        owed[order.customer_id] += order.total_amount
    for name, limit in CUSTOMERS.items():
        account = _entity(records, PAYMENT, name)
        demand(account == [limit, owed[name]], f"{name}: credit is {account}, shipped {owed[name]}")


def _check_stock(records: Records, shipped: list[Purchase]) -> None:
    sold = Counter[str]()
    for order in shipped:
        sold[order.product_id] += order.quantity
    for name, offer in PRODUCTS.items():
        wanted = [offer.stock - sold[name], 0, sold[name], offer.stock, offer.price]
        product = _entity(records, INVENTORY, name)
        demand(product == wanted, f"{name} is {product}, and has to be {wanted}")


def _check_shipments(stores: Mapping[str, Records], orders: list[Purchase], shipped: set[str]) -> None:
    """What was ordered is shipped, and nothing else; each order stands as its saga ended."""
    for order in orders:
        is_shipped = order.order_id in shipped
        pieces = _entity(stores[SHIPPING], SHIPPING, order.order_id)
        demand(pieces == (order.quantity if is_shipped else None), f"order {order.order_id}: shipment {pieces}")
        stands = _entity(stores[ORDER], ORDER, order.order_id)
        fits = ("SHIPPED",) if is_shipped else ("CANCELED", None)
        demand(stands in fits, f"order {order.order_id} is {stands}, and has to be {' or '.join(map(str, fits))}")


def _entity(records: Records, service: str, entity_id: str) -> Any:
    row = records.entity(service, entity_id)
    return json.loads(row.body or "null") if isinstance(row, EntityRow) else row
