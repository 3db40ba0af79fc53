"""What happened, and what became of it, as JSON: short lists that begin with a tag, without values (docs/audit.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Final, Literal

import msgspec

from amends.core.messages import (
    Abandon,
    Answered,
    Cancel,
    Compensate,
    DeadlinePassed,
    Done,
    Halt,
    Kind,
    Later,
    Outcome,
    Refused,
    Resolve,
    Retry,
    TimedOut,
    Undo,
    Unknown,
    Verb,
)
from amends.core.records import GroupEntered, SagaEnded, StateChange, StepBecame
from amends.core.state import Debt, Status, word_for
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
    KeyRefused,
    KeyRemembered,
    KeysArchived,
    KeysStored,
    RequestServed,
    RowSetAside,
    SagaArchived,
    SagaStarted,
    SagaTakenOver,
    ShardsHandedOver,
    TypeAssumed,
)
from amends.storage.rows import FINAL

TYPES: Final[dict[str, type]] = {
    "started": SagaStarted, "timed out": TimedOut, "deadline passed": DeadlinePassed, "halt": Halt, "cancel": Cancel,
    "compensate": Compensate, "retry": Retry, "abandon": Abandon, "undo": Undo, "retimed": AttemptsRetimed,
    "executed": CommandExecuted, "written": EntityWritten, "key refused": KeyRefused, "key kept": KeyRemembered,
    "set aside": RowSetAside, "archived": SagaArchived, "shaped": TypeAssumed, "entities": EntitiesStored,
    "read": EntitiesRead, "keys": KeysStored, "keys archived": KeysArchived,
    "taken": SagaTakenOver, "checkpoint": Checkpoint,
    "fenced": ChainFenced, "took over": ChainTakenOver, "handed over": ShardsHandedOver,
    "starts": ChildPosted, "follows": ChildStarted, "served": RequestServed,
}  # fmt: skip
"""Tag to what it is of; its fields follow, but for those that are values."""
OUTCOMES: Final[dict[str, Outcome]] = {
    "done": Done(), "refused": Refused(), "unknown": Unknown(), "taken back": Unknown(taken_back=True),
}  # fmt: skip
"""Tag to the outcome that was answered; step, kind and attempt follow, and of ``later`` its time in seconds."""
LATER: Final = "later"
RESOLVE: Final = "resolve"
VALUES: Final = ("why", "error")
SAID: Final = "(said)"
"""Why an answer was brought, of a cause without its value: that it was said is known."""
BY: Final = "by"  # the last field of what people say; left out where it is not known who did
TAGS: Final = {kind: tag for tag, kind in TYPES.items()}
NAMES: Final = {
    kind: tuple(field.name for field in fields(kind) if field.name not in VALUES) for kind in TYPES.values()
}
STATUSES: Final[dict[str, Status | Debt]] = {status.value: status for status in (*Status, *Debt)}


def cause_text(cause: Cause) -> str:
    """What happened, as it is stored: JSON in ASCII, without its value."""
    return _text(_parts(cause))


def changes_text(changes: Iterable[StateChange]) -> str:
    """What became of it, as it is stored: JSON in ASCII."""
    return _text([_change_parts(change) for change in changes])


def cause_of(parts: Any) -> Cause:
    """What happened, read back.

    Args:
        parts: of its JSON.

    Raises:
        ValueError, LookupError, TypeError: it is none.
    """
    tag, *rest = parts
    if tag in OUTCOMES or tag == LATER:
        answer = _built(_Answer, rest)
        outcome = OUTCOMES.get(tag) or Later(answer.within_s)
        return Answered(answer.step, answer.kind, outcome, answer.attempt, answer.by, SAID * answer.is_explained)
    if tag == RESOLVE:
        said = _built(_Resolved, rest)
        return Resolve(said.step, Done() if said.outcome == "done" else Refused(), by=said.by)
    cause: Cause = _built(TYPES[tag], rest)
    return cause


def explained(cause: Cause, value: str | None) -> tuple[Cause, str | None]:
    """What happened, and its value: that of an explained answer is the answer's own, and why.

    Args:
        cause: as `cause_of` gives it.
        value: as it is stored; `ERASED` where it was erased, and why with it.

    Raises:
        ValueError: the two do not fit.
    """
    if not isinstance(cause, Answered) or not cause.why or value is None or value == ERASED:
        return cause, value
    outcome, why = _EXPLAINED.decode(value)
    return replace(cause, why=why), None if bytes(outcome) == b"null" else bytes(outcome).decode()


def change_of(parts: Any) -> StateChange:
    """What became of it, read back.

    Args:
        parts: of its JSON.

    Raises:
        ValueError: it is none.
    """
    match parts:
        case [str(word), str(step)] if word in STATUSES:
            return StepBecame(step, STATUSES[word])
        case [("forward" | "backward") as phase, *steps] if all(isinstance(step, str) for step in steps):
            return GroupEntered(phase, tuple(steps))
        case [str(word)] if word in FINAL:
            return SagaEnded(word)
    raise ValueError("it is no change")


def _text(parts: list[Any]) -> str:
    return json.dumps(parts, separators=(",", ":"))


def _parts(cause: Any) -> list[Any]:
    if isinstance(cause, Answered):
        outcome = cause.outcome
        tag = "taken back" if isinstance(outcome, Unknown) and outcome.taken_back else word_for(outcome)
        within_s = outcome.within_s if isinstance(outcome, Later) else 0.0
        said = [within_s, cause.by, True] if cause.why else [within_s, cause.by] if cause.by else [within_s]
        more = said if any(said) else []
        return [tag, cause.step, cause.kind.value, cause.attempt, *more]
    if isinstance(cause, Resolve):
        return [RESOLVE, cause.step, word_for(cause.outcome), *([cause.by] if cause.by else [])]
    parts = [TAGS[type(cause)], *(_plain(getattr(cause, name)) for name in NAMES[type(cause)])]
    return parts[:-1] if isinstance(cause, Verb) and not cause.by else parts


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _change_parts(change: StateChange) -> list[str]:
    match change:
        case StepBecame(step, status):
            return [status.value, step]
        case GroupEntered(phase, steps):
            return [phase, *steps]
    return [change.status]


@dataclass(frozen=True, slots=True)
class _Answer:
    step: str
    kind: Kind
    attempt: int | None
    within_s: float = 0.0
    by: str = ""
    is_explained: bool = False


@dataclass(frozen=True, slots=True)
class _Resolved:
    step: str
    outcome: Literal["done", "refused"]
    by: str = ""


_EXPLAINED: Final = msgspec.json.Decoder(tuple[msgspec.Raw, str])


def _built(kind: type, parts: list[Any]) -> Any:
    """A value of its parts, in the order of its fields; each is of the type that it is declared as."""
    names = NAMES[kind] if kind in NAMES else tuple(field.name for field in fields(kind))
    is_by_people = kind is _Answer or BY in names
    named = dict(zip(names[: len(parts)] if is_by_people else names, parts, strict=True))
    return msgspec.convert(named | ({"error": ""} if kind is Halt else {}), kind)
