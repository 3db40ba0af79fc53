"""What the definitions of orders that are to fail are called, explained where people meet these names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from amends.shop.checkout import FAILING_AT
from amends.shop.outside import FAILING_OUTSIDE_AT

NAMES: Final = frozenset(saga.name for saga in (*FAILING_AT, *FAILING_OUTSIDE_AT))
WORDS: Final = "failing at SERVICE: INJECT_FAILURE asked for a failure there"


def explained(definitions: Iterable[str]) -> Iterator[str]:
    """A line, if one of these definitions is such a variant.

    Args:
        definitions: names, with or without ``/version/fingerprint`` behind them.
    """
    if any(definition.partition("/")[0] in NAMES for definition in definitions):
        yield WORDS
