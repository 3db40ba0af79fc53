"""A saga whose step fails until its time is over, by a clock that is moved by hand: no machine is too slow for it."""

from __future__ import annotations

import amends
from amends import Saga
from amends.engine.handle import Result
from amends.testing import ManualClock
from tests.engine.test_engine import PATIENCE_S


def given_up(saga: Saga) -> Result:
    """Return how a saga on the request 1 ends, all of whose limits are below an hour."""
    clock = ManualClock(hangs_after_s=PATIENCE_S)
    with amends.open("memory:", sagas=[saga], clock=clock) as engine:
        handle = engine.submit(saga, 1)
        clock.advance(hours=1)
        return handle.result(PATIENCE_S)
