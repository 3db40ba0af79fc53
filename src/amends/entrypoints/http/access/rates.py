"""How many requests a caller may make: a bucket of tokens for each name, of which the least used are forgotten."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import Final

NAMES_MAX: Final = 10_000  # that are remembered, some 2 MB: one that is forgotten begins with a full bucket


class RequestRates:
    """A rate for each name."""

    def __init__(self, per_s: float, burst: int) -> None:
        """Know no name yet.

        Args:
            per_s: requests a second in the long run, > 0.
            burst: requests at once, >= 1.
        """
        self._per_s = per_s
        self._burst = burst
        self._tokens = OrderedDict[str, tuple[float, float]]()

    def wait_s(self, name: str) -> int:
        """Take a token. 0 where there was one, else after how many whole seconds there is."""
        now = time.monotonic()
        tokens, at = self._tokens.pop(name, (float(self._burst), now))
        tokens = min(tokens + (now - at) * self._per_s, self._burst)
        has_one = tokens >= 1
        self._tokens[name] = (tokens - has_one, now)
        while len(self._tokens) > NAMES_MAX:
            self._tokens.popitem(last=False)
        return 0 if has_one else max(1, math.ceil((1 - tokens) / self._per_s))
