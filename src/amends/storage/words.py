"""Records in words, for people: made here and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from amends.core.messages import Answered, Done, Input, Later, Resolve
from amends.core.records import GroupEntered, StateChange, StepBecame
from amends.core.step import in_words
from amends.storage.records import (
    ERASED,
    AttemptsRetimed,
    Cause,
    ChainFenced,
    ChainTakenOver,
    Checkpoint,
    ChildPosted,
    ChildStarted,
    CommandExecuted,
    EntitiesRead,
    EntitiesStored,
    EntityWritten,
    FormerWords,
    KeyRefused,
    KeyRemembered,
    KeysArchived,
    KeysStored,
    Record,
    RequestServed,
    RowSetAside,
    SagaArchived,
    SagaStarted,
    SagaTakenOver,
    ShardsHandedOver,
    TypeAssumed,
)

AN_ERASED: Final = "(erased)"
WORDS: Final[dict[type, str]] = {
    SagaStarted: "started {0.definition}",
    ChildPosted: "starts {0.definition} as {0.child}",
    ChildStarted: "follows from {0.parent}",
    CommandExecuted: "{0.command}",
    RequestServed: "{0.step}/{0.kind.value} answered for",
    EntityWritten: "{0.by}",
    FormerWords: "{0.words}",
    KeyRemembered: "an answer under client key {0.key}",
    RowSetAside: "{0.kind} set aside",
    SagaArchived: "archived in {0.into}",
    ChainFenced: "ended by {0.by}, which took over",
    TypeAssumed: "taken to be stored as its type is now",
    EntitiesStored: "entities stored",
    EntitiesRead: "entities read",
    KeysStored: "client keys stored",
    KeysArchived: "client keys archived",
    SagaTakenOver: "taken over from an earlier version",
    Checkpoint: "checkpoint",
}
WITH_JSON: Final = SagaStarted | CommandExecuted | RequestServed
"""Those whose value is shown as it is."""
RESOLVED: Final = 2  # an outcome's answer or reason, and why


def cause_in_words(record: Record) -> str:
    """What happened, on one line: ``CARD_CHARGED/do refused: no money``."""
    about, parts = _about(record.cause), " " if isinstance(record.cause, WITH_JSON) else ": "
    more = value_in_words(record)
    return f"{about}{parts}{more}" if more else about


def change_in_words(change: StateChange | FormerWords) -> str:
    """What became of it: ``CARD_CHARGED done``, ``forward at TICKET_ISSUED``, ``completed``."""
    match change:
        case StepBecame(step, status):
            return f"{step} {status.value}"
        case GroupEntered(phase, steps):
            return f"{phase} at {', '.join(steps)}"
        case FormerWords(words):
            return words
    return change.status


def changes_in_words(record: Record) -> list[str]:
    """Each thing that became of it; of an entity that was written, what was."""
    if isinstance(record.cause, EntitiesStored | EntitiesRead):
        return [f"{record.cause.service}/{name} version {version}" for name, version in record.cause.entities]
    if isinstance(record.cause, KeysStored):
        return [f"{key}: {saga_id}" if saga_id else key for key, saga_id in record.cause.keys]
    if isinstance(record.cause, KeysArchived):
        return [*record.cause.keys]
    words = [change_in_words(change) for change in record.changes]
    if isinstance(record.cause, EntityWritten | TypeAssumed) and record.value is not None and not words:
        value = record.value or AN_ERASED
        return [f"{record.subject} {value}" if isinstance(record.cause, EntityWritten) else value]
    return words


def _about(cause: Cause) -> str:
    if isinstance(cause, Input):
        return in_words(cause)
    if isinstance(cause, AttemptsRetimed):
        about = ", ".join(f"{step}/{kind.value}" for step, kind in cause.attempts)
        return f"{about} {cause.because.value}" if about else cause.because.value
    if isinstance(cause, KeyRefused):
        return f"{cause.of} refused" if cause.of else "refused"
    if isinstance(cause, ChainTakenOver):
        return f"took over {len(cause.shards)} shards of {cause.chain}, which ended with block {cause.number}"
    if isinstance(cause, ShardsHandedOver):
        return f"handed over {len(cause.shards)} shards" + (f" to {cause.to}" if cause.to else "")
    return WORDS[type(cause)].format(cause)


def value_in_words(record: Record) -> str:
    """What the value adds to a cause: a request or a body as JSON, a reason as text; nothing of an answer but why."""
    cause, value = record.cause, record.value
    if isinstance(cause, Answered) and cause.why:
        plain = value_in_words(record._replace(cause=replace(cause, why="")))
        return AN_ERASED if value == ERASED else f"{plain} ({cause.why})" if plain else cause.why
    is_answer = isinstance(cause, Answered) and isinstance(cause.outcome, Done | Later)
    if (
        value is None
        or is_answer
        or isinstance(cause, EntityWritten | TypeAssumed | EntitiesStored | KeysStored | SagaTakenOver)
    ):
        return ""
    if value == ERASED:
        return AN_ERASED
    if isinstance(cause, WITH_JSON):
        return value
    try:
        said = msgspec.json.decode(value)
    except ValueError:  # it is not what was written, which `amends audit verify` tells
        return value
    return str(said[1] if isinstance(cause, Resolve) and isinstance(said, list) and len(said) == RESOLVED else said)
