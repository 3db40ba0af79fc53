"""The order saga in small worlds, to be explored: ``amends check shop``.

Two orders can compete for one thing at a time: where the credit is enough for one of them alone, the second never
comes to the stock. So there are two worlds in which they compete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from amends.scenario import Scenario
from amends.shop.checkout import CHECKOUT
from amends.shop.inventory import INVENTORY, Product
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase

CUSTOMER: Final = "C001"
PRODUCT: Final = "P001"
ASKED: Final = [("PLACE_ORDER", CUSTOMER, PRODUCT, quantity) for quantity in (2, 1, 3, 0, 11)] + [
    ("PLACE_ORDER", "C404", PRODUCT, 1),
    ("PLACE_ORDER", CUSTOMER, "P404", 1),
]
"""What clients ask for when the saga is simulated: orders that ship, that are short, and that cannot be placed."""


def stock_does_not_add_up(given: Mapping[str, Mapping[str, Any]]) -> str:
    """Promise P10, at every moment: stock + reserved + settled = added, and none is negative."""
    for product_id, (stock, reserved, settled, added, _) in given[INVENTORY].items():
        if stock + reserved + settled != added or min(stock, reserved, settled) < 0:
            return f"{product_id}: stock {stock} + reserved {reserved} + settled {settled}, and {added} came in"
    return ""


def credit_is_negative(given: Mapping[str, Mapping[str, Any]]) -> str:
    """Promise P10: nobody is refunded more than was taken."""
    for customer_id, account in given[PAYMENT].items():
        if account.credit_used < 0:
            return f"{customer_id}: {account.credit_used} of {account.credit_limit} is used"
    return ""


def orders(*order_ids: str, credit: int, stock: int) -> Scenario:
    """Orders of two pieces each, for 200, of one customer and one product, at the same time.

    Args:
        order_ids: one for each.
        credit: the customer's limit.
        stock: pieces.
    """
    return Scenario(
        CHECKOUT,
        given={PAYMENT: {CUSTOMER: Account(credit, 0)}, INVENTORY: {PRODUCT: Product(stock, 0, 0, stock, 100)}},
        requests=[Purchase(order_id, CUSTOMER, PRODUCT, 2, 200, short=False) for order_id in order_ids],
        never=[stock_does_not_add_up, credit_is_negative],
        ids=order_ids,
        asked=ASKED,
    )


ONE_ORDER: Final = orders("O001", credit=1000, stock=3)
TWO_ORDERS_ONE_STOCK: Final = orders("O001", "O002", credit=1000, stock=3)
TWO_ORDERS_ONE_CREDIT: Final = orders("O001", "O002", credit=300, stock=9)
