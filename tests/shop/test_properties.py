"""Laws that hold for every batch, whatever is in it: money and stock add up, nothing is shared or raised.

None of them asks the naive reading: each looks at reports, refusals and the entities of a session alone.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shop import batches
from tests.shop.batches import (
    CUSTOMER_IDS,
    PRODUCT_IDS,
    SERVICES,
    Batch,
    Report,
    ShopSession,
    batch_strategy,
    containers_of,
    fingerprint,
    order_number,
    strange_value_strategy,
    text_of,
)

# How many examples: the profiles of tests/conftest.py say.
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EVENTS = ["ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_RESERVED", "ORDER_SHIPPED"]
UNDONE_BY = {
    "ORDER_CREATED": "ORDER_CANCELED",
    "PAYMENT_PROCESSED": "PAYMENT_REFUNDED",
    "INVENTORY_RESERVED": "INVENTORY_RELEASED",
}
OWNER = dict(zip(EVENTS, SERVICES, strict=True)) | {
    "ORDER_CANCELED": "ORDER",
    "PAYMENT_REFUNDED": "PAYMENT",
    "INVENTORY_RELEASED": "INVENTORY",
}


def process(batch: object) -> Report:
    """Call the function."""
    return batches.package_door().processor(batch)


def new_session(*, limits: bool = False) -> ShopSession:
    """Return a session of the package."""
    return batches.package_door().session(limits=limits)


def accepted_indexes(batch: Batch) -> list[int]:
    """Return where in a batch the function's operations stand that it accepts."""
    session = new_session(limits=True)
    session.process(batch)
    refused = {refusal.index for refusal in session.refusals}
    return [index for index in range(len(batch)) if index not in refused]


def injections_of(batch: Batch) -> Batch:
    """Return the accepted injections of a batch."""
    return [batch[index] for index in accepted_indexes(batch) if batch[index][0] == "INJECT_FAILURE"]


def shipped_of(report: Report) -> list[Report]:
    """Return the orders of a report that were shipped."""
    return [row for row in report["orders"].values() if row["status"] == "SHIPPED"]


