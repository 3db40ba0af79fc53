"""The order saga where PAYMENT and SHIPPING belong to other companies: the same events, order and compensations.

What a step asks of a service outside is the request of the saga under its key; the service knows the rest
(`amends.shop.outside.service`). The local steps are those of `CHECKOUT`, themselves.

Where a customer lives: the account is PAYMENT's, so it is outside, and CREATE_CUSTOMER has to reach it there
(`Providers.set_limit`). An order of a customer that does not exist takes no number, so `place_outside` has to know who
exists, at once and without asking a service: that, and nothing else, is kept here, as CUSTOMER's (`CUSTOMER_KNOWN`).
A program that takes in a customer tells PAYMENT first and CUSTOMER then. After a crash between the two the account is
there, and no order is placed on it; the other way round there would be orders that PAYMENT cannot serve. Told again,
both end as they are: a limit is set, not added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from amends.core.definition import Backoff, Command, Saga, Step, external
from amends.core.messages import Call, Done, Refused
from amends.shop.checkout import CHECKOUT, failing_at, place
from amends.shop.inventory import INVENTORY
from amends.shop.outside.temper import SETTLES_MS, TIMEOUT_MS
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.shop.shipping import SHIPPING

CUSTOMER: Final = "CUSTOMER"
ACTIVE: Final = "ACTIVE"

LIMIT_S: Final = 10  # a payment that a service outside does not answer for so long is given back: soon enough to watch
BACKOFF: Final = Backoff(timedelta(milliseconds=50).total_seconds(), 1)


class Service(Protocol):
    """What the saga needs of a service outside; `amends.shop.outside.service.Outside` is one."""

    async def ask(self, purchase: Purchase, call: Call) -> Done | Refused:
        """Do or undo what the key says, once."""

    async def look_up(self, call: Call) -> Done | Refused:
        """Whether what the key says was done."""


async def ask(service: Service, purchase: Purchase, call: Call) -> Done | Refused:
    """Ask a service to do its part of an order, or to undo it."""
    return await service.ask(purchase, call)


async def look_up(service: Service, purchase: Purchase, call: Call) -> Done | Refused:  # noqa: ARG001 - the key says it
    """Ask a service whether it did its part of an order."""
    return await service.look_up(call)


def know(known: str | None, nothing: None) -> str:  # noqa: ARG001 - it is the same for all
    """CUSTOMER_KNOWN: from now on this customer can order."""
    return ACTIVE


CUSTOMER_KNOWN: Final = Command("CUSTOMER_KNOWN", CUSTOMER, know)


def place_outside(entities: Mapping[str, Mapping[str, Any]], order_id: str, asked: Sequence[Any]) -> Purchase | Refused:
    """Freeze what an order asks for, as `amends.shop.checkout.place`; who exists, CUSTOMER knows."""
    return place({PAYMENT: entities[CUSTOMER], INVENTORY: entities[INVENTORY]}, order_id, asked)


def _outside(event: str, service: str, **more: Any) -> Step:
    """A step that a service outside is asked for; it remembers what it refused, and can look a key up."""
    return external(
        event, ask, service=service, probe=look_up, remembers_refusals=True, limit_s=LIMIT_S, backoff=BACKOFF,
        timeout_s=timedelta(milliseconds=TIMEOUT_MS).total_seconds(),
        settles_within_s=timedelta(milliseconds=SETTLES_MS).total_seconds(), **more,
    )  # fmt: skip


CHECKOUT_OUTSIDE: Final = Saga(
    "checkout-outside",
    Purchase,
    [
        CHECKOUT.step("ORDER_CREATED"),
        _outside("PAYMENT_PROCESSED", PAYMENT, undo=ask, undone="PAYMENT_REFUNDED"),
        CHECKOUT.step("INVENTORY_RESERVED"),
        _outside("ORDER_SHIPPED", SHIPPING, pivot=True),
        CHECKOUT.step("INVENTORY_SETTLED"),
        CHECKOUT.step("ORDER_COMPLETED"),
    ],
    prepare=place_outside,
)

FAILING_OUTSIDE_AT: Final = failing_at(CHECKOUT_OUTSIDE)
"""The saga with a failure injected at each service of `SERVICES`, before anything goes out."""
