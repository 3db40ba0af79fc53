"""What people look at: plain frozen values, read from a session."""

from __future__ import annotations

import dataclasses

import pytest

from amends import Status, local
from amends.shop import Session
from amends.shop.views import BatchView, CustomerView, OrderView, ProductView, StepView, batch_view, timeline

GOODS = [("CREATE_CUSTOMER", "C001", 1000), ("ADD_PRODUCT", "P001", 10, 150)]


def keep(entity: object, request: object) -> object:
    """An action for steps that never run."""
    return entity


def seen(*operations: tuple[object, ...]) -> BatchView:
    """Return what a new session shows of one batch."""
    session = Session()
    session.process([*GOODS, *operations])
    return batch_view(session.named)


def test_an_order_that_shipped() -> None:
    """Every step of the contract's table is done, and none is undone."""
    batch = seen(("PLACE_ORDER", "C001", "P001", 2))
    (order,) = batch.orders
    assert order == OrderView("O001", "C001", "P001", 2, 300, "SHIPPED", order.steps, "")
    assert [(step.event, step.service) for step in order.steps] == [
        ("ORDER_CREATED", "ORDER"),
        ("PAYMENT_PROCESSED", "PAYMENT"),
        ("INVENTORY_RESERVED", "INVENTORY"),
        ("ORDER_SHIPPED", "SHIPPING"),
    ]
    assert {(step.outcome, step.undone) for step in order.steps} == {("done", "")}
    assert batch.customers == (CustomerView("C001", 300, 1000),)
    assert batch.products == (ProductView("P001", 8, 0, 2, 150),)


def test_an_order_that_went_back() -> None:
    """What was done is undone, what refused says why, what was never asked has no outcome."""
    (order,) = seen(("PLACE_ORDER", "C001", "P001", 11)).orders
    assert (order.status, order.reason) == ("CANCELED", "11 wanted, 10 in stock")
    assert [(step.outcome, step.undone) for step in order.steps] == [
        ("done", "ORDER_CANCELED"),
        ("done", "PAYMENT_REFUNDED"),
        ("refused", ""),
        ("", ""),
    ]


def test_only_what_the_batch_named() -> None:
    """A session remembers more than a batch speaks of."""
    session = Session()
    session.process([*GOODS, ("PLACE_ORDER", "C001", "P001", 1)])
    session.process([])
    assert batch_view(session.named) == BatchView((), (), ())
    session.process([("QUERY_ORDER", "O001")])
    batch = batch_view(session.named)
    assert [order.order_id for order in batch.orders] == ["O001"]
    assert (batch.customers, batch.products) == ((), ())


def test_a_step_that_is_unknown_may_be_undone() -> None:
    """The last outcome counts; a step without a compensation has none."""
    steps = [
        local("A_DONE", keep, entity=str, undo=keep, undone="A_UNDONE"),
        local("B_DONE", keep, entity=str),
    ]
    entries = [("A_DONE", "A", Status.UNKNOWN), ("A_UNDONE", "A", Status.UNDONE)]
    assert timeline(steps, entries) == (StepView("A_DONE", "A", "unknown", "A_UNDONE"), StepView("B_DONE", "B", "", ""))


def test_views_cannot_be_changed() -> None:
    """They are handed to every door."""
    view = CustomerView("C001", 0, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.credit_used = 5  # type: ignore[misc]
