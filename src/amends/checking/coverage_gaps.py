"""What a scenario in which every rule held did not show: ends that no saga reached, functions never called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from amends.checking.exceptions import name_of
from amends.checking.explore import Exploration
from amends.checking.layout import WorldLayout
from amends.checking.participants import OWN_REASON
from amends.core.definition import Saga, Step
from amends.core.inbox import TOMBSTONE
from amends.core.messages import Kind, Refused
from amends.core.state import Compensated, Completed

COMPLETED: Final = "completed"
COMPENSATED: Final = "compensated"
INSTEAD_MAX: Final = 3  # of what happened in place of an end: more is not read
KINDS: Final = (Kind.DO, Kind.UNDO, Kind.PROBE)


def missing(found: Exploration) -> tuple[str, ...]:
    """What a search that held would have had to show, and did not: each in a line, with what happened in its place.

    Nothing where the scenario says that it is meant (`Scenario.not_shown`), or where the definition has no such thing;
    nor of a refusal on the way to which something must not be (`Scenario.never`).
    """
    layout, meant = found.moves.layout, {*found.moves.layout.scenario.not_shown}
    if layout.scenario.never and any(_refused(layout)) and not any(_raised(layout)):
        return ()  # it is about what must not be on the way to a refusal
    return tuple(text for name, text in _all_missing(found, layout) if name not in meant)


def did_not_run(layout: WorldLayout) -> Iterator[str]:
    """The functions of the definition that did not run: a model stands for them, or nothing asked."""
    for each in _with_functions(layout):
        is_modelled = not each.is_local and not layout.models[each.service].runs_functions
        functions = [
            f"{kind.value} {name_of(function)}()"
            for kind, function in _functions(each)
            if is_modelled or not _ran(layout, each, kind)
        ]
        if functions:
            yield f"{each.event} {', '.join(functions)}"


def known_names(sagas: Iterable[Saga]) -> tuple[str, ...]:
    """Everything that a scenario may say is not shown."""
    steps = (each for saga in sagas for each in saga.every_step())
    functions = (_named(each, kind) for each in steps for kind, _ in _functions(each))
    return COMPLETED, COMPENSATED, *dict.fromkeys(functions)


def reaches(layout: WorldLayout, end: type) -> bool:
    """Whether a saga came to an end of that kind in any world."""
    return any(isinstance(layout.runs[number].state, end) for number in range(len(layout.runs)))


def _all_missing(found: Exploration, layout: WorldLayout) -> Iterator[tuple[str, str]]:
    if not reaches(layout, Completed):
        yield COMPLETED, f"no saga ever completes{_instead(layout)}"
    if not reaches(layout, Compensated) and any(each.undo for each in layout.steps):
        why = "" if found.faults else "; with one fault, somebody cancels"
        yield COMPENSATED, f"none is ever compensated: nothing that can be undone was ever turned back{why}"
    for each in _with_functions(layout):
        if each.is_local or layout.models[each.service].runs_functions:
            for kind, function in _functions(each):
                if not _ran(layout, each, kind) and not _is_seldom_asked(layout, each, kind):
                    yield _named(each, kind), f"{_named(each, kind)} ({name_of(function)}) is never asked"


def _with_functions(layout: WorldLayout) -> Iterator[Step]:
    """The steps that call anything: not those that only wait."""
    return (each for each in layout.steps if each.action is not None)


def _ran(layout: WorldLayout, each: Step, kind: Kind) -> bool:
    return (each.event, kind) in layout.coverage.tallies


def _is_seldom_asked(layout: WorldLayout, each: Step, kind: Kind) -> bool:
    """Whether it is a probe from the pivot on: asked where nothing else can tell alone (docs/rules.md, R7 and R14)."""
    before = (member for saga in layout.sagas for group in saga.groups[: saga.pivot] for member in group)
    return kind is Kind.PROBE and all(each is not member for member in before)


def _instead(layout: WorldLayout) -> str:
    """What was raised or refused, so that nothing went on."""
    said = [*_raised(layout), *_refused(layout)]
    told = [*dict.fromkeys(said)]
    more = f"; and {len(told) - INSTEAD_MAX} more" if len(told) > INSTEAD_MAX else ""
    return f"; instead, {'; '.join(told[:INSTEAD_MAX])}{more}" if told else ""


def _raised(layout: WorldLayout) -> Iterator[str]:
    return (
        f"{step}/{kind.value} raised {tally.text}"
        for (step, kind), tally in layout.coverage.tallies.items()
        if tally.text
    )


def _refused(layout: WorldLayout) -> Iterator[str]:
    """What functions and models refused by themselves."""
    for said in map(layout.messages.__getitem__, range(len(layout.messages))):
        if isinstance(said.outcome, Refused) and said.kind is Kind.DO and said.outcome not in (OWN_REASON, TOMBSTONE):
            yield f"{said.step}/do was refused: {said.outcome.reason or 'without a reason'}"


def _functions(each: Step) -> Iterator[tuple[Kind, Callable[..., Any]]]:
    return ((kind, function) for kind in KINDS if (function := each.function(kind)))


def _named(each: Step, kind: Kind) -> str:
    return f"{each.event}/{kind.value}"
