"""A session on services that are apart: it says what one in memory says, and nothing is read but by sagas."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from amends import Refused, connect
from amends.errors import RequestRefused
from amends.shop import Session
from amends.shop.orders import PROCESSING
from amends.shop.payments import PAYMENT, Account
from amends.storefront import open_spread
from amends.storefront.apart import ORDERED, SAGAS
from amends.storefront.spread import row_seen
from tests.shop.batches import random_batch
from tests.storefront.apart import apart
from tests.storefront.test_differential import said

OPENING = [("CREATE_CUSTOMER", "C001", 1000), ("ADD_PRODUCT", "P001", 9, 100)]
ORDER = ("PLACE_ORDER", "C001", "P001", 2)


@pytest.mark.parametrize("limits", [False, True])
def test_random_batches(limits: bool) -> None:
    """Reports are equal to the byte, and so are refusals, notes and what people are shown."""
    rng, theirs, first = random.Random(f"spread {limits}"), Session(limits=limits), 1
    with apart() as url, open_spread(url, limits=limits) as spread:
        for turn in range(4):
            batch = random_batch(rng, first)
            assert said(spread.session, batch) == said(theirs, batch), f"batch {turn}"
            first += len(theirs.named.orders)


def test_what_no_operation_gives_is_not_asked_for() -> None:
    """An id that cannot be stored is one of nothing."""
    strange = ["\ud800", "", "x" * 1_000_000]
    batch = [*OPENING, *(("PLACE_ORDER", one, other, 1) for one in strange for other in ("P001", *strange)), ORDER]
    with apart() as url, open_spread(url) as spread:
        assert said(spread.session, batch) == said(Session(), batch)
        for missing in (*strange, "C002"):
            assert missing not in spread.session.entities[PAYMENT]
        assert spread.session.entities[PAYMENT]["C001"] == Account(1000, 200)
        assert spread.session.placed("O001").told.status == "SHIPPED"
        for missing in (*strange, "O002", "C001"):
            with pytest.raises(KeyError):
                spread.session.placed(missing)


def test_two_runs_take_no_number_twice() -> None:
    """The one that comes late is told, and places nothing."""
    with apart() as url, open_spread(url) as one, open_spread(url) as other:
        one.session.process(OPENING)
        seen = one.ledger.seen
        one.ledger.seen = lambda names: (seen([*names]), other.session.process([ORDER]))[0]  # type: ignore[method-assign]  # just behind the look
        with pytest.raises(RequestRefused, match="up to 1 are taken, not up to 0: another run places orders"):
            one.session.process([ORDER])
        one.ledger.seen = seen  # type: ignore[method-assign]
        assert other.session.placed("O001").told.status == "SHIPPED"
        assert one.session.process([ORDER])["orders"].keys() == {"O002"}


def test_an_order_that_waits_for_an_operator_stands_and_others_go_on() -> None:
    """What a service refuses behind the pivot is the operator's."""
    refusing = ORDERED.replacing("INVENTORY_SETTLED", lambda *_: Refused("the shelf is gone"))
    with apart({"INVENTORY": [refusing, *SAGAS[1:]]}) as url, open_spread(url) as spread:
        report = spread.session.process([*OPENING, ORDER, ("INJECT_FAILURE", "SHIPPING", "O002"), ORDER])
        assert [order["status"] for order in report["orders"].values()] == [PROCESSING, "CANCELED"]
        waiting = spread.ledger.waiting_for_operator(["O001", "O002", "O003"])
        assert [*waiting] == ["O001"]
        assert "the shelf is gone" in waiting["O001"]
        assert spread.session.placed("O001").reason == waiting["O001"]


def test_an_order_that_arrived_has_no_reason_and_owes_nothing_in_a_report() -> None:
    """Whatever stood in its way until an operator came; what is owed is the operator's."""
    with apart() as url, open_spread(url) as spread, connect(url) as client:
        spread.session.process([*OPENING, ORDER])
        view = client.find("O001")
    assert view is not None
    assert row_seen(replace(view, trouble="it was stuck", trail=(*view.trail, "PAYMENT_PROCESSED owed"))) == row_seen(
        view
    )
    assert row_seen(view)[-1] == ""
