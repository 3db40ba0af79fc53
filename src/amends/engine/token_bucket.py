"""How many calls a second may begin: a bucket into which tokens drip, and of which each call takes one."""

from __future__ import annotations

from math import ceil, inf
from typing import Final

from amends.core.waiting import SECOND_MS
from amends.storage.ports import Clock

BURST_S: Final = 0.1  # tokens of so long are kept at most, and one at least: more calls at once no rate would expect
WHOLE: Final = 1 - 1e-9  # a sum of shares of a token that is one but for rounding


class TokenBucket:
    """A bucket. It is empty at first: an engine that is started again and again keeps the rate, too."""

    def __init__(self, clock: Clock, per_s: float | None = None) -> None:
        """Hold no token.

        Args:
            clock: the engine's.
            per_s: how many drip into it in a second, >= 0; ``None`` where calls need none.
        """
        self._clock = clock
        self._per_s = per_s
        self._tokens = 0.0
        self._seen_ms = clock.now_ms() if per_s is not None else 0

    def set_rate(self, per_s: float | None) -> None:
        """Let another number drip into it from now on."""
        if per_s != self._per_s:
            self._look()
            self._per_s, self._seen_ms = per_s, self._clock.now_ms()

    def left(self) -> float:
        """How many calls may begin now."""
        if self._per_s is None:
            return inf
        self._look()
        return int(self._tokens + 1 - WHOLE)

    def take(self) -> bool:
        """Take a token, if there is one."""
        if self._per_s is None:
            return True
        self._look()
        if self._tokens < WHOLE:
            return False
        self._tokens -= 1
        return True

    def next_ms(self) -> int | None:
        """When there is a token, milliseconds since 1970 (UTC); ``None`` where there is one now, or never."""
        if not self._per_s or self.left():
            return None
        return self._seen_ms + max(1, ceil((1 - self._tokens) * SECOND_MS / self._per_s))

    def _look(self) -> None:
        if self._per_s is None:
            return
        now_ms = self._clock.now_ms()
        dripped = (now_ms - self._seen_ms) * self._per_s / SECOND_MS
        self._tokens = max(self._tokens, min(self._tokens + dripped, max(1, self._per_s * BURST_S)))
        self._seen_ms = now_ms