def amounts(rows: list[Report], by: str, amount: str) -> Counter[str]:
    """Sum up one amount of the orders for each customer or product."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row[by]] += row[amount]
    return sums


# --- money and stock ------------------------------------------------------------------------------


@LAW
@given(batch=batch_strategy())
def test_credit_used_is_what_was_shipped(batch: Batch) -> None:
    """credit_used of each customer = the sum of total_amount over the shipped orders."""
    report = process(batch)
    used = amounts(shipped_of(report), "customer_id", "total_amount")
    assert {key: row["credit_used"] for key, row in report["customers"].items()} == {
        key: used[key] for key in report["customers"]
    }


@LAW
@given(session=st.lists(batch_strategy(max_size=10), max_size=5))
def test_credit_used_is_what_was_shipped_in_a_session(session: list[Batch]) -> None:
    """The same over all the batches of a session, in the report of each."""
    shop, rows = new_session(), dict[str, Report]()
    for batch in session:
        report = shop.process(batch)
        rows |= report["orders"]
        used = amounts(shipped_of({"orders": rows}), "customer_id", "total_amount")
        for customer_id, row in report["customers"].items():
            assert row["credit_used"] == used[customer_id]


@LAW
@given(batch=batch_strategy())
def test_stock_and_settled_are_what_was_added(batch: Batch) -> None:
    """Stock + reserved + settled = added for each product; a second ADD_PRODUCT adds new minus old stock."""
    report = process(batch)
    injections = injections_of(batch)
    added: Counter[str] = Counter()
    for index in accepted_indexes(batch):
        if batch[index][0] == "ADD_PRODUCT":
            _, product_id, new_stock, _ = batch[index]
            so_far = process(batch[:index] + injections)["products"]
            added[product_id] += new_stock - (so_far[product_id]["stock"] if product_id in so_far else 0)
    settled = amounts(shipped_of(report), "product_id", "quantity")
    for product_id, row in report["products"].items():
        assert row["stock"] + row["reserved"] + settled[product_id] == added[product_id]


@LAW
@given(batch=batch_strategy())
def test_nothing_is_held_or_owed_at_the_end(batch: Batch) -> None:
    """Reserved = 0 at the end; stock and credit_used are never negative; no order is left `PROCESSING`."""
    report = process(batch)
    for row in report["products"].values():
        assert row["reserved"] == 0
        assert row["stock"] >= 0
    for row in report["customers"].values():
        assert row["credit_used"] >= 0
    assert {row["status"] for row in report["orders"].values()} <= {"SHIPPED", "CANCELED"}


@LAW
@given(batch=batch_strategy(malformed=False))
def test_a_limit_is_never_exceeded_at_rest(batch: Batch) -> None:
    """credit_used <= the highest credit_limit of the customer ever: only a lowered limit is exceeded."""
    highest: dict[str, int] = {}
    for index in accepted_indexes(batch):
        if batch[index][0] == "CREATE_CUSTOMER":
            _, customer_id, limit = batch[index]
            highest[customer_id] = max(limit, highest.get(customer_id, 0))
    for customer_id, row in process(batch)["customers"].items():
        assert row["credit_used"] <= highest[customer_id]


# --- going back -----------------------------------------------------------------------------------


@LAW
@given(batch=batch_strategy())
def test_compensations_are_the_exact_reverse(batch: Batch) -> None:
    """A canceled order undoes exactly its completed steps, the last first; a shipped one did all four."""
    for row in process(batch)["orders"].values():
        completed = row["events_completed"]
        assert completed == EVENTS[: len(completed)]
        if row["status"] == "SHIPPED":
            assert (len(completed), row["compensation_events"]) == (4, [])
        else:
            assert len(completed) < 4
            assert row["compensation_events"] == [UNDONE_BY[event] for event in reversed(completed)]


@LAW
@given(batch=batch_strategy())
def test_the_log_tells_the_orders(batch: Batch) -> None:
    """The log is, order by order: the completed steps, the one that failed if any, the compensations."""
    report = process(batch)
    expected = []
    for order_id, row in report["orders"].items():
        lines = [(event, True, False) for event in row["events_completed"]]
        if row["status"] == "CANCELED":
            lines.append((EVENTS[len(row["events_completed"])], False, False))
        lines += [(event, True, True) for event in row["compensation_events"]]
        expected += [
            {
                "order_id": order_id,
                "event": event,
                "service": OWNER[event],
                "success": success,
                "compensation": compensation,
            }
            for event, success, compensation in lines
        ]
    assert json.dumps(report["saga_log"]) == json.dumps(expected)


def everything(session: ShopSession) -> dict[str, Any]:
    """Return all that PAYMENT, INVENTORY and SHIPPING have: by queries, and by entities if shown."""
    queries = [("QUERY_CUSTOMER", key) for key in CUSTOMER_IDS] + [("QUERY_PRODUCT", key) for key in PRODUCT_IDS]
    state: dict[str, Any] = dict(session.process(queries))
    entities = getattr(session, "entities", None)
    if entities is not None:
        for service in SERVICES[1:]:
            state[service] = {key: copy.deepcopy(entity) for key, entity in entities[service].items()}
    return state


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(CUSTOMER_IDS[:2]),
        st.sampled_from(PRODUCT_IDS[:2]),
        st.sampled_from((0, 1, 2, 3, 5, 11)),
        st.sets(st.sampled_from(SERVICES), max_size=2),
    ),
    min_size=1,
    max_size=8,
)
SHOP = [
    ("CREATE_CUSTOMER", CUSTOMER_IDS[0], 1000),
    ("CREATE_CUSTOMER", CUSTOMER_IDS[1], 500),
    ("ADD_PRODUCT", PRODUCT_IDS[0], 10, 150),
    ("ADD_PRODUCT", PRODUCT_IDS[1], 4, 200),
]


@LAW
@given(orders=ORDERS)
def test_a_compensated_order_leaves_no_trace(orders: list[tuple[str, str, int, set[str]]]) -> None:
    """After a compensated order PAYMENT, INVENTORY and SHIPPING equal what they were before it."""
    session = new_session()
    session.process(SHOP)
    for number, (customer_id, product_id, quantity, services) in enumerate(orders, 1):
        order_id, before = order_number(number), everything(session)
        batch = [("PLACE_ORDER", customer_id, product_id, quantity)]
        batch += [("INJECT_FAILURE", service, order_id) for service in services]  # type: ignore[misc]
        status = session.process(batch)["orders"][order_id]["status"]
        after = everything(session)
        if status == "CANCELED":
            assert after == before
        elif quantity:
            used = after["customers"][customer_id]["credit_used"] - before["customers"][customer_id]["credit_used"]
            taken = before["products"][product_id]["stock"] - after["products"][product_id]["stock"]
            assert (used, taken) == (quantity * after["products"][product_id]["price"], quantity)


@LAW
@given(orders=ORDERS)
def test_each_service_has_what_the_orders_left_it(orders: list[tuple[str, str, int, set[str]]]) -> None:
    """ORDER keeps each order that it ever had, the canceled too; SHIPPING has the shipped ones alone."""
    session = new_session()
    batch: Batch = [*SHOP, *[("PLACE_ORDER", *order[:3]) for order in orders]]
    for number, order in enumerate(orders, 1):
        batch += [("INJECT_FAILURE", service, order_number(number)) for service in order[3]]
    rows = session.process(batch)["orders"]
    entities = getattr(session, "entities", None)
    if entities is not None:
        assert {key for key in entities["ORDER"] if key in rows} == {
            key for key, row in rows.items() if row["events_completed"]
        }
        assert set(entities["SHIPPING"]) == {key for key, row in rows.items() if row["status"] == "SHIPPED"}


@LAW
@given(batch=batch_strategy())
def test_a_canceled_order_might_as_well_have_asked_for_nothing(batch: Batch) -> None:
    """With quantity 0 instead, customers, products, and all the other orders and their log are the same."""
    report = process(batch)
    placing = [index for index in accepted_indexes(batch) if batch[index][0] == "PLACE_ORDER"]
    for index, (order_id, row) in zip(placing, report["orders"].items(), strict=True):
        if row["status"] == "CANCELED":
            harmless = [*batch[:index], (*batch[index][:3], 0), *batch[index + 1 :]]
            other = process(harmless)
            assert other["orders"].pop(order_id)["status"] == "SHIPPED"
            without = {key: each for key, each in report["orders"].items() if key != order_id}
            assert text_of(other["customers"]) == text_of(report["customers"])
            assert text_of(other["products"]) == text_of(report["products"])
            assert text_of(other["orders"]) == text_of(without)
            assert [line for line in other["saga_log"] if line["order_id"] != order_id] == [
                line for line in report["saga_log"] if line["order_id"] != order_id
            ]


# --- ids, places, batches -------------------------------------------------------------------------


@LAW
@given(session=st.lists(batch_strategy(max_size=10), max_size=5), limits=st.booleans())
def test_ids_have_no_gaps(session: list[Batch], limits: bool) -> None:
    """Each accepted order takes the next number, a refused one none, over all batches of a session."""
    shop, placed = new_session(limits=limits), 0
    for batch in session:
        report = shop.process(batch)
        refused = {refusal.index for refusal in shop.refusals}
        count = sum(index not in refused and entry[0] == "PLACE_ORDER" for index, entry in enumerate(batch))
        own = list(dict.fromkeys(line["order_id"] for line in report["saga_log"]))
        assert own == [order_number(number) for number in range(placed + 1, placed + 1 + count)]
        assert set(own) <= set(report["orders"])
        placed += count


@LAW
@given(batch=batch_strategy())
def test_refused_operations_leave_no_trace(batch: Batch) -> None:
    """Without all that was refused, the report is the same to the letter."""
    assert text_of(process([batch[index] for index in accepted_indexes(batch)])) == text_of(process(batch))


@LAW
@given(batch=batch_strategy(), data=st.data())
def test_where_an_injection_stands_does_not_matter(batch: Batch, data: st.DataObject) -> None:
    """Injections may stand first, last or anywhere, in any order: the report is the same."""
    injections = injections_of(batch)
    moved = [entry for entry in batch if not any(entry is injection for injection in injections)]
    for injection in data.draw(st.permutations(injections)):
        moved.insert(data.draw(st.integers(0, len(moved))), injection)
    assert text_of(process(moved)) == text_of(process(batch))


@LAW
@given(batch=batch_strategy(), data=st.data())
def test_what_comes_later_does_not_change_what_was(batch: Batch, data: st.DataObject) -> None:
    """A beginning of a batch, with all its injections, logs a beginning of the log, and the same orders."""
    place = data.draw(st.integers(0, len(batch)))
    beginning, whole = process(batch[:place] + injections_of(batch)), process(batch)
    assert beginning["saga_log"] == whole["saga_log"][: len(beginning["saga_log"])]
    assert list(beginning["orders"].items()) == list(whole["orders"].items())[: len(beginning["orders"])]


@LAW
@given(batch=batch_strategy(), data=st.data())
def test_one_batch_or_two(batch: Batch, data: st.DataObject) -> None:
    """A session that takes a batch in two parts, each with all the injections, comes to the same state."""
    place, injections = data.draw(st.integers(0, len(batch))), injections_of(batch)
    session, whole = new_session(), process(batch)
    log = session.process(batch[:place] + injections)["saga_log"]
    log += session.process(batch[place:] + injections)["saga_log"]
    queries = [("QUERY_CUSTOMER", key) for key in whole["customers"]]
    queries += [("QUERY_PRODUCT", key) for key in whole["products"]]
    queries += [("QUERY_ORDER", key) for key in whole["orders"]]
    assert text_of(session.process(queries) | {"saga_log": log}) == text_of(whole)


def swapped(entry: object) -> object:
    """Return a tuple for a list and a list for a tuple; anything else, subclasses too, stays what it is."""
    if type(entry) is tuple:
        return list(entry)
    return tuple(entry) if type(entry) is list else entry


@LAW
@given(batch=batch_strategy())
def test_the_kind_of_iterable_does_not_matter(batch: Batch) -> None:
    """A list, a tuple, an iterator, a generator; entries as tuples or as lists: one report."""
    expected = text_of(process(batch))
    assert text_of(process(tuple(batch))) == expected
    assert text_of(process(iter(batch))) == expected
    assert text_of(process(entry for entry in batch)) == expected
    assert text_of(process([swapped(entry) for entry in batch])) == expected


# --- never raises, never changes, never shares ----------------------------------------------------


def expect_plain(value: object, place: str = "report") -> None:
    """Fail unless a value is made of dicts with string keys, lists, strings, ints and bools, exactly."""
    if type(value) is dict:
        for key, inner in value.items():
            assert type(key) is str, f"{place}: key {key!r}"
            expect_plain(inner, f"{place}[{key!r}]")
    elif type(value) is list:
        for index, inner in enumerate(value):
            expect_plain(inner, f"{place}[{index}]")
    else:
        assert type(value) in (str, int, bool), f"{place}: {type(value)}"


def expect_report(report: object) -> None:
    """Fail unless a value has the four keys of a report, in their order, and plain values alone."""
    assert type(report) is dict
    assert list(report) == ["customers", "products", "orders", "saga_log"]
    expect_plain(report)


@LAW
@given(operations=strange_value_strategy())
def test_never_raises_whatever_the_operations_are(operations: object) -> None:
    """Whatever is passed as the operations, the function returns a report of plain values."""
    expect_report(process(operations))


@LAW
@given(batch=batch_strategy(), fails_at=st.integers(0, 30))
def test_never_raises_whatever_the_iterator_does(batch: Batch, fails_at: int) -> None:
    """An iterator that raises after so many entries gives an empty report, or all if it never does."""

    def operations() -> Iterator[object]:
        for index, entry in enumerate(batch):
            if index == fails_at:
                raise LookupError
            yield entry

    expected = process([]) if fails_at < len(batch) else process(batch)
    assert text_of(process(operations())) == text_of(expected)


@LAW
@given(batch=st.lists(strange_value_strategy(), max_size=10))
def test_never_raises_whatever_the_entries_are(batch: Batch) -> None:
    """Whatever stands in the list, the function returns a report of plain values."""
    expect_report(process(batch))


@LAW
@given(batch=batch_strategy())
def test_never_raises_and_is_plain(batch: Batch) -> None:
    """Good operations with malformed ones between: the function and a session report plain values."""
    expect_report(process(batch))
    session = new_session()
    expect_report(session.process(batch))
    expect_report(session.process(batch))


@LAW
@given(batch=batch_strategy())
def test_never_touches_its_input(batch: Batch) -> None:
    """The input is made of the same objects afterwards, and none of their methods was called."""
    before = fingerprint(batch)
    batches.TOUCHED.clear()
    process(batch)
    new_session().process(batch)
    assert batches.TOUCHED == []
    assert fingerprint(batch) == before


def wreck(value: object) -> None:
    """Empty every list and dict that can be reached."""
    for container in containers_of(value):
        if type(container) is dict:
            container.clear()
        elif isinstance(container, list):
            list.clear(container)  # not by a method of the caller's


def identities(value: object) -> list[int]:
    """Return the identities of every list, tuple and dict that can be reached."""
    return [id(container) for container in containers_of(value)]


@LAW
@given(batch=batch_strategy())
def test_shares_nothing_with_its_input(batch: Batch) -> None:
    """No list or dict of the report is the input's, and a report outlives what becomes of the input."""
    report = process(batch)
    before = text_of(report)
    assert not set(identities(report)) & set(identities(batch))
    wreck(batch)
    assert text_of(report) == before


