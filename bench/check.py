"""How far and how fast the checker explores: absolute figures, for one core of the machine that is named there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from amends.checking.explore import WorldSearch
from amends.checking.layout import WorldLayout
from amends.checking.successors import Successors
from amends.scenario import Scenario
from amends.shop.scenarios import ONE_ORDER, TWO_ORDERS_ONE_STOCK

EXPLORED: Final = {"one order, up to 3 faults": (ONE_ORDER, 3), "two orders, up to 1 fault": (TWO_ORDERS_ONE_STOCK, 1)}


def check_lines() -> Iterator[str]:
    """Yield two lines for each scenario: everything explored, and what stands for it (docs/adr/0017).

    What is asserted is that both held, and never how fast.
    """
    for name, (scenario, faults) in EXPLORED.items():
        yield _line(f"{name}, in every order", scenario, faults, reduced=False)
        yield _line(f"{name}, reduced", scenario, faults, reduced=True)


def _line(name: str, scenario: Scenario, faults: int, *, reduced: bool) -> str:
    begin_s = time.process_time()
    found = WorldSearch(Successors(WorldLayout(scenario), reduced=reduced), faults).run()
    seconds = time.process_time() - begin_s
    assert found.held, name
    states, _, transitions, _ = found.progress
    rates = f"{transitions / seconds:,.0f} moves/s, {states / seconds:,.0f} distinct worlds/s"
    return f"check: {name:51} {seconds:5.2f} s   {states:,} worlds, {transitions:,} moves: {rates}"
