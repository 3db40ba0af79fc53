"""What an operator does with a saga that waits for one: asks again, tells an outcome, turns it back, gives it up.

An operator is right: an outcome is told only when it is certain, by the participants' own books, and nothing of it is
on its way any more. `Undo` is not among it: what is owed is told as a broken rule before an operator could say it.
"""

from __future__ import annotations

from collections.abc import Iterator

from amends.checking.layout import WorldLayout
from amends.checking.world import World, short
from amends.core.definition import Step
from amends.core.messages import Abandon, Call, Compensate, Done, Kind, Refused, Request, Resolve, Retry, Verb
from amends.core.state import NeedsOperator, Status
from amends.core.walk import key_of


def verbs(layout: WorldLayout, world: World, saga: int) -> Iterator[tuple[Verb, str, Kind, str]]:
    """Each verb that an operator may say now, with the step that it is about, what was asked of it, and a note."""
    run = layout.run(world, saga)
    if not isinstance(run.state, NeedsOperator):
        return
    at = run.state.at
    for each, status, waiting in zip(run.saga.groups[at.group], at.members, run.waiting, strict=True):
        if status is not Status.STUCK:
            continue
        yield Retry(each.event), each.event, waiting.kind, "asks again"
        if outcome := _certain(layout, world, saga, each, waiting.kind):
            yield Resolve(each.event, outcome), each.event, waiting.kind, f"tells that it is {short(outcome)}"
    yield Compensate(), "", Kind.DO, "turns it back"
    yield Abandon(), "", Kind.DO, "gives it up"


def _certain(layout: WorldLayout, world: World, saga: int, each: Step, kind: Kind) -> Done | Refused | None:
    """What became of the action, or the undo, that a step is stuck at; ``None`` while that cannot be known."""
    flying = (layout.messages[number] for number in world.flight)
    if any((other.saga, other.step) == (saga, each.event) and other.outcome is None for other in flying):
        return None
    stands = layout.stands(world, saga, each)
    if stands is None:
        return None
    if kind is Kind.UNDO:
        return Done() if stands == 0 else None
    return _answer(layout, world, saga, each) if stands else Refused("it did not happen")


def _answer(layout: WorldLayout, world: World, saga: int, each: Step) -> Done | Refused | None:
    """What an action that took effect answered, by who was asked."""
    if each.is_local:
        answers = dict(layout.inbox(world, saga, each.event).answers)
        return answers.get(Kind.DO.value)
    model, name = layout.models[each.service], layout.ids[saga]
    if model.runs_functions and each.probe is None:
        return Done()
    call = Call(key_of(name, each, Kind.DO))
    request = Request(name, each.event, Kind.PROBE, layout.requests[saga], call)
    books = layout.books[world.books[layout.book_at[each.service]]]
    said = (reply.outcome for reply in model.replies(books, request, each) if not reply.is_fault)
    return next((outcome for outcome in said if isinstance(outcome, Done)), Done())
