"""Chance: everything that a schedule leaves open, from one seed; or from a list of what is to happen.

Each draw has a label, so that leaving one out moves none of another label: what makes a schedule easy to shrink. 0 is
always the plainest thing that can happen, so a list need not name it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, Protocol

THOUSAND: Final = 1000

Draws = Mapping[tuple[str, int], int]
"""Label, and which of its draws, to what came out: those that were not 0."""


class Chance(Protocol):
    """Where a schedule takes its decisions from."""

    def below(self, label: str, count: int) -> int:
        """A number from 0 on, below `count`, each as likely as any."""

    def hit(self, label: str, of_thousand: int) -> bool:
        """Whether something happens that happens so many times of a thousand."""

    def pick(self, label: str, weights: Sequence[int]) -> int:
        """Which of some things happens: its place from 1 on, 0 for none; weights are of a thousand."""

    def after(self, label: str, about: int) -> int:
        """After how many something happens, from 1 on; 0 for never, which is when `about` is 0."""

    def calm(self) -> None:
        """From now on nothing goes wrong: each fault has the likelihood 0."""


class Seeded:
    """Chance from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random  # noqa: S311 - a schedule's chance is to be repeated, not to be secret

    def below(self, label: str, count: int) -> int:  # noqa: ARG002 - one sequence for all labels
        """See `Chance.below`."""
        return int(self._random() * count)

    def hit(self, label: str, of_thousand: int) -> bool:  # noqa: ARG002 - as above
        """See `Chance.hit`."""
        return of_thousand > 0 and self._random() * THOUSAND < of_thousand

    def pick(self, label: str, weights: Sequence[int]) -> int:  # noqa: ARG002 - as above
        """See `Chance.pick`."""
        if not any(weights):
            return 0
        left = self._random() * THOUSAND
        for place, weight in enumerate(weights, 1):
            if left < weight:
                return place
            left -= weight
        return 0

    def after(self, label: str, about: int) -> int:  # noqa: ARG002 - as above
        """See `Chance.after`."""
        return 1 + int(self._random() * 2 * about) if about else 0

    def calm(self) -> None:
        """See `Chance.calm`."""


class RecordedChance(Seeded):
    """Chance from a seed, written down: the same draws as `Seeded`.

    Attributes:
        draws: what came out so far.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.draws: dict[tuple[str, int], int] = {}
        self._counts: Counter[str] = Counter()

    def below(self, label: str, count: int) -> int:
        """See `Chance.below`."""
        return self._noted(label, super().below(label, count))

    def hit(self, label: str, of_thousand: int) -> bool:
        """See `Chance.hit`."""
        return bool(self._noted(label, int(super().hit(label, of_thousand))))

    def pick(self, label: str, weights: Sequence[int]) -> int:
        """See `Chance.pick`."""
        return self._noted(label, super().pick(label, weights))

    def after(self, label: str, about: int) -> int:
        """See `Chance.after`."""
        return self._noted(label, super().after(label, about))

    def _noted(self, label: str, drawn: int) -> int:
        if drawn:
            self.draws[label, self._counts[label]] = drawn
        self._counts[label] += 1
        return drawn


class Listed:
    """No chance at all: what is to happen is listed, and its likelihood does not count."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._counts: Counter[str] = Counter()
        self._is_calm = False

    def below(self, label: str, count: int) -> int:
        """See `Chance.below`."""
        return min(self._next(label), count - 1)

    def hit(self, label: str, of_thousand: int) -> bool:  # noqa: ARG002 - it is listed, or it is not
        """See `Chance.hit`."""
        return self._next(label) > 0 and not self._is_calm

    def pick(self, label: str, weights: Sequence[int]) -> int:
        """See `Chance.pick`."""
        drawn = min(self._next(label), len(weights))
        return 0 if self._is_calm else drawn

    def after(self, label: str, about: int) -> int:  # noqa: ARG002 - as above
        """See `Chance.after`."""
        drawn = self._next(label)
        return 0 if self._is_calm else drawn

    def calm(self) -> None:
        """See `Chance.calm`."""
        self._is_calm = True

    def _next(self, label: str) -> int:
        place = self._counts[label]
        self._counts[label] = place + 1
        return self._draws.get((label, place), 0)
