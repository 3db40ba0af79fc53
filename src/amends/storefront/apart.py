"""The shop's four services apart: what their hosts and coordinators are opened with (`amends host`, docs/spread.md).

The sagas of orders are those of the shop. An order's request is made by who places it (`amends.storefront.spread`),
since no coordinator has the entities that it is made from; so these have no `prepare`. What the shop does by a command,
or by a look at an entity, is a saga of one step here: nothing but requests and answers crosses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from amends.core.definition import Saga, local
from amends.core.messages import GONE, Changed, Gone, Refused
from amends.shop import checkout
from amends.shop.inventory import INVENTORY, Offer, Product, set_stock
from amends.shop.orders import NUMBERING, ORDER, take_numbers
from amends.shop.payments import PAYMENT, Account, set_limit

SERVICES: Final = checkout.SERVICES
CREDIT_SEEN: Final = "CREDIT_SEEN"
STOCK_SEEN: Final = "STOCK_SEEN"
NUMBERS_SEEN: Final = "NUMBERS_SEEN"


class LimitWanted(NamedTuple):
    """What a customer's credit limit is to be.

    Attributes:
        customer_id: of the customer.
        credit_limit: 1 to 1 000 000.
    """

    customer_id: str
    credit_limit: int


class OfferWanted(NamedTuple):
    """What stock and price of a product are to be.

    Attributes:
        product_id: of which.
        stock: 0 to 10 000.
        price: 1 to 1 000 000.
    """

    product_id: str
    stock: int
    price: int


class NumbersWanted(NamedTuple):
    """Order numbers that are to be taken.

    Attributes:
        last: the one that was taken last, as far as is known; 0 for none.
        many: how many.
    """

    last: int
    many: int


def see_account(account: Account | None, customer_id: str) -> Changed[Account | Gone, Account]:  # noqa: ARG001 - it is the entity's
    """CREDIT_SEEN."""
    return Changed(account or GONE, account)  # type: ignore[arg-type]  # none is no answer


def see_product(product: Product | None, product_id: str) -> Changed[Product | Gone, Product]:  # noqa: ARG001 - it is the entity's
    """STOCK_SEEN."""
    return Changed(product or GONE, product)  # type: ignore[arg-type]  # none is no answer


def see_numbers(last: int | None, numbering: str) -> Changed[int | Gone, int]:  # noqa: ARG001 - it is the entity's
    """NUMBERS_SEEN."""
    return Changed(last or GONE, last)  # type: ignore[arg-type]  # none is no answer


def want_limit(account: Account | None, wanted: LimitWanted) -> Account:
    """CREDIT_LIMIT_SET."""
    return set_limit(account, wanted.credit_limit)


def want_offer(product: Product | None, wanted: OfferWanted) -> Product:
    """STOCK_SET."""
    return set_stock(product, Offer(wanted.stock, wanted.price))


def want_numbers(last: int | None, wanted: NumbersWanted) -> int | Refused:
    """ORDER_NUMBERS_TAKEN: who reckons with other numbers than there are gets none."""
    if (last or 0) != wanted.last:
        return Refused(f"order numbers up to {last or 0} are taken, not up to {wanted.last}")
    return take_numbers(last, wanted.many)


ORDERED: Final = replace(checkout.CHECKOUT, prepare=None)
FAILING_AT_ORDER, FAILING_AT_PAYMENT, FAILING_AT_INVENTORY, FAILING_AT_SHIPPING = (
    replace(saga, prepare=None) for saga in checkout.FAILING_AT
)
ORDERS: Final = (ORDERED, FAILING_AT_ORDER, FAILING_AT_PAYMENT, FAILING_AT_INVENTORY, FAILING_AT_SHIPPING)
"""The sagas of orders: those without an injected failure first, then those that fail at each of `SERVICES`."""

SEE_ACCOUNT: Final = Saga(
    "see an account", str, [local(CREDIT_SEEN, see_account, entity=str, service=PAYMENT, pivot=True)]
)
SEE_PRODUCT: Final = Saga(
    "see a product", str, [local(STOCK_SEEN, see_product, entity=str, service=INVENTORY, pivot=True)]
)
SEE_NUMBERS: Final = Saga(
    "see order numbers", str, [local(NUMBERS_SEEN, see_numbers, entity=str, service=ORDER, pivot=True)]
)
WANT_LIMIT: Final = Saga(
    "set a credit limit",
    LimitWanted,
    [local("CREDIT_LIMIT_SET", want_limit, entity=lambda wanted: wanted.customer_id, service=PAYMENT, pivot=True)],
)
WANT_OFFER: Final = Saga(
    "set stock and price",
    OfferWanted,
    [local("STOCK_SET", want_offer, entity=lambda wanted: wanted.product_id, service=INVENTORY, pivot=True)],
)
WANT_NUMBERS: Final = Saga(
    "take order numbers",
    NumbersWanted,
    [local("ORDER_NUMBERS_TAKEN", want_numbers, entity=lambda _: NUMBERING, service=ORDER, pivot=True)],
)

SAGAS: Final = (*ORDERS, SEE_ACCOUNT, SEE_PRODUCT, SEE_NUMBERS, WANT_LIMIT, WANT_OFFER, WANT_NUMBERS)
