"""INVENTORY: stock, what of it is reserved, and the price."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.core.definition import Command
from amends.core.messages import Refused
from amends.shop.purchase import Purchase
from amends.shop.values import new

INVENTORY: Final = "INVENTORY"


class Product(NamedTuple):
    """A product; at every moment ``stock + reserved + settled == added``, and none is negative (promise P10).

    Attributes:
        stock: what can be reserved.
        reserved: what orders under way hold.
        settled: what shipped orders took.
        added: what ever came in: each setting of the stock adds new minus old stock.
        price: of one piece, 1 to 1 000 000.
    """

    stock: int
    reserved: int
    settled: int
    added: int
    price: int


class Offer(NamedTuple):
    """What an operator sets of a product.

    Attributes:
        stock: 0 to 10 000.
        price: 1 to 1 000 000.
    """

    stock: int
    price: int


def reserve(product: Product, purchase: Purchase) -> Product | Refused:
    """INVENTORY_RESERVED."""
    stock, reserved, settled, added, price = product
    quantity = purchase.quantity
    if quantity > stock:
        return Refused(f"{quantity} wanted, {stock} in stock")
    if purchase.short:
        return Refused(f"{quantity} wanted, and fewer were in stock when it was ordered")
    return new(Product, (stock - quantity, reserved + quantity, settled, added, price))


def release(product: Product, purchase: Purchase) -> Product:
    """INVENTORY_RELEASED."""
    stock, reserved, settled, added, price = product
    return new(Product, (stock + purchase.quantity, reserved - purchase.quantity, settled, added, price))


def settle(product: Product, purchase: Purchase) -> Product:
    """INVENTORY_SETTLED: what was shipped is no longer held."""
    stock, reserved, settled, added, price = product
    quantity = purchase.quantity
    return new(Product, (stock, reserved - quantity, settled + quantity, added, price))


def set_stock(product: Product | None, offer: Offer) -> Product:
    """STOCK_SET: a new product, or new stock and price for one; what is reserved stays reserved."""
    stock, price = offer
    if product is None:
        return Product(stock, 0, 0, stock, price)
    return Product(stock, product.reserved, product.settled, product.added + stock - product.stock, price)


STOCK_SET: Final = Command("STOCK_SET", INVENTORY, set_stock)
