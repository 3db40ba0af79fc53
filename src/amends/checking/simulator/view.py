"""What can be seen of an engine from outside: the rows that it commits, its records, the effects on its entities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from amends.checking.simulator.setting import Setting
from amends.checking.simulator.told import SagaFollower, Script
from amends.core.audit import GENESIS
from amends.core.messages import Kind
from amends.core.walk import key_of
from amends.storage.placing import placed
from amends.storage.rows import Block, Changes, KeyRow, SagaRow

DECODE: Final = msgspec.json.Decoder().decode
NO_BLOCK: Final = Block(0, 0, GENESIS, GENESIS, "", (), 0, 0)
BESIDE: Final = msgspec.json.Decoder(tuple[str, list[msgspec.Raw]])


class ReadRecord(NamedTuple):
    """One audit record, as it is stored; see `amends.storage.blocks`."""

    subject: str
    number: int
    cause: list[Any]
    changes: list[list[str]]
    place: int = -1

    @property
    def what(self) -> str:
        """The tag of its cause: ``started``, ``done``, ``timed out``, ..."""
        return str(self.cause[0])


class ShardOwners(NamedTuple):
    """Who has which shards at a commit, where several engines share a database.

    Attributes:
        now_ms: the time of the commit, milliseconds since 1970 (UTC).
        before: shard to engine, before it.
        after: shard to engine, after it.
        leases: engine to when its lease really ends: reckoned from when it was begun or renewed last.
    """

    now_ms: int = 0
    before: Mapping[int, str] = {}
    after: Mapping[int, str] = {}
    leases: Mapping[str, int] = {}


class Commit(NamedTuple):
    """One commit, as it is looked at.

    Attributes:
        changes: what was written.
        head: form, time, digests and transitions of its block.
        beside: what lies beside the block: the seed of the salts of all its values, and those values that no row has.
        said: its records.
        before: the view before it, but for `View.told`.
        bodies: saga to the body of its new row.
        owners: who has which shards.
        wrong: (saga, rule, text) of what its records say that must not be.
        served: idempotency key to saga, event and whether it is an undo, of what its records answer to sagas elsewhere.
    """

    changes: Changes
    head: tuple[int, int, str, list[Any]]
    beside: tuple[str, list[str]]
    said: list[ReadRecord]
    before: View
    bodies: Mapping[str, Any]
    owners: ShardOwners
    wrong: list[tuple[str, str, str]]
    served: Mapping[str, tuple[str, str, bool]] = {}

    def value_of(self, record: ReadRecord) -> str:
        """What a record is about, JSON; empty for nothing."""
        return self.beside[1][record.place] if 0 <= record.place < len(self.beside[1]) else ""


NOT_SHARED: Final = ShardOwners()


class View:
    """Everything that was ever committed, as it is now.

    Attributes:
        setting: the scenario.
        rows: of sagas, by id.
        bodies: of these rows.
        told: where each saga stands by its records.
        entities: service, then id, to entity.
        texts: the same, each as it is stored.
        entity_versions: (service, id) to version.
        keys: client keys.
        blocks: the last one of each chain.
        ended: chains that another engine has ended, to which one.
        parents: saga to the one that it follows from, by its records.
        history: (saga, event, whether it was undone) of local steps that took effect, in order.
        served: the keys of requests of sagas elsewhere that were answered, each with the chain that says so.
    """

    def __init__(self, setting: Setting, elsewhere: Collection[str] = ()) -> None:
        """Nothing was committed.

        Args:
            setting: the scenario.
            elsewhere: the services that are asked over a wire.
        """
        self.setting = setting
        self.served: dict[str, str] = {}
        self.rows: dict[str, SagaRow] = {}
        self.bodies: dict[str, Any] = {}
        self.told: dict[str, SagaFollower] = {}
        self.entities: dict[str, dict[str, Any]] = {step.service: {} for step in setting.steps.values()}
        self.texts: dict[tuple[str, str], str | None] = {}
        self.entity_versions: dict[tuple[str, str], int] = {}
        self.keys: dict[str, KeyRow] = {}
        self.blocks: dict[str, Block] = {}
        self.ended: dict[str, str] = {}
        self.parents: dict[str, str] = {}
        self.history: list[tuple[str, str, bool]] = []
        self._local = {each.event for each in setting.steps.values() if each.is_local and each.service not in elsewhere}
        self._scripts = {definition: Script(placed(saga, elsewhere)) for definition, saga in setting.sagas.items()}

    def read(self, changes: Changes, owners: ShardOwners = NOT_SHARED) -> Commit:
        """Read a commit."""
        head, *records = map(DECODE, changes.block.records.split("\n"))
        said = [ReadRecord(subject, number, *head[3][at], *place) for subject, number, at, *place in records]
        salts, values = BESIDE.decode(changes.block.values)
        beside = salts, [bytes(value).decode() for value in values]
        wrong: list[tuple[str, str, str]] = []
        for record in said:
            if record.number:
                wrong += self._hear(record)
        bodies = {row.saga_id: DECODE(row.body) for row in changes.sagas}
        commit = Commit(changes, head, beside, said, self, bodies, owners, wrong)
        return commit._replace(served=dict(self._served(commit)))

    def take(self, commit: Commit) -> None:
        """From now on, this is how it is."""
        changes = commit.changes
        for row in changes.sagas:
            self.rows[row.saga_id] = row
        self.bodies.update(commit.bodies)
        for entity in changes.entities:
            self.texts[entity.service, entity.entity_id] = entity.body
            self.entity_versions[entity.service, entity.entity_id] = entity.version
            owned = self.entities.setdefault(entity.service, {})
            owned.pop(entity.entity_id, None)
            if entity.body is not None:
                owned[entity.entity_id] = self.setting.forms.decode(entity.service, entity.body)
        for key in changes.keys:
            self.keys[key.key] = key
        self.parents |= {record.subject: record.cause[1] for record in commit.said if record.what == "follows"}
        for name, (saga_id, event, is_undo) in commit.served.items():
            self.served[name] = changes.block.chain
            action = key_of(saga_id, self.setting.steps[event], Kind.DO)
            if all(each in self.keys and "done" in DECODE(self.keys[each].answer) for each in (action, name)):
                self.history.append((saga_id, event, is_undo))
        for fence in changes.fences:
            self.blocks[fence.chain] = fence
            self.ended[fence.chain] = changes.block.chain
        self.blocks[changes.block.chain] = changes.block

    def _served(self, commit: Commit) -> Iterator[tuple[str, tuple[str, str, bool]]]:
        for record in commit.said:
            if record.what == "served":
                event, is_undo = record.cause[3], record.cause[4] == Kind.UNDO.value
                saga_id, step = DECODE(commit.value_of(record))[0], self.setting.steps[event]
                yield key_of(saga_id, step, Kind.UNDO if is_undo else Kind.DO), (saga_id, event, is_undo)

    def last(self, chain: str) -> Block:
        """The last block of a chain."""
        return self.blocks.get(chain, NO_BLOCK)

    def _hear(self, record: ReadRecord) -> list[tuple[str, str, str]]:
        saga_id = record.subject
        told = self.told.get(saga_id)
        if told is None:
            definition = record.cause[1] if record.what == "started" else next(iter(self._scripts))
            told = self.told[saga_id] = SagaFollower(self._scripts[definition])
        wrong = [(saga_id, rule, text) for rule, text in told.hear(record.changes)]
        if record.number != told.number + 1:
            wrong.append((saga_id, "V10", f"record {record.number} follows record {told.number}"))
        told.number = record.number
        for word, *steps in record.changes:
            if word in ("done", "undone") and steps[0] in self._local:
                self.history.append((saga_id, steps[0], word == "undone"))
        return wrong
