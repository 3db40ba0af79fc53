"""The bound of an answer: what was explored, what is left on purpose, which models, and what is not covered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from amends.checking.coverage_gaps import did_not_run, reaches
from amends.checking.differences import in_words
from amends.checking.explore import Exploration
from amends.checking.layout import WorldLayout
from amends.core.definition import Step
from amends.core.state import Compensated, Completed
from amends.lines import counted

NOT_COVERED: Final = (
    "more faults, more sagas, other requests and entities",
    'times but "soon" and "after every limit"',
    "bugs of a store or a network layer",
    "what a provider does that its model does not",
)
OPERATORS: Final = "operators' verbs"


NOTHING_NOT_VARIED: Final = "nothing that a decider could read: clock, chance, attempt, hash seed and globals were"


def bound_of(found: Exploration) -> tuple[tuple[str, str], ...]:
    """The lines that a green answer has: what each is about, and its text."""
    layout = found.moves.layout
    lines = (
        ("explored", _explored(found, layout)),
        ("on purpose", "; ".join(_on_purpose(layout)) or "nothing is left, and nothing happens more than once"),
        ("undeclared", "; ".join(f"{held}: say so by holds=" for held in layout.undeclared_holds)),
        ("models", "; ".join(_models(layout)) or "none: every step is local"),
        ("did not run", "; ".join(did_not_run(layout)) or "nothing: every function of the definition was under test"),
        ("not varied", "; ".join(_not_varied(found, layout)) or NOTHING_NOT_VARIED),
        ("not covered", "; ".join(_not_covered(layout))),
    )
    return tuple((label, text) for label, text in lines if text)


def _not_covered(layout: WorldLayout) -> Iterator[str]:
    yield from NOT_COVERED
    if not layout.scenario.operators:
        yield OPERATORS


def _not_varied(found: Exploration, layout: WorldLayout) -> Iterator[str]:
    """What was the same at both calls of a function, though it may be another one in production."""
    if found.not_asked_afresh is None:
        yield "hash seed and globals"
    for name, why in (found.not_asked_afresh or {}).items():
        yield f"hash seed and globals of {name}: {why}"
    if any(model.runs_functions for model in layout.models.values()):
        yield "clock, chance, hash seed and globals of functions outside"


def _explored(found: Exploration, layout: WorldLayout) -> str:
    progress = found.progress
    sagas, steps = counted(len(layout.ids), "saga"), counted(len(layout.steps), "step")
    size = f"{sagas} of {steps}, from {_entities(layout)}, at most {counted(found.faults, 'fault')}"
    met = f"{counted(progress.states, 'world')} (kept by full value), {counted(progress.transitions, 'transition')}"
    how = "all that can be reached" if found.exhausted else f"cut by {found.cut_by}" if found.cut_by else "so far"
    return "; ".join([f"{size}: {met}, {how}", *(_one_sided(layout) if found.exhausted else ())])


def _one_sided(layout: WorldLayout) -> Iterator[str]:
    """What no saga ever did: a scenario in which nothing completes, or nothing is undone, shows little."""
    for end, words in ((Completed, "completed"), (Compensated, "was compensated")):
        if not reaches(layout, end):
            yield f"NO SAGA EVER {words.upper()}"


def _entities(layout: WorldLayout) -> str:
    count = sum(len(owned) for owned in layout.scenario.given.values())
    return f"{count} {'entity' if count == 1 else 'entities'}"


def _on_purpose(layout: WorldLayout) -> Iterator[str]:
    for each in layout.steps:
        if each.leaves:
            left = dict.fromkeys(_left_by(layout, each))
            yield f"{each.event} leaves {', '.join(left)}" if left else f"{each.event} leaves a part"
        if each in layout.questions:
            yield f"{each.event} only asks"
        if each.at_least_once:
            yield f"{each.event} may happen more than once"


def _left_by(layout: WorldLayout, each: Step) -> Iterator[str]:
    assert each.leaves is not None, "asked of a step that leaves something"
    for saga, request in enumerate(layout.requests):
        if cell := layout.cell_of.get((saga, each.event)):
            with suppress(Exception):  # one that needs the entity leaves what cannot be told beforehand
                yield f"{'/'.join(cell)} {in_words(each.leaves(None, request))}"


def _models(layout: WorldLayout) -> Iterator[str]:
    return (f"{service} {model.name}" for service, model in layout.models.items())
