"""How many tasks a batch takes: fewer for a while where it waited in vain for what other engines had locked."""

from __future__ import annotations

import sys
from typing import Final

WIDENS_BY: Final = 8
"""Tasks more, after each batch that is committed: so it takes several turns until a batch may wait in vain again."""


class BatchWidth:
    """Halved by each wait in vain, and a little more after each commit: as TCP finds its rate (RFC 5681, section 3.1).

    Attributes:
        most: so many tasks a batch takes at most, >= 1.
    """

    def __init__(self) -> None:
        """Take any number."""
        self.most = sys.maxsize

    def narrow(self, size: int) -> None:
        """Take half of a batch that waited in vain, or one.

        Args:
            size: how many tasks it had, >= 0.
        """
        self.most = max(1, size // 2)

    def widen(self) -> None:
        """Take some more: a batch was committed."""
        self.most += WIDENS_BY
