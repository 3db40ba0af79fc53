"""What has to hold of a store and of the world around it when everything is at rest (docs/torture.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from amends.auditing.verify import verify
from amends.shop.checkout import CHECKOUT
from amends.shop.inventory import INVENTORY
from amends.shop.orders import ORDER
from amends.shop.outside import CHECKOUT_OUTSIDE, Books
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.shop.shipping import SHIPPING
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.rows import COMPENSATED, COMPLETED, FINAL, WAITS_FOR_OPERATOR, EntityRow, SagaRow
from tests.torture.audit import told_by
from tests.torture.broken import demand, some
from tests.torture.carrier import CANCELED, REFUSED, TAKEN, Carrier
from tests.torture.journal import Journal
from tests.torture.shop import CUSTOMERS, PARCEL, PRODUCTS, RESTOCKED, SHELF, SHELVES, Parcel, wanted

ALL_ROWS: Final = SagaFilter(limit=ALL)


class Clients(Protocol):
    """What clients remember; `Journal` is one."""

    answers: dict[str, list[str]]
    ends: dict[str, str]
    canceled: set[str]
    heard: set[str]


class World(NamedTuple):
    """Everything that a check looks at.

    Attributes:
        records: our store.
        books: PAYMENT's and SHIPPING's.
        carrier: the carrier's.
        clients: what was answered.
        restocked: product to pieces that clients were told have come.
    """

    records: Records
    books: Books
    carrier: Carrier
    clients: Clients
    restocked: Mapping[str, int]


def check_rest(world: World) -> int:
    """Check everything; how many sagas there are.

    Raises:
        BrokenPromise: something does not hold.
    """
    rows = {row.saga_id: row for row in world.records.listing(ALL_ROWS) if isinstance(row, SagaRow)}
    check_sagas(world, rows)
    check_audit(world, rows)
    check_stock(world, rows)
    check_money(world, rows)
    check_parcels(world, rows)
    return len(rows)


def check_sagas(world: World, rows: Mapping[str, SagaRow]) -> None:
    """Nothing is lost, nothing is doubled, nothing is stuck."""
    begun = [answer[1] for answer in world.clients.answers.values() if answer[0] == "saga"]
    demand(rows.keys() >= set(begun), f"lost {some(set(begun) - rows.keys())}")
    demand(len(set(begun)) == len(begun), "two client keys got one saga")
    demand(rows.keys() <= set(begun), f"doubled, or of nobody, {some(rows.keys() - set(begun))}")
    waits = (None, WAITS_FOR_OPERATOR)  # the second of what is owed, which moves no saga
    stuck = [row.saga_id for row in rows.values() if row.status not in FINAL or row.due_ms not in waits]
    demand(not stuck, f"stuck {some(stuck)}")
    counts = Counter((row.definition, row.status) for row in rows.values())
    demand(dict(counts) == dict(world.records.counts()), "what is counted is not what there is")
    for saga_id, end in world.clients.ends.items():
        demand(rows[saga_id].status == end, f"{saga_id} was told to be {end}, and is {rows[saga_id].status}")
    for saga_id in world.clients.canceled:
        demand(rows[saga_id].status == COMPENSATED, f"{saga_id}: its cancel was taken, and it is completed")
    demand(not world.records.set_aside(), f"set aside: {world.records.set_aside()}")


def check_audit(world: World, rows: Mapping[str, SagaRow]) -> None:
    """It tells what the rows say, and every block is what was written."""
    told = told_by(world.records)
    demand(told.keys() == rows.keys(), f"rows and records differ: {some(told.keys() ^ rows.keys())}")
    for saga_id, row in rows.items():
        number = json.loads(row.body)["number"]
        demand(number == len(told[saga_id].numbers), f"{saga_id}: number {number}, records {told[saga_id].numbers}")
        demand(told[saga_id].end == row.status, f"{saga_id} is {row.status}; the records say {told[saga_id].end!r}")
    for key in world.clients.heard:
        saga_id, event, kind = key.split("/")
        answered = [cause for cause in told[saga_id].causes if cause[1:3] == [event, kind]]
        demand(answered, f"the answer {key} was taken, and is not on record")
    verdict = verify(world.records)
    demand(verdict.is_whole and not len(verdict.findings), f"amends audit verify finds {list(verdict.findings)}")


def check_stock(world: World, rows: Mapping[str, SagaRow]) -> None:
    """Every piece is somewhere, and nothing is held any more."""
    sold: Counter[str] = Counter()
    for order in _orders(rows, CHECKOUT.name, COMPLETED) + _orders(rows, CHECKOUT_OUTSIDE.name, COMPLETED):
        sold[order.product_id] += order.quantity
    for name, offer in PRODUCTS.items():
        stock, reserved, settled, added, _ = _entity(world.records, INVENTORY, name)
        demand(stock + reserved + settled == added and min(stock, reserved, settled) >= 0, f"{name}: pieces are gone")
        demand(reserved == 0, f"{name}: {reserved} reserved, and nobody waits for them")
        demand(settled == sold[name], f"{name}: {settled} settled, {sold[name]} sold")
        came = offer.stock + world.restocked.get(name, 0)
        demand(added == came, f"{name}: {added} added, {came} came")


def check_money(world: World, rows: Mapping[str, SagaRow]) -> None:
    """What customers owe is what was shipped to them, at home and outside; each order is shipped once, or not."""
    home = {name: _entity(world.records, PAYMENT, name)[1] for name in CUSTOMERS}
    _check_owed(home, _orders(rows, CHECKOUT.name, COMPLETED))
    accounts = world.books.entities[PAYMENT]
    outside = _orders(rows, CHECKOUT_OUTSIDE.name, COMPLETED)
    _check_owed({name: accounts[name].credit_used for name in CUSTOMERS}, outside)
    shipped = dict(world.books.entities[SHIPPING])
    demand(shipped == {order.order_id: order.quantity for order in outside}, "what is shipped is not what was ordered")
    for key, answer in dict(world.books.inbox).items():
        saga_id = key.partition("/")[0]
        demand(saga_id in rows, f"{key} was asked outside, and there is no such saga: {answer}")
    for order in _orders(rows, CHECKOUT.name, *FINAL):
        is_shipped = rows[order.order_id].status == COMPLETED
        status = _entity(world.records, ORDER, order.order_id)
        demand(status == ("SHIPPED" if is_shipped else "CANCELED"), f"order {order.order_id} is {status}")
        shipment = world.records.entity(SHIPPING, order.order_id)
        demand(is_shipped == (shipment is not None), f"order {order.order_id}: shipment {shipment}")


def check_parcels(world: World, rows: Mapping[str, SagaRow]) -> None:
    """What left a shelf is what a carrier has."""
    left: Counter[str] = Counter()
    for row in rows.values():
        if row.definition.startswith(f"{PARCEL.name}/"):
            parcel = Parcel(*json.loads(row.request))
            words = world.carrier.book_of.get(row.saga_id, [])
            has_it = TAKEN in words and CANCELED not in words
            demand(
                has_it == (row.status == COMPLETED), f"parcel {row.saga_id} is {row.status}; the carrier has {words}"
            )
            left[parcel.shelf_id] += parcel.pieces if has_it else 0
    for saga_id, words in world.carrier.book_of.items():
        demand(saga_id in rows, f"the carrier has a parcel of nobody: {saga_id}")
        demand(len({*words} & {TAKEN, REFUSED}) < 2 and max(map(words.count, words)) == 1, f"{saga_id}: {words}")
    for name, pieces in SHELVES.items():
        shelf = _entity(world.records, SHELF, name)
        demand(shelf == [pieces - left[name], 0, left[name]], f"shelf {name}: {shelf}, {left[name]} left it")


def restocked(journal: Journal) -> dict[str, int]:
    """Return product to the pieces that clients were told have come."""
    came: Counter[str] = Counter()
    for number in range(1, journal.asked + 1):
        first = wanted(journal.seed, number)[0]
        if first.command is RESTOCKED and journal.answers.get(first.key, [""])[0] == "done":
            came[first.entity_id] += first.asked
    return came


def _check_owed(used: Mapping[str, int], shipped: Iterable[Purchase]) -> None:
    owed: Counter[str] = Counter()
    for order in shipped:
        owed[order.customer_id] += order.total_amount
    for name, amount in used.items():
        demand(amount == owed[name], f"{name}: credit used {amount}, shipped {owed[name]}")


def _orders(rows: Mapping[str, SagaRow], name: str, *statuses: str) -> list[Purchase]:
    wanted_rows = (row for row in rows.values() if row.definition.startswith(f"{name}/") and row.status in statuses)
    return [Purchase(*json.loads(row.request)) for row in wanted_rows]


def _entity(records: Records, service: str, name: str) -> Any:
    row = records.entity(service, name)
    demand(isinstance(row, EntityRow), f"{service}/{name}: {row}")
    assert isinstance(row, EntityRow)
    return json.loads(row.body or "null")


__all__ = ["ALL_ROWS", "World", "check_rest", "restocked"]
