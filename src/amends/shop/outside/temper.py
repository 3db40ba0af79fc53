"""How a service outside behaves: how long it takes, and what goes wrong, for each call by itself.

Chance comes from a seed and the call's key, kind and attempt, not from the order of the calls: a run with the same seed
gives each call the same fate, however the calls meet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from amends.core.messages import Call
from amends.errors import UnusableInput

TIMEOUT_MS: Final = 1000
"""How long the saga waits for one attempt."""
SETTLES_MS: Final = 2000
"""Nothing takes effect so long after it was sent."""
LATE_MS: Final = range(TIMEOUT_MS + 1, SETTLES_MS)

THOUSAND: Final = 1000
DRAW_BYTES: Final = 16  # so much that the remainders of its division favour no value


class Fate(Enum):
    """What becomes of one call."""

    ANSWERED = "answered"
    LOST = "lost"
    LATE = "late"
    DOWN = "down"


class Passage(NamedTuple):
    """How one call goes.

    Attributes:
        fate: what becomes of it.
        wait_ms: how long it takes until the service acts, or until it is certain that it cannot be reached.
    """

    fate: Fate
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Temper:
    """How a service behaves.

    Attributes:
        lost: it does what it is asked, and the answer never comes. Of a thousand calls.
        late: it does what it is asked when the caller has given up. Of a thousand calls.
        down: it cannot be reached, and does nothing. Of a thousand calls.
        latency_ms: how long it takes otherwise, each of these equally often. Milliseconds, below `TIMEOUT_MS`.

    Raises:
        UnusableInput: more than a thousand of a thousand go wrong, or an answer takes longer than anybody waits.
    """

    lost: int = 0
    late: int = 0
    down: int = 0
    latency_ms: range = range(2, 9)

    def __post_init__(self) -> None:
        """Check what was given."""
        shares = (self.lost, self.late, self.down)
        if min(shares) < 0 or sum(shares) > THOUSAND:
            raise UnusableInput(f"lost, late and down are {shares}: shares of a thousand calls, together at most 1000")
        if not self.latency_ms or min(self.latency_ms) < 0 or max(self.latency_ms) >= TIMEOUT_MS:
            raise UnusableInput(f"latency_ms is {self.latency_ms}: a range from 0 to {TIMEOUT_MS}")

    def passage(self, seed: int, kind: str, call: Call) -> Passage:
        """How a call goes.

        Args:
            seed: another one gives other fates.
            kind: ``do``, ``undo`` or ``probe``; a probe has the key of the action that it looks for.
            call: of which key and attempt count.
        """
        text = f"{seed}/{kind}/{call.key}#{call.attempt}"
        number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=DRAW_BYTES).digest())
        number, share = divmod(number, THOUSAND)
        fate = self._fate(share)
        times = LATE_MS if fate is Fate.LATE else self.latency_ms
        return Passage(fate, times[number % len(times)])

    def _fate(self, share: int) -> Fate:
        for fate, width in ((Fate.LOST, self.lost), (Fate.LATE, self.late), (Fate.DOWN, self.down)):
            if share < width:
                return fate
            share -= width
        return Fate.ANSWERED


EVEN: Final = Temper()
"""Nothing goes wrong."""
