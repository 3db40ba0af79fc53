"""What participants are asked and say, and what goes into a saga: closed unions of frozen values.

Participants say an `Outcome`. The loop around the core hands `Input` values to `amends.core.step.step`, and carries
out what comes out (`amends.core.effects`). Times are whole milliseconds of one clock, the loop's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from types import MappingProxyType
from typing import Any, Final, Generic

from amends.generic import Answer_co, Entity_co

REASON_MAX: Final = 20_000  # characters: it is for a person, and is written at several places
NO_ANSWERS: Final[Mapping[str, Any]] = MappingProxyType({})


def worded(reason: Any) -> str:
    """A reason as text that can be stored; a participant may give any value as one."""
    text = str.__str__(reason) if isinstance(reason, str) else str(reason)  # not what a class of its own makes of it
    kept = text if len(text) <= REASON_MAX else f"{text[: REASON_MAX - 99]}... ({len(text)} characters)"
    return kept.encode("utf-8", "backslashreplace").decode()


class SealedValue(ABC):
    """A value that could be changed in place, as a runtime keeps it: who reads it opens a copy."""

    __slots__ = ()

    @abstractmethod
    def open(self) -> Any:
        """A copy of the value, which its receiver owns."""


class Word(Enum):
    """One of a few words, hashed as the object that it is: an `Enum` hashes its name, in Python, at each look."""

    __hash__ = object.__hash__
    _value_: str

    @property
    def value(self) -> str:
        """The word; an `Enum` finds it by two calls more."""
        return self._value_


class Kind(Word):
    """What a request asks of a participant."""

    DO = "do"
    UNDO = "undo"
    PROBE = "probe"
    UNDO_LATE = "undo-late"  # by an operator's word, of what turned out to be owed


# What a participant says -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done(Generic[Answer_co]):
    """It took effect. Of a probe: the request that it looked for took effect.

    Attributes:
        answer: what later steps, and the step's own undo, may read; ``None`` when there is nothing to say. It is stored
            and read back as the type that the function declares, ``-> Done[Receipt]``; as plain JSON where it declares
            none.
    """

    answer: Answer_co | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not take effect, and never will. Of a probe: nothing of the request is to be found.

    Attributes:
        reason: for a person: what stood in the way, with the values that did.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It is not known whether it took effect: an exception, a lost reply, a time that ran out. Never a no.

    Attributes:
        error: for a person: what was seen instead of an answer.
        taken_back: whether it is certain that this attempt left nothing. The engine says that of a participant whose
            state it keeps, and whose function raised: what it wrote was taken back.
        cause: the exception itself, where there was one: for the log, with its traceback. It is not stored.
    """

    error: str = ""
    taken_back: bool = False
    cause: BaseException | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Later:
    """The request was taken; the answer comes from outside (a webhook, a person).

    Attributes:
        within_s: how long to wait for it before the outcome counts as unknown. Seconds, > 0.
    """

    within_s: float


Outcome = Done | Refused | Unknown | Later


@dataclass(frozen=True, slots=True)
class Changed(Generic[Entity_co, Answer_co]):
    """What a local action gives back when it has both a new entity and an answer for later steps.

    Attributes:
        entity: the entity after the action.
        answer: what later steps, and the own undo, read; as of `Done`.
    """

    entity: Entity_co
    answer: Answer_co


class Gone(Enum):
    """What a local action or undo gives back to say that its entity no longer exists: `GONE`.

    A value of its own, because a function that forgets to return gives ``None``, and that must never delete anything.
    """

    GONE = "gone"


GONE: Final = Gone.GONE


@dataclass(frozen=True, slots=True)
class Call:
    """What a participant may know of the request it serves, beside the saga's own request.

    Attributes:
        key: the idempotency key, ``saga_id/step/do`` or ``saga_id/step/undo``; the same at every attempt. A probe
            gets the key of the action that it looks for; a late undo (`Undo`) ``saga_id/step/undo-late`` where the
            undo was asked before.
        attempt: 1 for the first sending, for diagnosis only.
        answers: the answers of the steps in the groups before, by event name.
        answer: for an undo, the answer of its action, or what the probe found; else ``None``.
        reason: on the way back, why the saga turned back; the same at every attempt. Empty going forward.
        deadline: until when the answer of this attempt counts, in seconds since 1970 as `time.time` tells them. After
            it the saga is another engine's, or is asked anew. Look at it right before what cannot be taken back, where
            something was waited for: a lock, a place in a pool, a long computation. Infinite where the engine keeps
            the state of the participant, in a check, and in a call that a test makes.
    """

    key: str
    attempt: int = 1
    answers: Mapping[str, Any] = field(default_factory=lambda: NO_ANSWERS)
    answer: Any = None
    reason: str = ""
    deadline: float = inf


# What goes in ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """A participant answered. Duplicates and late answers are welcome: the state decides what they change.

    Attributes:
        step: event name of the step.
        kind: what it was asked.
        outcome: what it said. That one attempt is unknown says nothing of another, so it counts for its own alone.
        attempt: number of the attempt that was answered; ``None`` when the caller does not know.
        by: who brought the answer, for the record, where it came from outside and that is known.
        why: what that person said of it, for the record.
    """

    step: str
    kind: Kind
    outcome: Outcome
    attempt: int | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The due time of a request passed without an answer; after a restart, also: it may or may not have gone out.

    Attributes:
        step: event name of the step.
        kind: what it was asked.
        attempt: number of the attempt that is over, the only one that this counts for; ``None`` for the one that is
            waited for. Two that differ in it alone are equal: they are about the same request.
    """

    step: str
    kind: Kind
    attempt: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The deadline of the whole saga passed. It ends going forward, never going back."""


@dataclass(frozen=True, slots=True)
class Halt:
    """The engine itself can neither ask a step any more nor hear it: an operator has to see to that first.

    Attributes:
        step: event name of the step.
        error: for a person: what is the matter, such as an entity that cannot be read.
    """

    step: str
    error: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The client wants the saga undone. Taken until the pivot's request is committed.

    Attributes:
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Compensate:
    """An operator wants the saga undone; the same limits as `Cancel`.

    Attributes:
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """An operator wants the step's request sent again now.

    Attributes:
        step: event name of the step.
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    step: str
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """An operator knows the outcome of what a step was asked last: `Done`, or `Refused` (it did not and cannot).

    Attributes:
        step: event name of the step.
        outcome: `Done` when it took effect, with its answer; `Refused` when it did not and no longer can.
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    step: str
    outcome: Done | Refused
    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Abandon:
    """An operator ends the saga as it stands, with what is outstanding written down.

    Attributes:
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    why: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """An operator wants undone what a step owes: it took effect, as was heard only after it had been given up.

    Attributes:
        step: event name of the step.
        why: for the record, and for a person who reads it.
        by: who wants it, for the record.
    """

    step: str
    why: str = ""
    by: str = ""


Verb = Cancel | Compensate | Retry | Resolve | Abandon | Undo
Input = Answered | TimedOut | DeadlinePassed | Halt | Verb


# What a participant is asked -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """What a participant is asked, the same at every attempt but for the attempt's number.

    Attributes:
        saga_id: whose request it is.
        step: event name of the step.
        kind: to do, to undo, or to look whether it was done.
        body: the saga's request.
        call: key, attempt and answers.
    """

    saga_id: str
    step: str
    kind: Kind
    body: Any
    call: Call
