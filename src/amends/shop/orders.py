"""ORDER: for each order how it stands, and the next order number."""

from __future__ import annotations

from typing import Final

from amends.core.definition import Command
from amends.shop.purchase import Purchase

ORDER: Final = "ORDER"
NUMBERING: Final = "numbering"  # the id of the counter's entity; an order's id begins with O and a digit

DIGITS_MAX: Final = 18  # of a number that could be reached

PROCESSING: Final = "PROCESSING"
SHIPPED: Final = "SHIPPED"
CANCELED: Final = "CANCELED"


def create(before: str | None, purchase: Purchase) -> str:  # noqa: ARG001 - it begins the same for all
    """ORDER_CREATED."""
    return PROCESSING


def cancel(order: str, purchase: Purchase) -> str:  # noqa: ARG001 - it ends the same for all
    """ORDER_CANCELED: the row stays."""
    return CANCELED


def complete(order: str, purchase: Purchase) -> str:  # noqa: ARG001 - it ends the same for all
    """ORDER_COMPLETED."""
    return SHIPPED


def left(before: str | None, purchase: Purchase) -> str:  # noqa: ARG001 - the same for all
    """What a compensated order leaves on purpose: its row, canceled (contract, "The order saga")."""
    return CANCELED


def order_id_of(number: int) -> str:
    """``O001``, ``O002``, ... ``O999``, ``O1000``."""
    return "O%03d" % number  # noqa: UP031 - takes two thirds of an f-string's time


def number_of(order_id: str) -> int:
    """The number in an order's id; 0 when the text is none."""
    digits = order_id[1:]
    is_number = len(digits) <= DIGITS_MAX and digits.isascii() and digits.isdecimal()
    return int(digits) if is_number else 0


def take_numbers(last: int | None, count: int) -> int:
    """ORDER_NUMBERS_TAKEN: numbers count from 1, without gaps; a batch takes its numbers together."""
    return (last or 0) + count


NUMBERS_TAKEN: Final = Command("ORDER_NUMBERS_TAKEN", ORDER, take_numbers)
