"""An order that only an operator can end keeps no other from going on, and ends as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amends import Abandon, Retry
from amends.errors import RequestRefused
from amends.shop import Session
from amends.shop.outside import Temper
from amends.storefront import Storefront, open_storefront
from tests.storefront.storefronts import AT_ONCE, Closed, assert_sound, refusing_refunds

BATCH = [
    ["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 20, 100],
    ["PLACE_ORDER", "C001", "P001", 1], ["PLACE_ORDER", "C001", "P001", 2], ["PLACE_ORDER", "C001", "P001", 3],
    ["INJECT_FAILURE", "INVENTORY", "O002"], ["INJECT_FAILURE", "SHIPPING", "O003"], ["PLACE_ORDER", "C001", "P001", 1],
]  # fmt: skip
STUCK = ("O002", "O003")


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> type[Closed]:
    """Refuse refunds."""
    return refusing_refunds(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """Return where the store is; at the end everything in it is in order."""
    yield str(tmp_path / "shop.db")
    assert_sound(tmp_path, 4)


def opened(path: str, temper: Temper = AT_ONCE) -> Any:
    """Open a storefront with services outside."""
    return open_storefront(path, simulated=True, temper=temper)


def statuses(report: Any) -> list[str]:
    """Return the statuses of the orders."""
    return [order["status"] for order in report["orders"].values()]


def placed(storefront: Storefront, done: Callable[[int], None] | None = None) -> Any:
    """Run the batch."""
    return storefront.session.process(BATCH, key="run/1", done=done)


def test_nobody_waits_for_an_operator(path: str, services: type[Closed]) -> None:
    """Those that wait are as they stand; what comes after them goes on. Told again, and in time, all ends."""
    expected: Any = Session().process(BATCH)
    waiting = ["SHIPPED", "PROCESSING", "PROCESSING", "SHIPPED"]
    with opened(path) as storefront:
        assert statuses(placed(storefront)) == waiting
        assert storefront.ledger.waiting_for_operator(["O001", *STUCK, "O009"]) == dict.fromkeys(STUCK, Closed.why)
    with opened(path) as storefront:
        reached: list[int] = []
        assert statuses(placed(storefront, reached.append)) == waiting
        assert reached == [len(BATCH) - 2] == [storefront.session.known]
        services.is_mended = True
        for order_id in STUCK:
            storefront.engine.tell(order_id, Retry("PAYMENT_PROCESSED"))
        assert placed(storefront) == expected
        assert storefront.ledger.waiting_for_operator(STUCK) == {}


def test_an_order_that_goes_on_stands_between_others(path: str, services: type[Closed]) -> None:
    """It was set going, and the process ended before its end: the next one waits for it, and mixes up nothing."""
    with opened(path) as storefront:
        placed(storefront)
    services.is_mended = True
    slow = Temper(latency_ms=range(300, 301))
    with opened(path, slow) as storefront:
        for order_id in STUCK:
            storefront.engine.tell(order_id, Retry("PAYMENT_PROCESSED"))
    with opened(path, slow) as storefront:
        assert placed(storefront) == Session().process(BATCH)


@pytest.mark.usefixtures("services")
def test_what_an_operator_gave_up_waits_no_more(tmp_path: Path) -> None:
    """It is at no end that a report knows, and nobody is asked for it."""
    with opened(str(tmp_path / "shop.db")) as storefront:
        placed(storefront)
        storefront.engine.tell("O002", Abandon("the bank is gone"))
        assert statuses(placed(storefront))[1] == "PROCESSING"
        assert list(storefront.ledger.waiting_for_operator(STUCK)) == ["O003"]
        with pytest.raises(RequestRefused, match="no saga"):
            storefront.engine.tell("O009", Abandon())
