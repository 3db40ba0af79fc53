"""PAYMENT and SHIPPING in the world outside: simulated, with the temper of real services, and their own order saga.

Who is where: the definition in `checkout`, the services in `service`, how they misbehave in `temper`, what they keep in
`books` and `bookfile`. It needs the standard library alone.
"""

from __future__ import annotations

from amends.shop.outside.bookfile import BooksInFile
from amends.shop.outside.books import Books
from amends.shop.outside.checkout import CHECKOUT_OUTSIDE, CUSTOMER, CUSTOMER_KNOWN, FAILING_OUTSIDE_AT
from amends.shop.outside.scenarios import ONE_ORDER_OUTSIDE
from amends.shop.outside.service import Providers
from amends.shop.outside.temper import EVEN, Fate, Temper
from amends.shop.outside.timers import Timers

__all__ = [
    "CHECKOUT_OUTSIDE",
    "CUSTOMER",
    "CUSTOMER_KNOWN",
    "EVEN",
    "FAILING_OUTSIDE_AT",
    "ONE_ORDER_OUTSIDE",
    "Books",
    "BooksInFile",
    "Fate",
    "Providers",
    "Temper",
    "Timers",
]
