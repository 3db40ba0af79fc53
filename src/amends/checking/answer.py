"""What a check answers: it holds within its bound, here is a counterexample, or the search was cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amends.checking.explore import Found
from amends.core.scenario import Scenario

Verdict = Literal["holds", "counterexample", "cut"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer about one scenario.

    Attributes:
        name: what the scenario is called.
        scenario: what was checked.
        found: by the exploration.
    """

    name: str
    scenario: Scenario
    found: Found

    @property
    def verdict(self) -> Verdict:
        """``holds`` only when every world within the bound was looked at."""
        if self.found.counterexample:
            return "counterexample"
        return "holds" if self.found.held else "cut"
