"""The bound of an answer: what was explored, what is left on purpose, which models, and what is not covered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.checking.differences import in_words
from amends.checking.explore import Found
from amends.checking.stage import Stage

NOT_COVERED: Final = (
    "more faults or sagas, or other requests, than these",
    'times other than "soon" and "after every limit"',
    "faults of a store or a network layer",
    "how a real provider behaves where its model does not",
    "an operator's verbs",
)


def bound_of(found: Found) -> tuple[tuple[str, str], ...]:
    """The four lines that a green answer has: what each is about, and its text."""
    stage = found.moves.stage
    return (
        ("explored", _explored(found, stage)),
        ("on purpose", "; ".join(_on_purpose(stage)) or "nothing is left, and nothing happens more than once"),
        ("models", "; ".join(_models(stage)) or "none: every step is local"),
        ("not covered", "; ".join(NOT_COVERED)),
    )


def counted(count: int, what: str) -> str:
    """``1 saga``, ``2 sagas``; thousands apart."""
    return f"{count:,} {what}{'s' * (count != 1)}".replace(",", " ")


def _explored(found: Found, stage: Stage) -> str:
    progress = found.progress
    size = f"{counted(len(stage.steps), 'step')}, {counted(len(stage.ids), 'saga')}, at most "
    met = f"{counted(progress.states, 'world')}, {counted(progress.transitions, 'transition')}"
    how = "all that can be reached" if found.exhausted else f"cut by {found.cut_by}" if found.cut_by else "so far"
    return f"{size}{counted(found.faults, 'fault')}: {met}, {how}; visited worlds kept by their full value"


def _on_purpose(stage: Stage) -> Iterator[str]:
    for each in stage.steps.values():
        if each.leaves:
            left = dict.fromkeys(
                f"{each.service}/{each.entity(request)} {in_words(each.leaves(None, request))}"
                for request in stage.scenario.requests
                if each.entity
            )
            yield f"{each.event} leaves {', '.join(left)}" if left else f"{each.event} leaves a part"
        if each.at_least_once:
            yield f"{each.event} may happen more than once"


def _models(stage: Stage) -> Iterator[str]:
    return (f"{service} {model.name}" for service, model in stage.models.items())
