"""Whoever is hostile gets a report all the same: metaclasses, finalizers, a session used while it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from amends.shop import Session, ecommerce_saga_processor

BASE: list[Any] = [("CREATE_CUSTOMER", "C", 1000), ("ADD_PRODUCT", "P", 10, 5)]
EMPTY: dict[str, Any] = {"customers": {}, "products": {}, "orders": {}, "saga_log": []}


class Raising(type):
    """A metaclass that raises whenever it is asked something."""

    def __hash__(cls) -> int:
        raise RuntimeError("asked for a hash")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("asked whether it is equal")

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("asked for a name")


class Posing(type):
    """A metaclass whose classes claim to be tuple."""

    def __hash__(cls) -> int:
        return hash(tuple)

    def __eq__(cls, other: object) -> bool:
        return True


class Plain(metaclass=Raising):
    """No entry."""


class Unreadable(metaclass=Raising):
    """Raises when it is read."""

    def __iter__(self) -> Iterator[object]:
        raise ValueError


class Trouble(Exception, metaclass=Raising):
    """Raised while a list is read."""


class Pose(tuple[Any, ...], metaclass=Posing):
    """A subclass that claims to be tuple itself."""

    __slots__ = ()


def raising() -> Iterator[Any]:
    """Give one operation, then raise."""
    yield BASE[0]
    raise Trouble


def test_no_metaclass_is_asked() -> None:
    """Exact types are compared by identity, so that no code of the caller's runs (contract, "Operations")."""
    assert ecommerce_saga_processor([Plain(), [Plain(), 1], ["QUERY_ORDER", Plain()]]) == EMPTY
    assert ecommerce_saga_processor([Pose(("CREATE_CUSTOMER", "C", 5))]) == EMPTY


@pytest.mark.parametrize("operations", [Unreadable(), raising()])
def test_what_cannot_be_read_is_named_without_asking_it(operations: object) -> None:
    """Neither the list's type nor the exception's is asked for its name."""
    session = Session()
    assert session.process(operations) == EMPTY
    assert [remark.index for remark in session.refusals] == [-1]


def test_a_finalizer_changes_nothing() -> None:
    """What was accepted is a copy, and nothing that was read is dropped before the batch is over."""
    order = ["PLACE_ORDER", "C", "P", 1]
    dropped = []

    class Finalized:
        def __del__(self) -> None:
            dropped.append(self)
            order[:] = ["X"]

    def operations() -> Iterator[Any]:
        yield from BASE
        yield order
        yield ("CREATE_CUSTOMER", 7, Finalized())

    report = ecommerce_saga_processor(operations())
    assert report["orders"]["O001"]["status"] == "SHIPPED"
    assert dropped


def test_a_session_may_be_used_while_it_reads() -> None:
    """The outer batch begins when it has been read; the inner one has its numbers by then."""
    session = Session()

    def operations() -> Iterator[Any]:
        yield from BASE
        yield ("PLACE_ORDER", "C", "P", 1)
        session.process([*BASE, ("PLACE_ORDER", "C", "P", 2), ("PLACE_ORDER", "C", "P", 2)])

    assert list(session.process(operations())["orders"]) == ["O003"]
    assert [session.placed(order_id).purchase.order_id for order_id in ("O001", "O002", "O003")] == [
        "O001",
        "O002",
        "O003",
    ]


def test_an_old_order_of_a_large_batch_is_found() -> None:
    """Batches are packed in parts; each order is found in its own."""
    session = Session()
    session.process([*BASE, *[("PLACE_ORDER", "C", "P", index % 2) for index in range(1000)]])
    session.process([("PLACE_ORDER", "C", "P", 1)])
    for number in (1, 128, 129, 1000, 1001):
        order_id = f"O{number:03d}"
        assert list(session.process([("QUERY_ORDER", order_id)])["orders"]) == [order_id]
        assert session.placed(order_id).purchase.order_id == order_id


@pytest.mark.parametrize("order_id", ["", "O", "O0", "O0001", "O1", "O003", "X001", "O\u0661", "O" + "1" * 5000])
def test_no_other_text_is_an_order(order_id: str) -> None:
    """Only the one way to write a number that was given is an order's id."""
    session = Session()
    session.process([*BASE, ("PLACE_ORDER", "C", "P", 1)])
    session.process([("PLACE_ORDER", "C", "P", 1)])
    with pytest.raises(KeyError):
        session.placed(order_id)
