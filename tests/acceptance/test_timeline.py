"""The timeline of a saga: its steps in a row, and underneath what made amends."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from amends.entrypoints.drawing.paper import Paper
from amends.entrypoints.drawing.timeline import draw_timeline
from amends.lines import UNICODE
from amends.shop.views import StepView

PAID = StepView("PAID", "BANK", "done", "REFUNDED")
HOTEL = StepView("HOTEL", "HOTELS", "done", "FREED")
FLIGHT = StepView("FLIGHT", "AIRLINE", "done", "CANCELED")
REFUSED = StepView("CAR", "CARS", "refused", "")


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
def test_the_way_back_leads_from_one_compensation_to_the_next(steps: Sequence[StepView], back: str) -> None:
    """A step of a group that refused, while others were done, has none."""
    paper = Paper(Console(file=StringIO(), width=100, color_system=None), UNICODE)
    assert [line.plain for line in draw_timeline(paper, steps, "sold out")][1:] == [back]
