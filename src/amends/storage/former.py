"""Records of the first form: words, which are read here, and nowhere else, as the typed records that they would be now.

A line is ``["subject", number, at_ms, "cause", ["change", ...]]``, and a block has no line but these.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

from amends.core.messages import (
    Answered,
    DeadlinePassed,
    Done,
    Kind,
    Later,
    Outcome,
    Refused,
    Resolve,
    TimedOut,
    Unknown,
)
from amends.core.records import GroupEntered, SagaEnded, StateChange, StepBecame
from amends.storage.causes import STATUSES, TYPES
from amends.storage.records import (
    AttemptsRetimed,
    Cause,
    CommandExecuted,
    EntityWritten,
    FormerWords,
    KeyRefused,
    Record,
    RetimeReason,
    RowSetAside,
    SagaArchived,
    SagaStarted,
    TypeAssumed,
)
from amends.storage.rows import FINAL

FORM: Final = 1
KNOWN_MAX: Final = 10_000  # lists of changes that are read once
LENGTH_BYTES: Final = 8  # every line was hashed behind its length
KEY: Final = "client key "
ABOUT_A_STEP: Final = re.compile(r"([^/]+)/(do|undo|probe|undo-late) ([a-z][a-z ]*)(?:: (.*))?", re.DOTALL)
ASKED_AGAIN: Final = re.compile(
    r"[^/]+/(?:do|undo|probe|undo-late)(?:, [^/]+/(?:do|undo|probe|undo-late))* asked again"
)
STARTED: Final = re.compile(r"started ([^/]+/\d+/\S*) (.*)", re.DOTALL)
VERB: Final = re.compile(r"(cancel|compensate|abandon)(?:: (.*))?", re.DOTALL)
VERB_ON_A_STEP: Final = re.compile(r"(retry|halt|undo) (.+?)(?:: (.*))?", re.DOTALL)
RESOLVE: Final = re.compile(r"resolve (.+?) (done|refused)(?:: (.*))?", re.DOTALL)
OUTCOMES: Final[dict[str, Outcome]] = {"done": Done(), "refused": Refused(), "unknown": Unknown(), "later": Later(0)}
PLACES: Final = {
    because.value: because for because in (RetimeReason.WAITS, RetimeReason.STILL_WAITS, RetimeReason.GOES_OUT)
}
WHOLE: Final[dict[str, Cause]] = {
    "deadline passed": DeadlinePassed(),
    RetimeReason.TAKEN_OVER.value: AttemptsRetimed(RetimeReason.TAKEN_OVER),
    RetimeReason.SENT_LATE.value: AttemptsRetimed(RetimeReason.SENT_LATE),
    "taken to be stored as its type is now": TypeAssumed(),
}


class _FormerLine(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    subject: str
    number: int
    at_ms: int
    cause: str
    changes: tuple[str, ...]


_LINE: Final = msgspec.json.Decoder(_FormerLine)


def chain(head: bytes, records: str) -> bytes:
    """The head after a block: SHA-256 over the head before and each line behind its length, 8 bytes, big endian."""
    digest = hashlib.sha256(head)
    for line in records.split("\n") if records else ():
        written = line.encode("utf-8", "surrogatepass")
        digest.update(len(written).to_bytes(LENGTH_BYTES, "big") + written)
    return digest.digest()


def record_of(line: str) -> Record:
    """A record, read back.

    Raises:
        msgspec.DecodeError: it is none.
    """
    subject, number, at_ms, words, changes = msgspec.structs.astuple(_LINE.decode(line))
    if number:
        cause, value = _of_a_saga(words)
        return Record(subject, number, at_ms, cause, _changes_of(changes), value)
    cause, value = _of_anything(subject, words, changes)
    return Record(subject, number, at_ms, cause, tuple(map(FormerWords, changes)), value)


def _of_a_saga(words: str) -> tuple[Cause, str | None]:
    """What happened to a saga, and the value of that."""
    if found := WHOLE.get(words):
        return found, None
    if match := STARTED.fullmatch(words):
        return SagaStarted(match[1]), match[2]
    if match := VERB.fullmatch(words):
        return TYPES[match[1]](), _json(match[2])
    if ASKED_AGAIN.fullmatch(words):
        return AttemptsRetimed(RetimeReason.ASKED_AGAIN, tuple(_attempts(words.removesuffix(" asked again")))), None
    if match := ABOUT_A_STEP.fullmatch(words):
        return _of_a_step(match[1], Kind(match[2]), match[3]) or FormerWords(words), _json(match[4])
    if match := RESOLVE.fullmatch(words):
        outcome = Done() if match[2] == "done" else Refused()
        return Resolve(match[1], outcome), match[3] and json.dumps([None, match[3]])
    if match := VERB_ON_A_STEP.fullmatch(words):
        about = (match[2], "") if match[1] == "halt" else (match[2],)
        return TYPES[match[1]](*about), _json(match[3])
    return FormerWords(words), None


def _of_a_step(step: str, kind: Kind, what: str) -> Cause | None:
    if what in OUTCOMES:
        return Answered(step, kind, OUTCOMES[what])
    if what in PLACES:
        return AttemptsRetimed(PLACES[what], ((step, kind),))
    return TimedOut(step, kind) if what == "timed out" else None


def _attempts(words: str) -> Iterator[tuple[str, Kind]]:
    for name in words.split(", "):
        step, _, kind = name.partition("/")
        yield step, Kind(kind)


def _of_anything(subject: str, words: str, changes: tuple[str, ...]) -> tuple[Cause, str | None]:
    """What happened that is no change of a saga's state, and the value of that."""
    if found := WHOLE.get(words):
        return found, changes[0] if changes else None
    about, _, more = words.partition(": ")
    if subject.startswith(KEY) and about.endswith("refused"):
        return KeyRefused(subject.removeprefix(KEY), about.removesuffix("refused").strip()), _json(more)
    if about.endswith(" set aside"):
        return RowSetAside(about.removesuffix(" set aside")), _json(more)
    if words.startswith("archived in "):
        return SagaArchived(words.removeprefix("archived in ")), None
    service, _, entity_id = subject.partition("/")
    after = changes[0].removeprefix(f"{subject} ") if changes else None
    if words in ("written", "upcast"):
        return EntityWritten(service, entity_id, words), after
    if changes and changes[0].startswith(f"{subject} "):
        command, _, body = words.partition(" ")
        return CommandExecuted(service, entity_id, command), body
    return FormerWords(words), None


def _json(reason: str | None) -> str | None:
    return json.dumps(reason) if reason else None


@lru_cache(KNOWN_MAX)
def _changes_of(changes: tuple[str, ...]) -> tuple[StateChange, ...]:
    return tuple(map(_change_of, changes))


def _change_of(words: str) -> StateChange:
    phase, _, steps = words.partition(" at ")
    if words in FINAL:
        return SagaEnded(words)
    if phase in ("forward", "backward") and steps:
        return GroupEntered(phase, tuple(steps.split(", ")))
    step, _, status = words.rpartition(" ")
    if status not in STATUSES:
        raise msgspec.DecodeError(f"{words!r} is no change")
    return StepBecame(step, STATUSES[status])
