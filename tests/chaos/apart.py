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
from tests.torture.broken import demand, some
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
    kept = {service: _entities(stores[service], service) for service in SERVICES}
    _check_money(kept[PAYMENT], shipped)
    _check_stock(kept[INVENTORY], shipped)
    _check_orders(kept[ORDER], orders, {order.order_id for order in shipped})
    demand(kept[SHIPPING] == {order.order_id: order.quantity for order in shipped}, "shipped is not what was ordered")
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


def _check_money(accounts: Mapping[str, Any], shipped: list[Purchase]) -> None:
    owed = Counter[str]()
    for order in shipped:
        owed[order.customer_id] += order.total_amount
    wanted = {name: [limit, owed[name]] for name, limit in CUSTOMERS.items()}
    demand(accounts == wanted, f"credit is {accounts}, and has to be {wanted}")


def _check_stock(products: Mapping[str, Any], shipped: list[Purchase]) -> None:
    sold = Counter[str]()
    for order in shipped:
        sold[order.product_id] += order.quantity
    wanted = {
        name: [offer.stock - sold[name], 0, sold[name], offer.stock, offer.price] for name, offer in PRODUCTS.items()
    }
    demand(products == wanted, f"stock is {products}, and has to be {wanted}")


def _check_orders(kept: Mapping[str, Any], orders: list[Purchase], shipped: set[str]) -> None:
    """Each order stands as its saga ended, and there is none of nobody."""
    names = {order.order_id for order in orders}
    demand(kept.keys() <= names, f"orders of nobody: {some(kept.keys() - names)}")
    for name in names:
        fits = ("SHIPPED",) if name in shipped else ("CANCELED", None)
        stands = kept.get(name)
        demand(stands in fits, f"order {name} is {stands}, and has to be {' or '.join(map(str, fits))}")


def _entities(records: Records, service: str) -> dict[str, Any]:
    """What a service has: those that ended are not."""
    rows = [*records.entities(service)]
    demand(all(isinstance(row, EntityRow) for row in rows), f"{service} has rows that cannot be read")
    return {row.entity_id: json.loads(row.body) for row in rows if isinstance(row, EntityRow) and row.body}
