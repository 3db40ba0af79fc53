"""What is stored, the same in every store: rows of sagas and entities, client keys, blocks, leases, letters.

Bodies are JSON text, so that a person with a database shell can read them. Every row carries a checksum over all of
its values: a flipped bit becomes an `Unreadable`, never a wrong value.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from amends.core.audit import GENESIS
from amends.errors import StoreFailed

WAITS_FOR_OPERATOR: Final = 2**62
"""The due time of a saga that only an operator can move; far beyond every clock, and still a 64-bit integer."""

NEVER: Final = 2**62
"""The end of a lease that does not run out."""

FORWARD: Final = "forward"
BACKWARD: Final = "backward"
NEEDS_OPERATOR: Final = "needs operator"
COMPLETED: Final = "completed"
COMPENSATED: Final = "compensated"
ABANDONED: Final = "abandoned"
WAITING: Final = (FORWARD, BACKWARD, NEEDS_OPERATOR)
FINAL: Final = frozenset((COMPLETED, COMPENSATED, ABANDONED))
REQUEST: Final = "request"
ENTITY: Final = "entity"
ANSWER: Final = "answer"
STATUSES: Final = (FORWARD, BACKWARD, NEEDS_OPERATOR, COMPLETED, COMPENSATED, ABANDONED)


class SagaRow(NamedTuple):
    """One saga.

    Attributes:
        saga_id: unique in the store; without ``/``.
        definition: ``name/version/fingerprint`` of the definition that it runs under.
        request: the saga's request, JSON; written once.
        status: one of `STATUSES`.
        body: state, answers, attempts, trail: JSON, see `amends.storage.bodies`.
        due_ms: when it moves by itself at the latest; `WAITS_FOR_OPERATOR`, also of a final one of which something is
            owed; ``None`` of any other once it is final.
        started_ms: when it was started, milliseconds since 1970 (UTC).
        changed_ms: when it changed last; of a final saga, when it ended.
        version: 1 for the first row, one more at every change: a writer that saw an older row is refused.
    """

    saga_id: str
    definition: str
    request: str
    status: str
    body: str
    due_ms: int | None
    started_ms: int
    changed_ms: int
    version: int


class EntityRow(NamedTuple):
    """One entity of a participant whose state we keep.

    Attributes:
        service: the participant.
        entity_id: unique in the service.
        body: the entity, JSON; ``None`` when it no longer exists.
        version: 1 for the first row, one more at every change.
    """

    service: str
    entity_id: str
    body: str | None
    version: int


class KeyRow(NamedTuple):
    """What a client's key stands for.

    Attributes:
        key: as the client gave it.
        request: a digest of what was asked under it, so that another request is told apart.
        answer: what was answered, JSON.
        saga_id: the saga that it started, with which it is archived; or the one elsewhere to whose request a host
            answered; empty where there is neither.
    """

    key: str
    request: str
    answer: str
    saga_id: str = ""


class ShapeRow(NamedTuple):
    """As what requests, answers or entities are stored.

    Attributes:
        kind: `REQUEST`, `ANSWER` or `ENTITY`.
        name: of requests their definition, of answers that and their step, of entities their service.
        since_ms: of what is stored since then, until the next row of this kind and name; 0 from the beginning.
        shape: JSON, as `amends.storage.codecs.shapes` writes it.
    """

    kind: str
    name: str
    since_ms: int
    shape: str


def sound_shape(row: ShapeRow | Unreadable) -> ShapeRow:
    """A row that says as what something is stored: nothing of that can be read without it.

    Raises:
        StoreFailed: it is not what was written.
    """
    if isinstance(row, Unreadable):
        raise StoreFailed(f"the shape of {row.name or 'something'} is not what was written: {row.why}")
    return row


class Unreadable(NamedTuple):
    """A row that is not what was written.

    Attributes:
        kind: ``saga``, ``entity``, ``key`` or ``shape``.
        name: its saga id, ``SERVICE/entity id``, key, or what it is the shape of.
        why: what is wrong with it, for a person.
    """

    kind: str
    name: str
    why: str


class Block(NamedTuple):
    """What one commit adds to the audit.

    Attributes:
        number: 1, 2, ... without gaps.
        at_ms: when, milliseconds since 1970 (UTC); never before the block before.
        before: head of the block before, 32 bytes; `GENESIS` for the first.
        head: `amends.storage.blocks.head_after` of `before` and the records, 32 bytes.
        records: one a line, as `amends.storage.blocks` writes them.
        subjects: whom the records are about, each once. Sagas whose first row is written with it need not be among
            them: the store knows.
        started: how many sagas started in it.
        ended: how many sagas became final in it.
        values: what the records are about, each with its salt, as JSON: it lies beside them, and can be erased.
        chain: which chain it belongs to. Each engine of a shared store writes into a chain of its own, which has the
            engine's name; a store with one owner has one chain, whose name is empty.
    """

    number: int
    at_ms: int
    before: bytes
    head: bytes
    records: str
    subjects: Sequence[str]
    started: int
    ended: int
    values: str = ""
    chain: str = ""

    def as_head(self) -> Head:
        """Where its chain ends, when this is its last block."""
        return Head(self.number, self.head, self.at_ms, self.chain)


class Head(NamedTuple):
    """Where a chain of the audit ends.

    Attributes:
        number: of the last block; 0 when there is none.
        head: of the last block; `GENESIS` when there is none.
        at_ms: of the last block; 0 when there is none.
        chain: its name.
    """

    number: int = 0
    head: bytes = GENESIS
    at_ms: int = 0
    chain: str = ""


NOTHING_MOVED: Final[Mapping[int, str]] = MappingProxyType({})


class Changes(NamedTuple):
    """What one commit writes, all or nothing.

    Attributes:
        sagas: the rows after; each replaces the row whose version is one less, and there is none before version 1.
            New ones come in the order in which they were started, none earlier than one that is stored.
        entities: the rows after, as of sagas; a deleted entity keeps a row without a body.
        keys: new ones.
        block: the records of all of it.
        counts: (definition, status) to how many sagas more, or fewer, there are of it.
        set_aside: rows that were found to be unreadable.
        gone: sagas that leave this store for an archive, as they were read.
        gone_keys: client keys that leave with them.
        shapes: each replaces the one of its kind, name and time, if there is one.
        letters: ids of the letters that it acts on. The store loses those with it that are part of it.
        fences: each ends the chain of an engine whose lease ran out. The lease is gone with it, and the engine's shards
            are those of the engine that commits this.
        moved: shards of the engine that commits this, to the engines that get them; ``""`` for none: it is free.
        posted: letters to the owners of sagas: they are there if and only if the commit is. One whose id is there stays
            as it is. They are never refused for want of room in the mailbox.
    """

    sagas: Sequence[SagaRow]
    entities: Sequence[EntityRow]
    keys: Sequence[KeyRow]
    block: Block
    counts: Mapping[tuple[str, str], int]
    set_aside: Sequence[Unreadable] = ()
    gone: Sequence[SagaRow] = ()
    gone_keys: Sequence[KeyRow] = ()
    shapes: Sequence[ShapeRow] = ()
    letters: Sequence[str] = ()
    fences: Sequence[Block] = ()
    moved: Mapping[int, str] = NOTHING_MOVED
    posted: Sequence[Letter] = ()


NOTHING_KNOWN: Final = frozenset[str]()


class Lease(NamedTuple):
    """How long an engine has its shards, if it does not renew it.

    Attributes:
        engine: its name, and the name of its chain; empty in a store with one owner.
        until_ms: by the store's time, in milliseconds since 1970 (UTC); `NEVER` where no other engine can take over.
        knows: the definitions that the engine was given, as ``name/version/fingerprint``; where other engines are told.
    """

    engine: str
    until_ms: int
    knows: frozenset[str] = NOTHING_KNOWN


class Letter(NamedTuple):
    """What a client, or a saga that has completed, asks of the owner of a saga.

    Attributes:
        letter_id: unique in the mailbox. It is a client key too: what the owner answers is remembered under it, so that
            the same letter, delivered twice, is acted on once.
        shard: of the saga that it is about, or that it starts (`amends.storage.shards.shard_of`).
        body: what it asks for, JSON, see `amends.storage.letters`.
        posted_ms: when it was written, by its writer's clock, in milliseconds since 1970 (UTC).
    """

    letter_id: str
    shard: int
    body: str
    posted_ms: int


def checksum(values: tuple[object, ...]) -> int:
    """The checksum of a row: CRC-32 over its values as a MessagePack array, which tells them apart. 0 to 2**32 - 1."""
    return zlib.crc32(_ARRAY(values))


def checksums(rows: Iterable[tuple[object, ...]]) -> Iterator[int]:
    """The checksum of each of many rows."""
    return map(zlib.crc32, map(_ARRAY, rows))


_ARRAY: Final = msgspec.msgpack.Encoder().encode
