"""Answers that contradict what a saga stands by, and what is owed because of them.

That an action is done which was refused, or undone while its outcome was unknown, means that something
was taken and nothing will be given back. No state changes for it, since a final one stays what it is; the trail has
it, until an operator has it undone.
"""

from __future__ import annotations

from collections.abc import Sequence

from amends.core.definition import Saga, Step
from amends.core.messages import Answered, Done, Kind, Refused
from amends.core.state import Abandoned, Backward, Debt, State, Status, outstanding, underway
from amends.core.table import Entry


def owed_of(trail: Sequence[Entry]) -> tuple[str, ...]:
    """The steps whose effect is owed, by event."""
    debts = {entry.event: entry.status for entry in trail if isinstance(entry.status, Debt)}
    return tuple(event for event, debt in debts.items() if debt is Debt.OWED)


def undo_was_asked(saga: Saga, state: State, trail: Sequence[Entry], step: Step) -> bool:
    """Whether the step's undo was asked at all, so that its key may have been used."""
    at = underway(state)
    here = dict(zip(saga.groups[at.group], at.members, strict=True)) if isinstance(at, Backward) else {}
    left = isinstance(state, Abandoned) and f"{step.event}/undo" in outstanding(saga, state)
    return left or here.get(step) is Status.UNDOING or any(entry.event == step.undone for entry in trail)


def contradiction(saga: Saga, state: State, trail: Sequence[Entry], said: Answered) -> str:
    """What an operator is told of an answer that changed nothing; empty when it contradicts nothing.

    Where it is `Done`, something was taken for which nothing will be given back. Of a step that was undone while its
    outcome was unknown that is not certain: the undo may have come after the action. It is certain that nothing was
    where the participant remembers what it refused.
    """
    step = next((step for step in saga.every_step() if step.event == said.step and not step.is_local), None)
    last = next((entry.status for entry in reversed(trail) if entry.event == said.step), None)
    if step is None or step.asks or said.kind is Kind.UNDO_LATE:
        return ""
    if isinstance(said.outcome, Refused):
        is_undone = any(entry.event == step.undone for entry in trail)
        is_denied = is_undone if said.kind is Kind.UNDO else last in (Status.DONE, Debt.OWED)
        return f"{said.step}/{said.kind.value} is refused, and was done: what was heard first counts" * is_denied
    if said.kind is Kind.UNDO or not isinstance(said.outcome, Done):
        return ""
    is_doubtful = last is Status.UNKNOWN and not step.remembers_refusals and undo_was_asked(saga, state, trail, step)
    after = "undone" if is_doubtful else "refused" if last is Status.REFUSED else ""
    return f"{said.step} was done after it had been {after}: its effect is owed" if after else ""
