"""The inbox rule: what makes a participant that may be asked twice, late or backwards do everything once.

Pure, and the same for everyone: our own participants behind a wire, and users' databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from amends.core.definition import Step
from amends.core.messages import Done, Kind, Refused, Request
from amends.core.participant import NO_ANSWER, apply_step
from amends.core.walk import key_of

Inbox = Mapping[str, Done | Refused]
"""Idempotency key to the first answer. Only the keys of the request's own step are looked at, so a slice serves."""

TOMBSTONE: Final = Refused("undone before it came")


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
        Exception: an exception of the function; nothing is to be written then, and nothing happened.
    """
    do_key, undo_key = (key_of(request.saga_id, step, kind) for kind in (Kind.DO, Kind.UNDO))
    key = undo_key if request.kind is Kind.UNDO else do_key
    if key in inbox:
        return inbox, entity, inbox[key]
    acted = inbox.get(do_key)
    after, answer = entity, TOMBSTONE if request.kind is Kind.DO else NO_ANSWER
    if request.kind is Kind.DO and undo_key not in inbox:
        after, answer = apply_step(step, Kind.DO, entity, request.body, request.call)
    elif isinstance(acted, Done):
        call = replace(request.call, answer=deepcopy(acted.answer))  # who is given it may change it
        after, answer = apply_step(step, Kind.UNDO, entity, request.body, call)
    return {**inbox, key: answer}, after, answer


def as_plain(answer: Done | Refused) -> dict[str, Any]:
    """Give an answer as it is stored: as JSON has it, once its value is plain JSON."""
    return {"done": answer.answer} if isinstance(answer, Done) else {"refused": answer.reason}


def from_plain(stored: Mapping[str, Any]) -> Done | Refused:
    """Read what `as_plain` gave."""
    return Refused(stored["refused"]) if "refused" in stored else Done(stored["done"])
