"""Local steps, carried out at once: pure functions on entities, one after the other, by the table.

Nothing is sent, so nothing can come twice: what guards a local step is that saga and entities are written together.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from itertools import takewhile
from typing import Any

from amends.core.decide import ReportedOutcome
from amends.core.definition import Command, Saga, Step
from amends.core.messages import GONE, NO_ANSWERS, Call, Changed, Kind, Refused, worded
from amends.core.state import goes_back
from amends.core.straight import NOTHING_SAID, SPECIAL, Entities, straight
from amends.core.table import Way
from amends.errors import ParticipantError


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
        Exception: whatever a participant's function raises. The entities are to be thrown away then.
    """
    trouble = ""
    while path.ask:
        path, after = (path.straight or straight(path))(request, entities)
        if (ask := path.ask) is None:
            break
        owned, entity_id = entities[ask.service], ask.entity(request)
        if after is NOTHING_SAID:
            call = call_of(path.node.saga, saga_id, ask.step, ask.kind, answers, reason=reason)
            after = ask.function(owned.get(entity_id), request, call)
        if isinstance(after, Refused):
            path = path.refused or path.follow(ReportedOutcome.REFUSED)
            why = worded(after.reason) or f"{ask.step.event}/{ask.kind.value} refused"
            if ask.kind is Kind.DO and goes_back(path.node.state):
                reason = reason or why  # another of the group may have refused before
            else:
                trouble = why
        else:
            answer = apply_result(owned, entity_id, after, ask.step.event, ask.function)
            if answer is not None and ask.kind is Kind.DO:
                answers = {**answers, ask.step.event: answer}
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
        reason: why the saga turned back; whoever is asked to act is not told, even where it turned back meanwhile.
    """
    earlier = takewhile(lambda group: step not in group, saga.groups)
    before = {member.event for group in earlier for member in group}
    heard = {event: answer for event, answer in answers.items() if event in before}
    answer = answers.get(step.event) if kind in (Kind.UNDO, Kind.UNDO_LATE) else None
    return Call(key_of(saga_id, step, kind), attempt, heard, answer, "" if kind is Kind.DO else reason)


def apply_result(owned: MutableMapping[str, Any], entity_id: str, after: Any, what: str, function: Any) -> Any:
    """Write what a pure function gave back, anything but `Refused`, and give its answer.

    Args:
        owned: the entities of the service.
        entity_id: which one.
        after: the entity, `Changed` or `GONE`.
        what: step or command, for the error.
        function: the function, for the error.

    Raises:
        ParticipantError: `after` is no entity.
    """
    answer = None
    if isinstance(after, Changed):
        after, answer = after.entity, after.answer
    if after is GONE:
        owned.pop(entity_id, None)
    elif after.__class__ in SPECIAL:
        name = getattr(function, "__name__", repr(function))
        raise ParticipantError(
            f"{what}: {name} gave back {after!r}; return the entity, Changed(entity, answer), GONE or Refused(reason)"
        )
    else:
        owned[entity_id] = after
    return answer


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
    after = order.apply(owned.get(entity_id), body)
    if isinstance(after, Refused):
        return after
    apply_result(owned, entity_id, after, order.event, order.apply)
    return None


def key_of(saga_id: str, step: Step, kind: Kind) -> str:
    """The idempotency key of a request, the same at every attempt; a probe looks for its action's key."""
    return f"{saga_id}/{step.event}/{'do' if kind is Kind.PROBE else kind.value}"
