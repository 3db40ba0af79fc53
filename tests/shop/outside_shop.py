"""The shop with its services outside, as small as tests need it: a loop around `step`, and batches on top.

What it leaves out of the contract: queries, remarks, count limits, and everything that is refused for its form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from amends import Compensated, Completed, Refused, Saga, SagaInstance, Status
from amends.core.effects import Effect, Send
from amends.core.messages import Answered, Request, Unknown
from amends.core.run import outcome_of
from amends.core.step import start, step
from amends.core.straight import Entities
from amends.core.walk import execute
from amends.shop.checkout import LOGGED_EVENTS, SERVICES
from amends.shop.inventory import INVENTORY, STOCK_SET, Offer
from amends.shop.orders import ORDER
from amends.shop.outside import CHECKOUT_OUTSIDE, CUSTOMER, CUSTOMER_KNOWN, FAILING_OUTSIDE_AT, Providers
from amends.shop.payments import PAYMENT
from amends.shop.report import customer_report, product_report
from amends.shop.shipping import SHIPPING
from tests.shop.virtual import now_ms


class Driver:
    """One saga on an event loop: requests go out when they are due, and are hung up on when their time is over."""

    def __init__(self, saga: Saga, entities: Entities, clients: Mapping[str, Any]) -> None:
        self.saga, self.entities, self.clients = saga, entities, clients
        self.heard: asyncio.Queue[Answered] = asyncio.Queue()
        self.calls: set[asyncio.Task[None]] = set()

    async def drive(self, saga_id: str, request: Any) -> SagaInstance:
        """Run a saga until it is final; it may not stop for an operator."""
        self.current, effects = start(self.saga, saga_id, request, now_ms(), self.entities)
        self._send(effects)
        while (due_ms := self.current.due_ms()) is not None:
            for said in await self._inputs(due_ms):
                self.current, effects = step(self.current, said, now_ms(), self.entities)
                self._send(effects)
        return self.current

    async def _inputs(self, due_ms: int) -> tuple[Any, ...]:
        try:
            async with asyncio.timeout((due_ms - now_ms()) / 1000):
                return (await self.heard.get(),)
        except TimeoutError:
            return self.current.overdue(now_ms())

    def _send(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                call = asyncio.create_task(self._call(effect))
                self.calls.add(call)
                call.add_done_callback(self.calls.discard)

    async def _call(self, send: Send) -> None:
        await asyncio.sleep((send.at_ms - now_ms()) / 1000)
        if not self.current.wants(send):
            return
        try:
            async with asyncio.timeout((send.due_ms - now_ms()) / 1000):
                answer = await self._answer(send.request)
                outcome = outcome_of(answer, send.request, self.current.saga.step(send.request.step))
        except TimeoutError:
            return
        except ConnectionError as error:
            outcome = Unknown(str(error))
        await self.heard.put(Answered(send.request.step, send.request.kind, outcome, send.request.call.attempt))

    async def _answer(self, request: Request) -> Any:
        asked = self.saga.step(request.step)
        function = asked.function(request.kind)
        assert function is not None
        answer = function(self.clients[asked.service], request.body, request.call)
        return await answer if asyncio.iscoroutine(answer) else answer


class OutsideShop:
    """An order system whose PAYMENT and SHIPPING are outside."""

    def __init__(self, outside: Providers) -> None:
        self.outside = outside
        self.entities: dict[str, dict[str, Any]] = {ORDER: {}, INVENTORY: {}, CUSTOMER: {}}
        self.runs: dict[str, SagaInstance] = {}

    async def process(self, batch: list[Any]) -> dict[str, Any]:
        """Carry out a batch, one order after the other, and report what it named."""
        injected = injections(batch)
        before = set(self.runs)
        customers: dict[str, None] = {}
        products: dict[str, None] = {}
        for name, *values in batch:
            if name == "CREATE_CUSTOMER":
                self.create(*values)
                customers[values[0]] = None
            elif name == "ADD_PRODUCT":
                self.add(*values)
                products[values[0]] = None
            elif name == "PLACE_ORDER" and await self.order(injected, *values):
                customers[values[0]] = products[values[1]] = None
        return self._report(customers, products, [run for key, run in self.runs.items() if key not in before])

    def create(self, customer_id: str, credit_limit: int) -> None:
        """Tell PAYMENT, then CUSTOMER."""
        self.outside.set_limit(customer_id, credit_limit)
        execute(self.entities, CUSTOMER_KNOWN, customer_id, None)

    def add(self, product_id: str, stock: int, price: int) -> None:
        """Set stock and price."""
        execute(self.entities, STOCK_SET, product_id, Offer(stock, price))

    async def order(self, injected: Mapping[str, int], customer_id: str, product_id: str, quantity: int) -> bool:
        """Place an order and run it to its end, unless it is refused."""
        order_id = f"O{len(self.runs) + 1:03d}"
        assert CHECKOUT_OUTSIDE.prepare is not None
        asked = ("PLACE_ORDER", customer_id, product_id, quantity)
        purchase = CHECKOUT_OUTSIDE.prepare(self.entities, order_id, asked)
        if isinstance(purchase, Refused):
            return False
        failing = injected.get(order_id) if quantity else None
        saga = CHECKOUT_OUTSIDE if failing is None else FAILING_OUTSIDE_AT[failing]
        self.runs[order_id] = start(saga, order_id, purchase)[0]  # its number is taken, also while it waits
        driver = Driver(saga, self.entities, {PAYMENT: self.outside, SHIPPING: self.outside})
        self.runs[order_id] = await driver.drive(order_id, purchase)
        return True

    def _report(
        self, customers: Mapping[str, None], products: Mapping[str, None], runs: list[SagaInstance]
    ) -> dict[str, Any]:
        accounts, stocks = self.outside.books.entities[PAYMENT], self.entities[INVENTORY]
        return {
            "customers": {key: customer_report(accounts[key]) for key in customers},
            "products": {key: product_report(stocks[key]) for key in products},
            "orders": {run.saga_id: order_report(run) for run in runs},
            "saga_log": [line for run in runs for line in log_of(run)],
        }


def injections(batch: list[Any]) -> dict[str, int]:
    """Return where each order is to fail: the earliest step counts."""
    found: dict[str, int] = {}
    for name, *values in batch:
        if name == "INJECT_FAILURE":
            place = SERVICES.index(values[0])
            found[values[1]] = min(place, found.get(values[1], place))
    return found


def order_report(run: SagaInstance) -> dict[str, Any]:
    """Return an order's entry, read from its run."""
    _, customer_id, product_id, quantity, total_amount, _ = run.request
    logged = [entry for entry in run.trail if entry.event in LOGGED_EVENTS]
    statuses = {Completed: "SHIPPED", Compensated: "CANCELED"}
    return {
        "customer_id": customer_id,
        "product_id": product_id,
        "quantity": quantity,
        "total_amount": total_amount,
        "status": statuses[type(run.state)],
        "events_completed": [entry.event for entry in logged if entry.status is Status.DONE],
        "compensation_events": [entry.event for entry in logged if entry.status is Status.UNDONE],
    }


def log_of(run: SagaInstance) -> list[dict[str, Any]]:
    """Return the lines of the saga log that an order leaves."""
    return [
        {
            "order_id": run.saga_id,
            "event": entry.event,
            "service": entry.service,
            "success": entry.status is not Status.REFUSED,
            "compensation": entry.status is Status.UNDONE,
        }
        for entry in run.trail
        if entry.event in LOGGED_EVENTS
    ]
