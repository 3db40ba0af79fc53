"""What a check answers: it holds within its bound, here is a counterexample, or the search was cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from amends.checking.bound import bound_of
from amends.checking.coverage_gaps import missing
from amends.checking.explore import Counterexample, Exploration
from amends.checking.picture import draw_bound, draw_counterexample
from amends.checking.replay_token import token_of
from amends.errors import AmendsError
from amends.lines import UNICODE, WIDTH, Line, Signs, plain
from amends.scenario import Scenario

Verdict = Literal["holds", "counterexample", "cut", "shows too little"]


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """The answer about one scenario; as text, it is the picture that people see.

    Attributes:
        name: what the scenario is called.
        scenario: what was checked.
        found: by the exploration: states, transitions, whether it was exhausted.
    """

    name: str
    scenario: Scenario
    found: Exploration

    @property
    def verdict(self) -> Verdict:
        """``holds`` only when every world within the bound was looked at, and they show enough."""
        if self.found.counterexample:
            return "counterexample"
        if not self.found.held:
            return "cut"
        return "shows too little" if self.missing else "holds"

    @property
    def missing(self) -> tuple[str, ...]:
        """What a search that held did not show; nothing where the scenario says that it is meant."""
        return missing(self.found) if self.found.held else ()

    @property
    def counterexample(self) -> Counterexample | None:
        """A shortest way to a broken rule; ``None`` when there is none."""
        return self.found.counterexample

    @property
    def states(self) -> int:
        """How many distinct worlds were met."""
        return self.found.progress.states

    @property
    def token(self) -> str:
        """What ``amends check --replay`` takes to show the counterexample again; empty without one."""
        return token_of(self.name, self.found) if self.found.counterexample else ""

    def bound(self) -> tuple[tuple[str, str], ...]:
        """What was explored, what is left on purpose, which models, what is not covered."""
        return bound_of(self.found)

    def lines(self, signs: Signs = UNICODE, width: int = WIDTH) -> Iterator[Line]:
        """The picture.

        Args:
            signs: that can be shown.
            width: in columns.
        """
        if self.found.counterexample:
            yield from draw_counterexample(self.found, self.found.counterexample, signs, width)
        else:
            yield from draw_bound(self.found, self.bound(), self.missing, signs, width)

    def __str__(self) -> str:
        return plain(self.lines())


class CheckFailed(AmendsError, AssertionError):
    """A check is not green: it found a counterexample, had to stop, or saw too little.

    As text, it is what people see: the timeline.

    Attributes:
        answer: with the counterexample.
    """

    def __init__(self, answer: CheckResult) -> None:
        super().__init__(answer)
        self.answer = answer

    def title(self) -> str:
        """Which saga, in which scenario."""
        saga, name = self.answer.scenario.saga.name, self.answer.name
        return f"saga {saga}" if name in ("", saga) else f"saga {saga}, {name}"

    def __str__(self) -> str:
        return f"{self.title()}\n\n{self.answer}"


class CheckShowsTooLittle(CheckFailed):
    """Every rule held, in a scenario that shows too little: an end was not reached, or a function never called."""


class CheckCut(CheckFailed):
    """A check was cut by a limit before it had looked at everything; that nothing was found so far says nothing."""
