"""What happened, and what became of it, as the audit has it: a closed union of small frozen values.

No record holds a value: a request, an answer, a reason or an entity lies beside it, as JSON, so that it can be erased
while the record stays (docs/audit.md). So an `Input` in a record is the one that the saga took, without its answer or
its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from amends.core.messages import Input, Kind
from amends.core.records import StateChange


@dataclass(frozen=True, slots=True)
class SagaStarted:
    """A saga was started. The value is its request.

    Attributes:
        definition: ``name/version/fingerprint``.
    """

    definition: str


@dataclass(frozen=True, slots=True)
class ChildPosted:
    """A saga has completed, and another one is to start, by a letter of the same commit.

    Attributes:
        child: its id.
        definition: ``name/version/fingerprint`` of the other one.
    """

    child: str
    definition: str


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """The saga that was started in the same commit follows from another one.

    Attributes:
        parent: the other one.
    """

    parent: str


class RetimeReason(Enum):
    """Why the times of attempts were written anew."""

    TAKEN_OVER = "another process took over"
    SENT_LATE = "sent late, for want of a place"
    WAITS = "waits for a place"
    STILL_WAITS = "still waits for a place"
    GOES_OUT = "goes out"
    ASKED_AGAIN = "asked again"


@dataclass(frozen=True, slots=True)
class AttemptsRetimed:
    """The times of attempts were written anew, and no state changed.

    Attributes:
        because: what happened to them.
        attempts: those that it is about: step, and what it was asked.
    """

    because: RetimeReason
    attempts: tuple[tuple[str, Kind], ...] = ()


@dataclass(frozen=True, slots=True)
class CommandExecuted:
    """A command was carried out on an entity. The value is its body."""

    service: str
    entity_id: str
    command: str


@dataclass(frozen=True, slots=True)
class RequestServed:
    """A participant answered a request of a saga that is elsewhere. The value is saga, request, answers and reason.

    Attributes:
        service: the participant.
        definition: of the saga, as ``name/version/fingerprint``.
        step: which step was asked, by event.
        kind: ``do`` or ``undo``.
    """

    service: str
    definition: str
    step: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class EntityWritten:
    """An entity was written by no saga and no command. The value is the entity.

    Attributes:
        service: the participant.
        entity_id: unique in the service.
        by: ``written`` by a transaction, ``upcast`` to another type, ``given`` before the first start of a simulation,
            or ``taken over`` from an earlier version.
    """

    service: str
    entity_id: str
    by: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """A client key stands for a refusal. The value is the reason.

    Attributes:
        key: as the client gave it.
        of: the command that was refused, and on what; empty for the start of a saga.
    """

    key: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class KeyRemembered:
    """A transaction, or a letter that starts no saga, kept an answer under a client key. The value is the answer.

    Attributes:
        key: as the client gave it.
    """

    key: str


@dataclass(frozen=True, slots=True)
class RowSetAside:
    """A row turned out to be unreadable. The value says why.

    Attributes:
        kind: ``saga``, ``entity``, ``key`` or ``shape``.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class SagaArchived:
    """A saga left for another file."""

    into: str


@dataclass(frozen=True, slots=True)
class TypeAssumed:
    """What was stored by a former version was taken to be of today's type. The value is the type's shape."""


@dataclass(frozen=True, slots=True)
class EntitiesStored:
    """A commit stored rows of entities. Its values, one for each from the record's place on, are their bodies.

    Attributes:
        service: the participant.
        entities: id, and version of the row.
    """

    service: str
    entities: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class EntitiesRead:
    """A commit of one of several engines was decided on rows of entities that it left as they are.

    Attributes:
        service: the participant.
        entities: id, and version of the row; 0 where there was none.
    """

    service: str
    entities: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class KeysStored:
    """A commit stored client keys. Its values, one for each from the record's place on, are what they stand for.

    Attributes:
        keys: the key, and the saga that it started; empty when it started none.
    """

    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeysArchived:
    """Client keys that had started no saga left with the month of the audit in which they were stored."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SagaTakenOver:
    """A saga as it stood when a store of an earlier version was taken over. The value is its row, as a JSON list."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What an earlier version left is recorded row by row.

    Attributes:
        is_whole: whether all of it is: from here on, the records give all that is stored.
    """

    is_whole: bool


@dataclass(frozen=True, slots=True)
class ChainFenced:
    """The chain that this is in ends here: another engine took over, since the lease had run out.

    Attributes:
        by: the engine that did, and its chain.
    """

    by: str


@dataclass(frozen=True, slots=True)
class ChainTakenOver:
    """The engine took over from one whose lease had run out.

    Attributes:
        chain: that engine, and its chain.
        number: of the block that ended it.
        head: of that block, hex.
        shards: that the engine has now.
    """

    chain: str
    number: int
    head: str
    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShardsHandedOver:
    """The engine gave shards away.

    Attributes:
        to: the engine that has them now; empty for none.
        shards: which ones.
    """

    to: str
    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FormerWords:
    """Words of a former version, of what no type is about: what a command left of its entity."""

    words: str


Cause = (
    SagaStarted
    | ChildPosted
    | ChildStarted
    | Input
    | AttemptsRetimed
    | CommandExecuted
    | RequestServed
    | EntityWritten
    | KeyRefused
    | KeyRemembered
    | RowSetAside
    | SagaArchived
    | TypeAssumed
    | EntitiesStored
    | EntitiesRead
    | KeysStored
    | KeysArchived
    | SagaTakenOver
    | Checkpoint
    | ChainFenced
    | ChainTakenOver
    | ShardsHandedOver
    | FormerWords
)


ERASED: Final = ""
"""In the place of a value that was erased."""


class Record(NamedTuple):
    """One thing that happened.

    Attributes:
        subject: what changed: a saga's id, ``SERVICE/entity id``, or what else it is about.
        number: position of the change in its saga, from 1, without gaps; 0 when it is not about a saga's state.
        at_ms: when, by the engine's clock, in milliseconds since 1970 (UTC).
        cause: what happened.
        changes: what became of it, in order.
        value: what the cause is about, JSON; ``None`` for nothing, `ERASED` when it is not there any more.
        place: of its first value among those of its block; -1 for none.
    """

    subject: str
    number: int
    at_ms: int
    cause: Cause
    changes: tuple[StateChange | FormerWords, ...] = ()
    value: str | None = None
    place: int = -1
