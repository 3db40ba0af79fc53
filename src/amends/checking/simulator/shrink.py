"""A failing schedule made small: what need not happen for the same rule to break is left out.

It is delta debugging (A. Zeller, R. Hildebrandt, IEEE TSE 28, 2002) on the list of what happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.checking.simulator.chance import Draws
from amends.checking.simulator.schedule import by_list
from amends.checking.simulator.setting import Setting

TRIES_MAX: Final = 1_500  # schedules that are played for it: some seconds


class Shrinking:
    """One failing schedule on its way.

    Attributes:
        draws: the smallest so far that still breaks the rule.
        tries: how many were played.
    """

    def __init__(self, setting: Setting, draws: Draws, rule: str) -> None:
        self.draws = dict(draws)
        self.tries = 0
        self._setting = setting
        self._rule = rule

    def shrink(self) -> None:
        """Make it as small as can be within the limit."""
        before = -1
        while before != (before := _size(self.draws)) and self.tries < TRIES_MAX:
            self._leave_out_labels()
            self._leave_out()
            self._lower()

    def breaks(self, draws: Draws) -> bool:
        """Whether a schedule breaks the same rule."""
        self.tries += 1
        broken = by_list(self._setting, draws).broken
        return broken is not None and broken.rule == self._rule

    def _leave_out_labels(self) -> None:
        """What belongs together goes together: all crashes, all that befalls one request."""
        for label in dict.fromkeys(label for label, _ in self.draws):
            kept = {name: drawn for name, drawn in self.draws.items() if name[0] != label}
            if self.tries < TRIES_MAX and self.breaks(kept):
                self.draws = kept

    def _leave_out(self) -> None:
        size = len(self.draws)
        while size:
            place = 0
            while place < len(self.draws) and self.tries < TRIES_MAX:
                names = [*self.draws]
                kept = {name: self.draws[name] for name in names[:place] + names[place + size :]}
                if self.breaks(kept):
                    self.draws = kept
                else:
                    place += size
            size //= 2

    def _lower(self) -> None:
        for name in [*self.draws]:
            for value in _smaller(self.draws[name]):
                if self.tries < TRIES_MAX and self.breaks({**self.draws, name: value}):
                    self.draws[name] = value
                    break


def _smaller(value: int) -> Iterator[int]:
    yield from dict.fromkeys(each for each in (1, 2, value // 4, value // 2, value - 1) if 0 < each < value)


def _size(draws: Draws) -> int:
    return len(draws) * 1_000_000 + sum(draws.values())


def shrunk(setting: Setting, draws: Draws, rule: str) -> Draws:
    """A schedule that breaks the same rule, with as little happening in it as can be found."""
    shrinking = Shrinking(setting, draws, rule)
    shrinking.shrink()
    return shrinking.draws
