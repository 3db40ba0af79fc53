"""PAYMENT and SHIPPING in a hurry: their time, and what the saga grants them of it, pass many times as fast.

A life between two kills is shorter than these services take to settle, and each life waits for that anew before it
probes: nobody would ever be killed at a probe. Here a request settles within a tenth of a second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from amends import Backoff
from amends.core.definition import Step
from amends.shop.outside import CHECKOUT_OUTSIDE, Temper, Timers

FASTER: Final = 20
IN_SECONDS: Final = ("timeout_s", "limit_s", "settles_within_s")

TEMPER: Final = Temper(lost=10, late=10, down=20, latency_ms=range(FASTER, 6 * FASTER, FASTER))
"""Something of everything; by our clock they answer within 1 to 5 ms."""


class QuickTimers(Timers):
    """Time that passes faster; rounded down, so that whoever settles within a time is not late by a millisecond."""

    faster = FASTER


def _quick(step: Step) -> Step:
    if step.is_local:
        return step
    backoff = Backoff(step.backoff.first_s / FASTER, step.backoff.cap_s / FASTER)
    return replace(step, backoff=backoff, **{name: getattr(step, name) / FASTER for name in IN_SECONDS})


CHECKOUT_QUICK: Final = replace(CHECKOUT_OUTSIDE, steps=[_quick(step) for step in CHECKOUT_OUTSIDE.every_step()])
"""The same saga, of the same name, for services with `QuickTimers`."""