def expect_separate(reports: list[Report]) -> None:
    """Fail if any list or dict can be reached in two ways, within a report or between two."""
    counts = Counter(identity for report in reports for identity in identities(report))
    assert [identity for identity, count in counts.items() if count > 1] == []


@LAW
@given(batch=batch_strategy())
def test_calls_share_nothing(batch: Batch) -> None:
    """Two calls give two separate reports, and whoever wrecks the first does not change a third."""
    first, second = process(batch), process(batch)
    expect_separate([first, second])
    expected = text_of(second)
    assert text_of(first) == expected
    wreck(first)
    assert text_of(second) == expected
    assert text_of(process(batch)) == expected


@LAW
@given(session=st.lists(batch_strategy(max_size=10), min_size=1, max_size=4))
def test_reports_of_a_session_share_nothing(session: list[Batch]) -> None:
    """The reports of a session are separate, and whoever wrecks them does not change the session."""
    kept, wrecked = new_session(), new_session()
    reports, texts = [], []
    for batch in session:
        report = kept.process(batch)
        reports.append(report)
        texts.append(text_of(report))
        twin = wrecked.process(batch)
        assert text_of(twin) == texts[-1]
        wreck(twin)
    expect_separate(reports)
    assert [text_of(report) for report in reports] == texts


ORDER_OF_CALLS: list[Callable[[Batch], object]] = [process, lambda batch: new_session().process(batch)]


@LAW
@given(first=batch_strategy(), second=batch_strategy())
def test_calls_know_nothing_of_each_other(first: Batch, second: Batch) -> None:
    """The report of a batch does not depend on what was processed before it by others."""
    expected = text_of(process(second))
    for call in ORDER_OF_CALLS:
        call(first)
        assert text_of(process(second)) == expected
