"""What the records tell of each saga, to be compared with its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from amends.auditing.findings import Finding, block_name
from amends.auditing.stored import RecordedRows
from amends.storage import former
from amends.storage.blocks import Contents
from amends.storage.records import Checkpoint, CommandExecuted, EntityWritten, Record, SagaArchived, SagaStarted
from amends.storage.rows import Block
from amends.storage.standing import START, Stand


class RecordedSaga(NamedTuple):
    """What the records tell of a saga.

    Attributes:
        stand: where it stands.
        number: of its last record.
        version: how many commits changed it, which is the version of its row.
        block: the name of the last of these.
        started_ms: when its first record was made.
        changed_ms: when its last one was.
        definition: ``name/version/fingerprint``.
        request: hash of the request; ``None`` when it was erased.
    """

    stand: Stand
    number: int
    version: int
    block: str
    started_ms: int
    changed_ms: int
    definition: str
    request: int | None

    def was_asked(self, request: str) -> bool:
        """Whether a request is the one that it was started with, as far as that is known."""
        return self.request is None or hash(request) == self.request


class Tale:
    """All that the records tell of all sagas: some 300 bytes for each.

    Attributes:
        sagas: saga id to what is told of it, of those that are in the store.
        archived: definition and status to how many sagas left for an archive.
        entities: names of those that a command, or a function of an embedder, left.
        rows: of entities and client keys.
        records: how many records there were.
    """

    def __init__(self) -> None:
        self.sagas: dict[str, RecordedSaga] = {}
        self.archived: dict[str, RecordedSaga] = {}
        self.entities: dict[str, None] = {}
        self.rows = RecordedRows()
        self.records = 0
        self._definitions: dict[str, str] = {}

    def add(self, block: Block, contents: Contents) -> Iterator[Finding]:
        """What is wrong with the records of the next block.

        Args:
            block: the next one; its head is empty when its row is not what was written.
            contents: its own.
        """
        where, started, ended = block_name(block.number, block.chain), 0, 0
        self.records += len(contents.lines)
        self.rows.is_whole = self.rows.is_whole and contents.form != former.FORM
        for place, record in enumerate(contents.records(), 1):
            if record is None:
                yield Finding(where, f"record {place} cannot be read")
                continue
            if record.at_ms != block.at_ms and block.head:
                yield Finding(where, f"record {place} has another time than the block")
            if record.number:
                before = self.sagas.get(record.subject)
                told = self.sagas[record.subject] = self._after(before, record, where)
                if record.number != (before.number + 1 if before else 1):
                    yield _out_of_order(record, before, where)
                started += record.number == 1
                ended += bool(told.stand.end) and not (before and before.stand.end)
            else:
                self._take_in(record, contents)
        if block.head and (block.started, block.ended) != (started, ended):
            yield Finding(
                where,
                f"its row counts {block.started} started, {block.ended} ended; its records {started} and {ended}",
            )

    def is_next(self, contents: Contents) -> bool:
        """Whether all that a block changes stands as it stood before it: of what leaves for an archive, that it ended.

        Args:
            contents: of a block that was not added yet.
        """
        numbers: dict[str, int] = {}
        for record in contents.records():
            if record is None:
                continue
            if record.number:
                told = self.sagas.get(record.subject)
                before = numbers.get(record.subject, told.number if told else 0)
                numbers[record.subject] = record.number
                if record.number != before + 1:
                    return False
            elif isinstance(record.cause, SagaArchived):
                if not (leaving := self.sagas.get(record.subject)) or not leaving.stand.end:
                    return False
            elif not self.rows.follows(record):
                return False
        return True

    def _take_in(self, record: Record, contents: Contents) -> None:
        """Take in a record that is not about a saga's state."""
        if isinstance(record.cause, SagaArchived):
            self.rows.forget_key_of(record.subject)
            if record.subject in self.sagas:
                self.archived[record.subject] = self.sagas.pop(record.subject)
        elif isinstance(record.cause, CommandExecuted | EntityWritten):
            self.entities[record.subject] = None
        elif record.cause == Checkpoint(is_whole=True):
            self.rows.is_whole = True
        else:
            self.rows.add(record, contents)

    def counts(self) -> Counter[tuple[str, str]]:
        """(definition, status) to how many sagas."""
        return Counter((told.definition, told.stand.status) for told in self.sagas.values())

    def _after(self, before: RecordedSaga | None, record: Record, block: str) -> RecordedSaga:
        at_ms = record.at_ms
        if before is None:
            stand = START.after(record.changes)
            definition = record.cause.definition if isinstance(record.cause, SagaStarted) else ""
            request = hash(record.value) if record.value else None
            return RecordedSaga(stand, record.number, 1, block, at_ms, at_ms, self._one(definition), request)
        stand, _, version, last, started_ms, _, definition, request = before
        return RecordedSaga(
            stand.after(record.changes), record.number, version + (last != block), block, started_ms, at_ms,
            definition, request,
        )  # fmt: skip

    def _one(self, definition: str) -> str:
        return self._definitions.setdefault(definition, definition)


def _out_of_order(record: Record, before: RecordedSaga | None, where: str) -> Finding:
    after = f"record {before.number}" if before else "nothing"
    return Finding(f"saga {record.subject}", f"after {after} comes record {record.number}, in {where}")
