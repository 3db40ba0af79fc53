"""What a simulation answers: every schedule held, a rule is broken in one, or the run has shown too little."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from amends.checking.picture import listed, paragraph, verdict
from amends.checking.simulator.coverage import ENOUGH, never_seen, out_of_reach
from amends.checking.simulator.replay_token import token_of
from amends.checking.simulator.runs import BrokenSchedule, SimulationResult
from amends.checking.simulator.setting import Setting
from amends.errors import AmendsError
from amends.lines import UNICODE, WIDTH, Line, Signs, Span, counted, plain

Verdict = Literal["holds", "broken", "not seen"]

DIGEST_SHOWN: Final = 16  # hex digits of the digest, for a person to compare
RAREST: Final = 3
NAMED: Final = 2  # of what is out of reach for one reason; the document names all
TRACE_LINES: Final = 32  # of a failing schedule, so that all of it is one screen of 40 lines
AT_FIRST: Final = 8  # of these, how many from its beginning
SAGA_ID: Final = re.compile(r"\b[ce]\d+-\d+\b")
OF_PROCESSES: Final = ("crashes: ", "starts; ", "all is healed")
NOT_COVERED: Final = (
    "other seeds",
    "bugs of a database, a disk or a network library",
    "what a provider does that its model does not",
)


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """The answer of a simulation; as text, it is the picture that people see.

    Attributes:
        name: what was simulated.
        settings: the scenarios of the definition.
        found: by the run.
    """

    name: str
    settings: Sequence[Setting]
    found: SimulationResult

    @property
    def holds(self) -> bool:
        """Whether no rule was broken, and what can be seen was seen."""
        return self.verdict == "holds"

    @property
    def verdict(self) -> Verdict:
        """``not seen`` when there were enough schedules, and something that can happen never did."""
        if self.found.failure:
            return "broken"
        return "not seen" if self.missing and self.is_judged else "holds"

    @property
    def failure(self) -> BrokenSchedule | None:
        """The first schedule in which a rule breaks, shrunk."""
        return self.found.failure

    @property
    def is_judged(self) -> bool:
        """Whether there were so many schedules that all that can be seen has to have been."""
        return self.found.schedules >= ENOUGH

    @property
    def missing(self) -> list[str]:
        """What the definition can come to, and never did."""
        return never_seen([setting.shape() for setting in self.settings], self.found.seen)

    @property
    def out_of_reach(self) -> dict[str, list[str]]:
        """What the definition cannot come to in these scenarios: why, to which rare things."""
        return out_of_reach([setting.shape() for setting in self.settings], self.found.seen)

    @property
    def token(self) -> str:
        """What ``amends simulate --replay`` takes to show the failure again; empty without one."""
        failure = self.failure
        return token_of(self.settings[failure.place], failure.draws) if failure else ""

    def lines(self, signs: Signs = UNICODE, width: int = WIDTH, *, whole: bool = False) -> Iterator[Line]:
        """The picture.

        Args:
            signs: that can be shown.
            width: in columns.
            whole: whether every moment of a failing schedule is told, and not just those that matter.
        """
        if self.failure is not None:
            yield from _broken(self.failure, self.settings[self.failure.place], signs, width, whole=whole)
        else:
            yield from _held(self, signs, width)

    def __str__(self) -> str:
        return plain(self.lines())


class SimulationFailed(AmendsError, AssertionError):
    """A simulation broke a rule, or never saw what it should have. As text, it is what people see.

    Attributes:
        answer: with the failure.
    """

    def __init__(self, answer: Simulated) -> None:
        super().__init__(answer)
        self.answer = answer

    def __str__(self) -> str:
        return f"{self.answer.name}\n\n{self.answer}"


def _broken(failure: BrokenSchedule, setting: Setting, signs: Signs, width: int, *, whole: bool) -> Iterator[Line]:
    for line in failure.trace if whole else telling(failure.trace, failure.broken.text):
        yield (Span(line),)
    yield ()
    yield from verdict(signs.refused, f"broken: {failure.broken.rule}", "refused", width)
    yield from paragraph(failure.broken.text, width)
    yield ()
    came = f"seed {failure.seed} of {setting.name}: " if failure.seed else ""
    yield from paragraph(f"{came}{counted(len(failure.draws), 'choice')}, shrunk from {failure.drawn}", width, "faint")


def telling(trace: Sequence[str], text: str) -> Iterator[str]:
    """What matters of a failing schedule: the sagas that the broken rule names, and what becomes of the processes.

    Args:
        trace: all of it, a line each.
        text: how the rule is broken.
    """
    names = {*SAGA_ID.findall(text)}
    kept = [*range(len(trace))]
    if len(trace) > TRACE_LINES and names:
        kept = [number for number in kept if _matters(trace[number], names)]
    if len(kept) > TRACE_LINES - 1:
        kept = kept[:AT_FIRST] + kept[AT_FIRST + 1 - TRACE_LINES :]
    left_out = len(trace) - len(kept)
    for number in kept:
        yield trace[number]
    if left_out:
        yield f"{counted(left_out, 'moment')} left out; all of it: --whole"


def _matters(line: str, names: set[str]) -> bool:
    return not names.isdisjoint(SAGA_ID.findall(line)) or any(words in line for words in OF_PROCESSES)


def _held(answer: Simulated, signs: Signs, width: int) -> Iterator[Line]:
    saga = answer.settings[0].saga.name
    if answer.verdict == "holds":
        yield from verdict(signs.done, f"{saga} holds in these schedules", "done", width)
    else:
        words = f"nothing broke, and {counted(len(answer.missing), 'rare thing')} never happened"
        yield from verdict(signs.cut, words, "unknown", width)
    yield ()
    yield from listed(facts(answer), width)


def facts(answer: Simulated) -> Iterator[tuple[str, str]]:
    """What was done, as label and text."""
    found = answer.found
    seeds = f"seeds {found.first} to {found.first + found.seeds - 1}"
    names = ", ".join(setting.name for setting in answer.settings)
    sizes = (
        f"{counted(found.schedules, 'schedule')}, {counted(found.sagas, 'saga')}, {counted(found.moments, 'moment')}"
    )
    yield "simulated", f"{seeds} of {names}: {sizes}"
    models = {service: model.name for setting in answer.settings for service, model in setting.models.items()}
    yield "models", "; ".join(f"{service} {name}" for service, name in models.items()) or "none: every step is local"
    yield "seen", _seen(answer)
    if answer.missing:
        judged = "" if answer.is_judged else f" (which takes about {ENOUGH} schedules)"
        yield "not seen", ", ".join(answer.missing) + judged
    if answer.out_of_reach:
        yield "out of reach", "; ".join(f"{why}: {_some(names)}" for why, names in answer.out_of_reach.items())
    setting = answer.settings[0]
    alone = ("several engines on one database: --hosts 3",) if setting.hosts == 1 else ()
    together = () if setting.apart else ("services in stores of their own: --apart",)
    yield "not covered", "; ".join((*NOT_COVERED, *alone, *together))
    yield "digest", f"{found.digest[:DIGEST_SHOWN]}: the same for the same seeds everywhere"


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"


def _seen(answer: Simulated) -> str:
    seen = answer.found.seen
    rarest = sorted(seen, key=lambda name: (seen[name], name))[:RAREST]
    return f"{counted(len(seen), 'rare thing')}; rarest: " + ", ".join(f"{name} ({seen[name]})" for name in rarest)
