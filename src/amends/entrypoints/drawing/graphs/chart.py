"""What all diagrams of a definition show: its groups, and where each leads when a step does not get done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from amends.core.decide import AnswerSignal, ReportedOutcome
from amends.core.definition import Saga, Step
from amends.core.messages import Kind
from amends.core.state import Backward, Forward, NeedsOperator, Status
from amends.core.table import node
from amends.lines import counted

UNASKED: Final = "nothing to undo"  # beside a step that only asks


class Beyond(Enum):
    """Where a refusal or an unknown outcome leads, when not to a group's compensations."""

    COMPENSATED = "everything is undone"
    OPERATOR = "an operator decides"
    PROBED = "a probe tells"
    AGAIN = "asked again"


Target = int | Beyond
"""The number of the group whose compensations come first, or something else."""


@dataclass(frozen=True, slots=True)
class ChartGroup:
    """A group of steps in a chart.

    Attributes:
        steps: its members.
        pivot: whether it is the pivot.
        behind: whether it comes after the pivot, so that it is tried until it is done.
        refused: where a refusal leads.
        unknown: where an outcome leads that stays unknown; ``None`` for local steps, which answer at once.
    """

    steps: tuple[Step, ...]
    pivot: bool
    behind: bool
    refused: Target
    unknown: Target | None

    @property
    def turns_back(self) -> bool:
        """Whether it has compensations."""
        return not (self.pivot or self.behind)

    def ways(self, between: str) -> Iterator[tuple[Target, str]]:
        """Where it leads when its steps do not get done, and after which outcomes, with a word between two of them."""
        said = {"refused": self.refused, "unknown": self.unknown}
        for to in dict.fromkeys(said.values()):
            if to is not None:
                yield to, between.join(what for what, where in said.items() if where == to)


@dataclass(frozen=True, slots=True)
class Chart:
    """A definition, ready to be drawn.

    Attributes:
        saga: the definition.
        stages: its groups, in order.
    """

    saga: Saga
    stages: tuple[ChartGroup, ...]

    @property
    def title(self) -> str:
        """One line about the definition as a whole."""
        count = sum(len(stage.steps) for stage in self.stages)
        deadline = f", deadline {self.saga.deadline_s:g} s" if self.saga.deadline_s else ""
        return f"version {self.saga.version}, {counted(count, 'step')}{deadline}, {self.saga.fingerprint}"


def chart_of(saga: Saga) -> Chart:
    """The chart of a definition."""
    return Chart(saga, tuple(_stage(saga, number, group) for number, group in enumerate(saga.groups)))


def kind_of(step: Step) -> str:
    """Where a step's participant keeps its state, and whether it may happen twice; or that the step only waits."""
    if step.wait is not None:
        return "a pause" if step.wait.is_pause else "waits for an answer"
    words = ["local" if step.is_local else "outside"]
    words += ["has a probe"] * (step.probe is not None)
    words += ["at least once"] * step.at_least_once
    return ", ".join(words)


def note_on(stage: ChartGroup) -> str:
    """What is special about a group, in a few words."""
    if stage.behind:
        return "tried until done"
    if stage.pivot:
        return f"pivot; unknown: {stage.unknown.value}" if isinstance(stage.unknown, Beyond) else "pivot"
    return ""


def legend_of(chart: Chart) -> list[str]:
    """What the drawing of a definition means, in lines; and what follows from a saga that has completed."""
    names = [child.saga.name for child in chart.saga.starts]
    follows = [f"Once completed, it starts {' and '.join(names)}."] * bool(names)
    if not any(stage.pivot for stage in chart.stages):
        return ["Refused or unknown: the saga turns back.", *follows]
    return [
        "Refused, the pivot included, or unknown before the pivot: the saga turns back.",
        "Behind the pivot: only forward; a refusal there waits for an operator.",
        *follows,
    ]


def _stage(saga: Saga, number: int, group: tuple[Step, ...]) -> ChartGroup:
    is_outside = not all(step.is_local for step in group)
    has_an_end = number < saga.pivot or any(step.key_lives_h for step in group)  # else it is asked again for ever
    return ChartGroup(
        group,
        pivot=number == saga.pivot,
        behind=number > saga.pivot,
        refused=_target(saga, number, ReportedOutcome.REFUSED),
        unknown=_target(saga, number, ReportedOutcome.EXPIRED if has_an_end else ReportedOutcome.UNKNOWN)
        if is_outside
        else None,
    )


def _target(saga: Saga, number: int, said: ReportedOutcome) -> Target:
    """Where it leads when all members of a group are done but the first, and that says something else."""
    members = len(saga.groups[number])
    asked = node(saga, Forward(number, (Status.SENT,) + (Status.DONE,) * (members - 1)))
    state = asked.follow(AnswerSignal(0, Kind.DO, said)).node.state
    if isinstance(state, Backward):
        return state.group
    if isinstance(state, Forward):
        return Beyond.PROBED if Status.PROBING in state.members else Beyond.AGAIN
    return Beyond.OPERATOR if isinstance(state, NeedsOperator) else Beyond.COMPENSATED
