"""When a table that rows come and go in is looked at from its first row on; other looks begin close to what is new.

While a transaction of another program is open for long, PostgreSQL keeps the rows that were removed since, and a look
from the first row on walks over all of them: the longer that takes, the rarer it comes.
"""

from __future__ import annotations

import time
from typing import Final

EVERY_S: Final = 5.0
"""Between two looks from the first row on, at least. They find what was committed late, behind rows that came after."""
SHARE: Final = 20
"""Looks from the first row on take at most one part in so many of the time."""


class WholeLooks:
    """The looks from the first row on of one table. It is used by one thread."""

    def __init__(self) -> None:
        """The first look is one."""
        self._begun_s = self._ended_s = float("-inf")
        self._took_s = 0.0

    def begin(self) -> bool:
        """Whether a look that begins now is to be one from the first row on."""
        self._begun_s = time.monotonic()
        return self._begun_s >= self._ended_s + max(EVERY_S, SHARE * self._took_s)

    def end(self) -> None:
        """The look that was begun, from the first row on, is over."""
        self._ended_s = time.monotonic()
        self._took_s = self._ended_s - self._begun_s
