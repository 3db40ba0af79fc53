"""The order saga with its services outside, in a small world: ``amends check amends.shop.outside:CHECKOUT_OUTSIDE``.

The services are the checker's own models here: any provider that honours keys, not only the one that we simulate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from amends.shop.inventory import INVENTORY
from amends.shop.outside.checkout import ACTIVE, CHECKOUT_OUTSIDE, CUSTOMER
from amends.shop.scenarios import ONE_ORDER, stock_does_not_add_up

ONE_ORDER_OUTSIDE: Final = replace(
    ONE_ORDER,
    saga=CHECKOUT_OUTSIDE,
    given={INVENTORY: ONE_ORDER.given[INVENTORY], CUSTOMER: {ONE_ORDER.requests[0].customer_id: ACTIVE}},
    never=[stock_does_not_add_up],
)
