"""The bank of the demo: an outside system that honours idempotency keys, and keeps books."""

from __future__ import annotations

from typing import NamedTuple


class Charge(NamedTuple):
    """A charge in the books; refunded, its cents are 0."""

    receipt: str
    cents: int
    key: str


class Bank:
    """Asked twice with one key, it charges once."""

    def __init__(self, books: tuple[Charge, ...] = ()) -> None:
        self.books = books

    def charge(self, cents: int, key: str) -> str:
        """Charge, and give a receipt."""
        if not self.receipt(key):
            self.books = (*self.books, Charge(f"r{len(self.books) + 1}", cents, key))
        return self.receipt(key)

    def refund(self, receipt: str) -> None:
        """Give back what a receipt says."""
        self.books = tuple(one._replace(cents=0) if one.receipt == receipt else one for one in self.books)

    def receipt(self, key: str) -> str:
        """The receipt of a charge; empty when there was none."""
        return next((one.receipt for one in self.books if one.key == key), "")


def charged(books: tuple[Charge, ...]) -> tuple[str, ...]:
    """The keys of what stands in the books."""
    return tuple(one.key for one in books if one.cents)
