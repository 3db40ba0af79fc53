"""The timeline of a saga: its steps in a row, and underneath what made amends."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from amends import Status, local
from amends.entrypoints.drawing.paper import Paper
from amends.entrypoints.drawing.timeline import draw_timeline, timeline
from amends.lines import UNICODE
from amends.shop import Session
from amends.shop.checkout import TABLE
from amends.views.story import UNDONE, StepSeen

PAID = StepSeen("PAID", "done", "REFUNDED", UNDONE)
HOTEL = StepSeen("HOTEL", "done", "FREED", UNDONE)
FLIGHT = StepSeen("FLIGHT", "done", "CANCELED", UNDONE)
REFUSED = StepSeen("CAR", "refused")
GOODS = [("CREATE_CUSTOMER", "C001", 1000), ("ADD_PRODUCT", "P001", 10, 150)]


@pytest.mark.parametrize(
    ("steps", "back"),
    [
        ([PAID, HOTEL, REFUSED], " ↩ REFUNDED ←── ↩ FREED ←───╯ sold out"),
        ([PAID, HOTEL, REFUSED, FLIGHT], " ↩ REFUNDED ←── ↩ FREED ←──────────── ↩ CANCELED ←╯ sold out"),
        ([PAID, REFUSED, REFUSED, FLIGHT], " ↩ REFUNDED ←────────────────────── ↩ CANCELED ←╯ sold out"),
        ([PAID, HOTEL], " ↩ REFUNDED ←── ↩ FREED ←╯ sold out"),
    ],
    ids=["the last step refused", "one in the middle of a group", "two of them", "a client canceled"],
)
def test_the_way_back_leads_from_one_compensation_to_the_next(steps: Sequence[StepSeen], back: str) -> None:
    """A step of a group that refused, while others were done, has none."""
    paper = Paper(Console(file=StringIO(), width=100, color_system=None), UNICODE)
    assert [line.plain for line in draw_timeline(paper, steps, "sold out")][1:] == [back]


def seen(quantity: int) -> list[tuple[str, str, str]]:
    """Event, outcome and compensation of each step of an order for so many of the ten pieces that there are."""
    session = Session()
    session.process([*GOODS, ("PLACE_ORDER", "C001", "P001", quantity)])
    steps = timeline(TABLE, session.placed("O001").told.entries)
    return [(step.event, step.outcome, step.undone) for step in steps]


def test_an_order_that_shipped() -> None:
    """Every step of the contract's table is done, and none is undone."""
    events = ["ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_RESERVED", "ORDER_SHIPPED"]
    assert seen(2) == [(event, "done", "") for event in events]


def test_an_order_that_went_back() -> None:
    """What was done is undone, what refused is not, what was never asked has no outcome."""
    assert seen(11) == [
        ("ORDER_CREATED", "done", "ORDER_CANCELED"),
        ("PAYMENT_PROCESSED", "done", "PAYMENT_REFUNDED"),
        ("INVENTORY_RESERVED", "refused", ""),
        ("ORDER_SHIPPED", "", ""),
    ]


def test_a_step_that_is_unknown_may_be_undone() -> None:
    """The last outcome counts; a step without a compensation has none."""
    steps = [
        local("A_DONE", lambda entity, _: entity, entity=str, undo=lambda entity, _: entity, undone="A_UNDONE"),
        local("B_DONE", lambda entity, _: entity, entity=str),
    ]
    entries = [("A_DONE", "A", Status.UNKNOWN), ("A_UNDONE", "A", Status.UNDONE)]
    assert timeline(steps, entries) == (StepSeen("A_DONE", "unknown", "A_UNDONE", UNDONE), StepSeen("B_DONE", ""))
