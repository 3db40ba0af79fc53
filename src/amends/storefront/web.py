"""The order system as it is asked by clients, over HTTP say: every command and every look is a saga.

An order's id is its saga's. What it asks for is frozen by its `prepare`, where its entities are; so it is one letter,
and the same letter twice is one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from amends.core.definition import Saga, external, local
from amends.core.messages import Call, Done, Refused
from amends.shop.checkout import CHECKOUT, failing_at, place
from amends.shop.inventory import INVENTORY
from amends.shop.operations import PLACE_ORDER
from amends.shop.outside import CHECKOUT_OUTSIDE, CUSTOMER, Providers
from amends.shop.outside.checkout import ACTIVE
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase
from amends.storefront.apart import CREDIT_SEEN, SEE_ACCOUNT, SEE_PRODUCT, WANT_LIMIT, WANT_OFFER, LimitWanted

ORDER_NAME: Final = "order"
CUSTOMER_ID: Final = "customer_id"
PRODUCT_ID: Final = "product_id"
QUANTITY: Final = "quantity"


class ShopSagas(NamedTuple):
    """What a client of the shop asks for.

    Attributes:
        orders: the sagas of orders: one without an injected failure first, then one that fails at each service, in the
            order of the contract's table.
        limit: sets a customer's credit limit; a new customer is one with a limit.
        offer: sets stock and price of a product; a new product is one with an offer.
        account: looks at a customer's credit.
        product: looks at a product.
    """

    orders: tuple[Saga, ...]
    limit: Saga
    offer: Saga
    account: Saga
    product: Saga

    @property
    def all(self) -> tuple[Saga, ...]:
        """Every saga that a client asks for."""
        return (*self.orders, *self[1:])


def place_wanted(entities: Mapping[str, Mapping[str, Any]], order_id: str, asked: Any) -> Purchase | Refused:
    """Freeze what an order asks for; see `amends.shop.checkout.place`."""
    return place(entities, order_id, _operation(asked))


def reads_of(asked: Any) -> Sequence[tuple[str, str]]:
    """What an order looks up."""
    return (PAYMENT, asked[CUSTOMER_ID]), (INVENTORY, asked[PRODUCT_ID])


def place_wanted_outside(entities: Mapping[str, Mapping[str, Any]], order_id: str, asked: Any) -> Purchase | Refused:
    """The same where PAYMENT is outside: who exists, CUSTOMER knows."""
    return place({PAYMENT: entities[CUSTOMER], INVENTORY: entities[INVENTORY]}, order_id, _operation(asked))


def _operation(asked: Any) -> Sequence[Any]:
    return PLACE_ORDER, asked[CUSTOMER_ID], asked[PRODUCT_ID], asked[QUANTITY]


def tell_limit(payment: Providers, wanted: LimitWanted, _: Call) -> None:
    """CREDIT_LIMIT_SET, outside: a limit is set, not added, so that it may be told twice."""
    payment.set_limit(wanted.customer_id, wanted.credit_limit)


def know_customer(_: str | None, wanted: LimitWanted) -> str:  # noqa: ARG001 - it is the same for all
    """CUSTOMER_KNOWN: from now on this customer can order."""
    return ACTIVE


def see_outside(payment: Providers, customer_id: str, _: Call) -> Done[Account | None]:
    """CREDIT_SEEN, outside."""
    return Done(payment.books.entities[PAYMENT].get(customer_id))


ORDERED: Final = replace(CHECKOUT, name=ORDER_NAME, prepare=place_wanted, reads=reads_of)
ORDERED_OUTSIDE: Final = replace(CHECKOUT_OUTSIDE, name=ORDER_NAME, prepare=place_wanted_outside)
OF_WEB: Final = ShopSagas((ORDERED, *failing_at(ORDERED)), WANT_LIMIT, WANT_OFFER, SEE_ACCOUNT, SEE_PRODUCT)
"""The shop whose services are all kept in one store."""
OF_WEB_OUTSIDE: Final = ShopSagas(
    (ORDERED_OUTSIDE, *failing_at(ORDERED_OUTSIDE)),
    Saga(
        "set a credit limit",
        LimitWanted,
        [
            external("CREDIT_LIMIT_SET", tell_limit, service=PAYMENT, pivot=True, at_least_once=True),
            local("CUSTOMER_KNOWN", know_customer, entity=lambda wanted: wanted.customer_id, service=CUSTOMER),
        ],
    ),
    WANT_OFFER,
    Saga("see an account", str, [external(CREDIT_SEEN, see_outside, service=PAYMENT, asks=True)]),
    SEE_PRODUCT,
)
"""The same with PAYMENT and SHIPPING outside."""
