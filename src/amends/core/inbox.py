"""The inbox rule: what makes a participant that may be asked twice, late or backwards do everything once.

Pure, and the same for everyone: our own participants behind a wire, and users' databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from amends.core.definition import Step, takes_call
from amends.core.messages import Done, Kind, Refused, Request
from amends.core.walk import apply_result, key_of

Inbox = Mapping[str, Done | Refused]
"""Idempotency key to the first answer. Only the keys of the request's own step are looked at, so a slice serves."""

TOMBSTONE: Final = Refused("undone before it came")
NOTHING_TO_UNDO: Final[Done | Refused] = Done()


def receive(inbox: Inbox, entity: Any, request: Request, step: Step) -> tuple[Inbox, Any, Done | Refused]:
    """Answer one request, once.

    A duplicate gets the first answer again. An undo whose action never came succeeds and leaves a tombstone; the late
    action meets it and is refused. An undo of a refused action has nothing to undo.

    Args:
        inbox: the answers given so far; kept for as long as the entity.
        entity: the entity before; ``None`` when it does not exist.
        request: `Kind.DO` or `Kind.UNDO`.
        step: the step that it is about.

    Returns:
        Inbox, entity and answer after; to be written in one transaction.

    Raises:
        ParticipantError: the function gave back what none may.
        Exception: whatever the function raises; nothing is to be written then, and nothing happened.
    """
    do_key, undo_key = (key_of(request.saga_id, step, kind) for kind in (Kind.DO, Kind.UNDO))
    key = undo_key if request.kind is Kind.UNDO else do_key
    if key in inbox:
        return inbox, entity, inbox[key]
    acted = inbox.get(do_key)
    after, answer = entity, NOTHING_TO_UNDO
    if request.kind is Kind.DO:
        after, answer = (entity, TOMBSTONE) if undo_key in inbox else _apply(step, entity, request)
    elif isinstance(acted, Done):
        call = replace(request.call, answer=deepcopy(acted.answer))  # who is given it may change it
        after, answer = _apply(step, entity, replace(request, call=call))
    return {**inbox, key: answer}, after, answer


def _apply(step: Step, entity: Any, request: Request) -> tuple[Any, Done | Refused]:
    function = step.function(request.kind)
    assert function is not None, "only a step with an undo is undone"
    extra = (request.call,) if takes_call(function) else ()
    after = function(entity, request.body, *extra)
    if isinstance(after, Refused):
        return entity, after
    owned = {"": entity}
    answer = apply_result(owned, "", after, step.event, function)
    return owned.get(""), Done(answer)
