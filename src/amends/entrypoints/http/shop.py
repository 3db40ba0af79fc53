"""The order shop over HTTP: customers, products, orders, and batches of operations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, SkipValidation

from amends.client.client import Client
from amends.core.definition import Saga
from amends.engine.handle import Result
from amends.entrypoints.http.documents import TheClient
from amends.entrypoints.http.looking import SagaId, described
from amends.entrypoints.http.problems import RETRY, Problem, documented
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.starting import KeyHeader, PreferHeader, StartAccepted, begun
from amends.errors import RequestRefused
from amends.shop.checkout import SERVICES
from amends.shop.inventory import Product
from amends.shop.operations import CREDIT_LIMIT, ID_LENGTH_MAX, PRICE, QUANTITY, STOCK
from amends.shop.payments import Account
from amends.shop.report import customer_report, order_report, product_report
from amends.storefront.apart import LimitWanted, OfferWanted
from amends.storefront.spread import row_seen
from amends.storefront.web import ShopSagas

WITHIN_S: Final = 10.0  # for a command or a look: an engine that is started anew takes less

TheShop = NamedDependency[SkipValidation[ShopSagas]]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH_MAX)]
GivenId = Annotated[
    str, PathParameter(min_length=1, max_length=ID_LENGTH_MAX, description="1 to 8 printable characters")
]


def _within(allowed: range) -> msgspec.Meta:
    return msgspec.Meta(ge=allowed[0], le=allowed[-1])


class CustomerWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A customer.

    Attributes:
        credit_limit: 1 to 1 000 000.
    """

    credit_limit: Annotated[int, _within(CREDIT_LIMIT)]


class ProductWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A product.

    Attributes:
        stock: 0 to 10 000.
        price: 1 to 1 000 000.
    """

    stock: Annotated[int, _within(STOCK)]
    price: Annotated[int, _within(PRICE)]


class OrderWanted(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An order.

    Attributes:
        customer_id: who orders.
        product_id: what.
        quantity: how many, 0 to 1 000.
        fail_at: a service at which a failure is injected, to see the order undone; empty for none.
    """

    customer_id: Id
    product_id: Id
    quantity: Annotated[int, _within(QUANTITY)]
    fail_at: str = ""


@put(
    "/customers/{customer_id:str}",
    scope=Scope.start,
    whole_numbers=True,
    summary="set a customer's credit limit",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def set_customer(
    client: TheClient, shop: TheShop, customer_id: GivenId, data: JSONBody[CustomerWanted]
) -> dict[str, Any]:
    """A new customer, or a new limit for one; what is used of it stays used."""
    _expect_printable(customer_id, "customer_id")
    await _ended(client, shop.limit, LimitWanted(customer_id, data.credit_limit))
    return await _customer(client, shop, customer_id)


@get(
    "/customers/{customer_id:str}",
    scope=Scope.read,
    summary="see a customer",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_customer(client: TheClient, shop: TheShop, customer_id: GivenId) -> dict[str, Any]:
    """A customer's credit: its limit, and what orders took of it."""
    _expect_printable(customer_id, "customer_id")
    return await _customer(client, shop, customer_id)


@put(
    "/products/{product_id:str}",
    scope=Scope.start,
    whole_numbers=True,
    summary="set a product's stock and price",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def set_product(
    client: TheClient, shop: TheShop, product_id: GivenId, data: JSONBody[ProductWanted]
) -> dict[str, Any]:
    """A new product, or new stock and price for one; what is reserved stays reserved."""
    _expect_printable(product_id, "product_id")
    await _ended(client, shop.offer, OfferWanted(product_id, data.stock, data.price))
    return await _product(client, shop, product_id)


@get(
    "/products/{product_id:str}",
    scope=Scope.read,
    summary="see a product",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_product(client: TheClient, shop: TheShop, product_id: GivenId) -> dict[str, Any]:
    """A product: its stock, what orders under way hold of it, and its price."""
    _expect_printable(product_id, "product_id")
    return await _product(client, shop, product_id)


@post(
    "/orders",
    scope=Scope.start,
    whole_numbers=True,
    status_code=HTTPStatus.ACCEPTED,
    summary="place an order",
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def place_order(
    request: Request[Any, Any, State],
    client: TheClient,
    shop: TheShop,
    data: JSONBody[OrderWanted],
    idempotency_key: KeyHeader = None,  # noqa: ARG001 - for the document; `begun` reads it
    prefer: PreferHeader = None,  # noqa: ARG001 - the same
) -> Response[StartAccepted]:
    """Place an order: once for each key, and durable once it is answered. Its id is that of its saga."""
    if data.fail_at not in ("", *SERVICES):
        rule = f"one of {', '.join(SERVICES)}"
        detail = f"fail_at: {rule}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="fail_at", value=data.fail_at, rule=rule)
    saga = shop.orders[SERVICES.index(data.fail_at) + 1 if data.fail_at else 0]
    asked = {"customer_id": data.customer_id, "product_id": data.product_id, "quantity": data.quantity}
    return await begun(request, client, saga, asked, "/orders")


@get(
    "/orders/{saga_id:str}",
    scope=Scope.read,
    summary="see an order",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def see_order(client: TheClient, shop: TheShop, saga_id: SagaId) -> dict[str, Any]:
    """An order, as the report of a batch has it, with the reason where it was undone."""
    saga = await described(client, saga_id)
    if saga.name not in {each.name for each in shop.orders}:
        raise Problem(HTTPStatus.NOT_FOUND, f"saga {saga_id!r} is no order", field="saga_id", value=saga_id)
    row = row_seen(saga)
    return {"order_id": saga_id, **order_report(row), "reason": row[-1]}


def _expect_printable(text: str, field: str) -> None:
    if not text.isprintable():
        rule = f"1 to {ID_LENGTH_MAX} printable characters"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {rule}", field=field, value=text, rule=rule)


async def _customer(client: Client, shop: ShopSagas, customer_id: str) -> dict[str, Any]:
    account = await _seen(client, shop.account, customer_id, "customer")
    return {"customer_id": customer_id, **customer_report(Account(*account))}


async def _product(client: Client, shop: ShopSagas, product_id: str) -> dict[str, Any]:
    product = await _seen(client, shop.product, product_id, "product")
    return {"product_id": product_id, **product_report(Product(*product))}


async def _seen(client: Client, saga: Saga, entity_id: str, what: str) -> Any:
    """An entity, as the saga answers that looks at it.

    Raises:
        Problem: there is none.
    """
    result = await _ended(client, saga, entity_id)
    found = next(iter(result.answers.values()), None)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no {what} {entity_id!r}", field=f"{what}_id", value=entity_id)
    return found


async def _ended(client: Client, saga: Saga, wanted: Any) -> Result:
    """How a saga ended that is over at once.

    Raises:
        Problem: it was refused, or no engine came to it.
    """
    try:
        handle = await client.submit(saga, wanted)
        return await handle.result(WITHIN_S)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused)) from refused
    except TimeoutError as error:
        detail = f"no engine has done it within {WITHIN_S:g} s; it is done once one runs"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY) from error
