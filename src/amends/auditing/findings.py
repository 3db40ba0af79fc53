"""What a verification finds, each in words that say where and what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

FINDINGS_MAX: Final = 10_000  # that are kept; of a file that was built anew everything differs


class Finding(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        where: ``block 17``, ``block 17 of chain web-1``, ``chain web-1``, ``saga tok-1``, ``entity STOCK/P1``,
            ``key abc``, ``counts``, ``head`` or ``file``.
        what: what is wrong there, for a person.
    """

    where: str
    what: str


def block_name(number: int, chain: str = "") -> str:
    """Where a finding is: a block, and the chain that it is of, where that has a name."""
    return f"block {number} of chain {chain}" if chain else f"block {number}"


class Findings:
    """Findings, in the order in which they were made, each once.

    Attributes:
        beyond: how many there are beyond those that are kept.
    """

    def __init__(self, most: int = FINDINGS_MAX) -> None:
        """Begin with none.

        Args:
            most: so many are kept, >= 1; the others are counted.
        """
        self.beyond = 0
        self._most = most
        self._kept: dict[Finding, None] = {}

    def add(self, where: str, what: str) -> None:
        """Add a finding; one beyond `most` is only counted."""
        if len(self._kept) < self._most:
            self._kept[Finding(where, what)] = None
        else:
            self.beyond += 1

    def add_all(self, findings: Iterable[Finding]) -> None:
        """Add several findings, in their order."""
        for where, what in findings:
            self.add(where, what)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept) + self.beyond
