"""What the torture finds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final


class BrokenPromise(AssertionError):
    """A promise was broken; the message says which and by what."""


SHOWN_MAX: Final = 5


def some(names: Iterable[str]) -> str:
    """Return some names, and how many there are."""
    known = sorted(names)
    return f"{len(known)}: {', '.join(known[:SHOWN_MAX])}{', ...' if len(known) > SHOWN_MAX else ''}"


def demand(held: object, promise: str) -> None:
    """Fail unless a promise was held."""
    if not held:
        raise BrokenPromise(promise)
