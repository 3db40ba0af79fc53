"""Local steps, carried out at once: pure functions on entities, one after the other, by the table.

Nothing is sent, so nothing can come twice: what guards a local step is that saga and entities are written together.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from amends.core.decide import ReportedOutcome
from amends.core.definition import Command, Saga, Step
from amends.core.messages import NO_ANSWERS, Call, Kind, Refused, worded
from amends.core.participant import apply_step, put_entity, read_result
from amends.core.state import goes_back
from amends.core.straight import Entities, straight
from amends.core.table import Way


def walk(
    path: Way, saga_id: str, request: Any, entities: Entities, answers: Mapping[str, Any] = NO_ANSWERS, reason: str = ""
) -> tuple[Way, Mapping[str, Any], str, str]:
    """Carry out local steps, until the saga ends or asks something else.

    Args:
        path: where to start; a node's own `path`.
        saga_id: whose steps they are.
        request: the saga's request.
        entities: read and written.
        answers: of the steps done so far; not changed.
        reason: why the saga turned back before; empty when it did not.

    Returns:
        The way that was taken, the answers after it, why the saga turned back, and why it got stuck on this way: each
        what the participant said that refused, empty when it did not happen.

    Raises:
        ParticipantError: a function gave back what none may.
        Exception: an exception of a participant's function. The entities are to be thrown away then.
    """
    trouble = ""
    while path.ask:
        path, applied = (path.straight or straight(path))(request, entities)
        if (ask := path.ask) is None:
            break
        owned, entity_id, event = entities[ask.service], ask.entity(request), ask.step.event
        if applied is None:
            call = call_of(path.node.saga, saga_id, ask.step, ask.kind, answers, reason=reason)
            applied = apply_step(ask.step, ask.kind, owned.get(entity_id), request, call)
        after, outcome = applied
        if isinstance(outcome, Refused):
            path = path.refused or path.follow(ReportedOutcome.REFUSED)
            why = worded(outcome.reason) or f"{event}/{ask.kind.value} refused"
            if ask.kind is Kind.DO and goes_back(path.node.state):
                reason = reason or why  # another of the group may have refused before
            else:
                trouble = why
        else:
            put_entity(owned, entity_id, after)
            if outcome.answer is not None and ask.kind is Kind.DO:
                answers = {**answers, event: outcome.answer}
            path = path.done or path.follow(ReportedOutcome.DONE)
    return path, answers, reason, trouble


def call_of(
    saga: Saga, saga_id: str, step: Step, kind: Kind, answers: Mapping[str, Any], attempt: int = 1, reason: str = ""
) -> Call:
    """What goes with a request beside the saga's own: the same at every attempt, but for the attempt's number.

    So of the answers it has those of the groups before: a sibling may answer before this attempt, or after it.

    Args:
        saga: the definition.
        saga_id: whose request it is.
        step: which step is asked.
        kind: what it is asked.
        answers: all that is known; the step's own goes to its undo.
        attempt: number of the attempt.
        reason: why the saga turned back. An action does not get it, even where the saga turned back meanwhile.
    """
    earlier = takewhile(lambda group: step not in group, saga.groups) if answers else ()
    before = {member.event for group in earlier for member in group}
    heard = {event: answer for event, answer in answers.items() if event in before}
    answer = answers.get(step.event) if kind in (Kind.UNDO, Kind.UNDO_LATE) else None
    return Call(key_of(saga_id, step, kind), attempt, heard, answer, "" if kind is Kind.DO else reason)


def execute(entities: Entities, order: Command, entity_id: str, body: Any) -> Refused | None:
    """Carry out a command on its entity.

    Args:
        entities: read and written.
        order: the command.
        entity_id: which entity.
        body: what the command's function gets.

    Returns:
        `Refused` when the participant refused, and nothing changed; else ``None``.

    Raises:
        ParticipantError: the function gave back what none may.
    """
    owned = entities[order.service]
    before = owned.get(entity_id)
    after, outcome = read_result(order.apply, order.event, before, order.apply(before, body))
    if isinstance(outcome, Refused):
        return outcome
    put_entity(owned, entity_id, after)
    return None


def key_of(saga_id: str, step: Step, kind: Kind) -> str:
    """The idempotency key of a request, the same at every attempt; a probe looks for its action's key."""
    return f"{saga_id}/{step.event}/{'do' if kind is Kind.PROBE else kind.value}"


def parts_of(key: str) -> tuple[str, str, str]:
    """Read an idempotency key: the saga's id, the step's event and the kind; some are empty where it is none."""
    saga_id, _, rest = key.partition("/")
    event, _, kind = rest.rpartition("/")
    return saga_id, event, kind
