"""A service that is down for a day of simulated time: orders wait for it, and all end once it is back."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Final

import amends
from amends import Backoff, Saga
from amends.engine.blocking import BlockingEngine, BlockingHandle
from amends.shop.inventory import INVENTORY, STOCK_SET, Offer, Product
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT, Account
from amends.shop.purchase import Purchase
from amends.storefront.apart import ORDERS, SERVICES
from amends.testing import ManualClock

NUMBER: Final = 10
WIRE: Final = "memory:a-day"
LOOK_S: Final = 0.001  # real seconds after which an answer over a wire counts as one that does not come
ANSWER_S: Final = 0.05
LOOKS_MAX: Final = 100
TWO_DAYS_S: Final = 172_800.0


def _patient(saga: Saga) -> Saga:
    """Return a definition that waits for two days, and asks some thirty times in each, in place of three hundred."""
    steps = [replace(step, backoff=Backoff(60, 3_600), limit_s=TWO_DAYS_S) for step in saga.every_step()]
    return replace(saga, steps=steps)


SAGAS: Final = [*map(_patient, ORDERS)]


def test_a_service_that_is_down_for_a_day() -> None:
    """Nothing but time passes: money and stock are exact."""
    clock = ManualClock(hangs_after_s=LOOK_S)
    with ExitStack() as engines:

        def opened(name: str, *hosts: str) -> BlockingEngine:
            others, moved = [service for service in SERVICES if service not in hosts], None if hosts else clock
            parts = amends.open(
                f"memory:day-{name}", sagas=SAGAS, clock=moved, wire=WIRE, hosts=hosts, elsewhere=others
            )
            return engines.enter_context(parts)

        hosts = {service: opened(service, service) for service in SERVICES if service != PAYMENT}
        hosts[INVENTORY].carry_out(STOCK_SET, "P1", Offer(NUMBER, 10))
        coordinator = opened("sagas")
        orders = [Purchase(f"O{number}", "C1", "P1", 1, 10, short=False) for number in range(NUMBER)]
        handles = [coordinator.submit(SAGAS[number % 5], order) for number, order in enumerate(orders)]

        clock.advance(days=1)
        waiting = Counter(handle.describe().status for handle in handles)
        assert waiting == {"forward": NUMBER * 4 // 5, "compensated": NUMBER // 5}  # those that ORDER refused

        hosts[PAYMENT] = opened(PAYMENT, PAYMENT)
        hosts[PAYMENT].carry_out(CREDIT_LIMIT_SET, "C1", 10_000)
        for handle in handles:
            _await_end(handle, clock)
        ended = Counter(handle.describe().status for handle in handles)
        assert ended == {"completed": NUMBER // 5, "compensated": NUMBER * 4 // 5}
        assert hosts[PAYMENT].entity(PAYMENT, "C1") == Account(10_000, 10 * NUMBER // 5)
        stock = Product(NUMBER * 4 // 5, 0, NUMBER // 5, NUMBER, 10)
        assert hosts[INVENTORY].entity(INVENTORY, "P1") == stock


def _await_end(handle: BlockingHandle, clock: ManualClock) -> None:
    """Let time pass until a saga has ended: answers over the wire take some of the machine's."""
    for _ in range(LOOKS_MAX):
        with suppress(TimeoutError):
            handle.result(ANSWER_S)
            return
        clock.advance(minutes=10)
    handle.result(0)
