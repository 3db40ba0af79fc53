"""`amends demo --spread`: six processes, of which two are killed while orders run."""

from __future__ import annotations

from typing import Any

import pytest

from amends.entrypoints.demo import spread as demo
from amends.entrypoints.demo import spread_rush as rush
from amends.entrypoints.demo.tally import StoreTotals
from amends.errors import AmendsError
from tests.acceptance.command import process
from tests.nats import expect_nats
from tests.postgres import server


@pytest.mark.torture
@pytest.mark.parametrize("wire", ["postgresql", "nats"])
def test_money_and_stock_are_exact_after_two_kills(wire: str) -> None:
    """All that it looks at holds, and it ends by itself."""
    server()  # skips, aloud, where none can be had
    expect_nats()
    ran = process("demo", "--spread", wire, timeout_s=4 * rush.LIMIT_S)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("$ kill -9") == 2
    assert ran.out.count(" ✔ ") == 3 + 5
    assert "✘" not in ran.out


EXACT = StoreTotals(orders=rush.ORDERS, shipped=2, earned=20, used=20, sold=4, gone=4)


@pytest.mark.parametrize("wrong", [{}, {"orders": rush.ORDERS - 1}, {"used": 25}, {"gone": 5}])
def test_what_does_not_add_up_is_said(wrong: dict[str, int]) -> None:
    """Orders, money and stock each have a line."""
    assert sum(not holds for _, holds in demo._sums(EXACT._replace(**wrong))) == len(wrong)


def test_orders_that_do_not_end_end_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a line that says how many had ended; other sagas do not count."""
    monkeypatch.setattr(rush, "LIMIT_S", 0.0)
    records: Any = type("Counting", (), {"counts": lambda _: {
        (f"{rush.KINDS[0].name}/1/x", "completed"): 4, (f"{rush.KINDS[1].name}/1/x", "compensated"): 3,
        (f"{rush.KINDS[0].name}/1/x", "forward"): 20, ("see an account/1/x", "completed"): 50,
    }})()  # fmt: skip
    assert rush.watch(records, 7, None) == 7
    told: list[int] = []
    with pytest.raises(AmendsError, match="7 of 3000 orders had ended"):
        rush.watch(records, 8, told.append)
