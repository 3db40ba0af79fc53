"""What the torture finds."""

from __future__ import annotations


class BrokenPromise(AssertionError):
    """A promise was broken; the message says which and by what."""


def demand(held: object, promise: str) -> None:
    """Fail unless a promise was held."""
    if not held:
        raise BrokenPromise(promise)
