"""What a saga decided is read from its records alone, and a request that it must not make is found there."""

from __future__ import annotations

from amends.checking.simulator.told import SagaFollower, Script
from amends.shop.outside import CHECKOUT_OUTSIDE

PAY = "PAYMENT_PROCESSED"


def going_back() -> SagaFollower:
    """Return a saga that asked for its payment, and then was canceled."""
    follower = SagaFollower(Script(CHECKOUT_OUTSIDE))
    records = [("done", "ORDER_CREATED"), ("forward", PAY), ("sent", PAY)], [("backward", PAY)]
    assert not [wrong for record in records for wrong in follower.hear(record)]
    return follower


def test_a_request_after_it_turned_back_is_found() -> None:
    """What a record leaves as sent is asked for once that is committed."""
    asked = [("V07", f"it asked for {PAY} after it had decided to go back")]
    assert [*going_back().hear([("sent", PAY)])] == asked
    assert [*going_back().hear([("resent", PAY)])] == asked


def test_what_the_same_record_takes_back_is_not_asked() -> None:
    """An attempt that an engine could not send, as its lease was over, is the last one of a saga that goes back.

    Several engines, seed 59 of ``amends.shop.outside:CHECKOUT_OUTSIDE``.
    """
    undone = [("backward", "ORDER_CREATED"), ("undone", "ORDER_CREATED"), ("compensated",)]
    assert not [*going_back().hear([("sent", PAY), ("refused", PAY), *undone])]
