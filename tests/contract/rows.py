"""Rows and changes for stores, made up, each of its own kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amends.adapters.memory import MemoryStore
from amends.core.records import StepBecame
from amends.core.state import Status
from amends.engine.recording import Recording
from amends.storage.causes import cause_text, changes_text
from amends.storage.ports import Store
from amends.storage.records import SagaStarted
from amends.storage.rows import (
    COMPLETED,
    FORWARD,
    REQUEST,
    Block,
    Changes,
    EntityRow,
    Head,
    KeyRow,
    SagaRow,
    ShapeRow,
    Unreadable,
)

TICKETS = "tickets/1/0123abcd"
TRIPS = "trips/2/89ef4567"
START_MS = 1_700_000_000_000


def saga(saga_id: str, **values: Any) -> SagaRow:
    """Return a saga that was just started, but for the values that are given."""
    known: dict[str, Any] = {
        "definition": TICKETS,
        "request": '{"show":"S1","n":2}',
        "status": FORWARD,
        "body": '{"trail":[],"number":1}',
        "due_ms": START_MS + 1_000,
        "started_ms": START_MS,
        "changed_ms": START_MS,
        "version": 1,
    }
    return SagaRow(saga_id, **{**known, **values})


def completed(row: SagaRow) -> SagaRow:
    """Return the row of a saga once it is completed."""
    return row._replace(status=COMPLETED, due_ms=None, changed_ms=row.changed_ms + 5, version=row.version + 1)


def entity(entity_id: str, body: str | None = '{"free":5}', version: int = 1, service: str = "SHOWS") -> EntityRow:
    """Return an entity."""
    return EntityRow(service, entity_id, body, version)


def key(name: str, saga_id: str = "", request: str = "digest") -> KeyRow:
    """Return what a client key stands for."""
    return KeyRow(name, request, f'{{"saga":"{saga_id}"}}', saga_id)


def shape(since_ms: int = 0, text: str = '{"root":"int"}', kind: str = REQUEST, name: str = TICKETS) -> ShapeRow:
    """Return as what something is stored."""
    return ShapeRow(kind, name, since_ms, text)


def block(head: Head, subjects: Sequence[str] = (), started: int = 0, ended: int = 0, at_ms: int = 0) -> Block:
    """Return the block after a head, with a record for each subject."""
    at_ms = at_ms or max(head.at_ms, START_MS) + 1
    recording, changes = Recording(at_ms, salts=bytes), changes_text([StepBecame("HELD", Status.DONE)])
    for subject in subjects:
        recording.write(subject, head.number + 1, cause_text(SagaStarted("tickets/1/abc")), changes, f'"{subject}"')
    return recording.block(head, started, ended)


@dataclass
class Writer:
    """Commits to a store: the rows that it is given, with a block that follows the last one."""

    store: Store

    def __call__(
        self,
        *rows: SagaRow | EntityRow | KeyRow | ShapeRow | Unreadable,
        subjects: Sequence[str] = (),
        counts: Mapping[tuple[str, str], int] | None = None,
        gone: Sequence[SagaRow | KeyRow] = (),
    ) -> Changes:
        """Commit, and return what was committed."""
        changes = self.changes(*rows, subjects=subjects, counts=counts, gone=gone)
        self.store.commit(changes)
        return changes

    def changes(
        self,
        *rows: SagaRow | EntityRow | KeyRow | ShapeRow | Unreadable,
        subjects: Sequence[str] = (),
        counts: Mapping[tuple[str, str], int] | None = None,
        gone: Sequence[SagaRow | KeyRow] = (),
    ) -> Changes:
        """Return what would be committed."""
        return Changes(
            sagas=[row for row in rows if isinstance(row, SagaRow)],
            entities=[row for row in rows if isinstance(row, EntityRow)],
            keys=[row for row in rows if isinstance(row, KeyRow)],
            block=block(self.store.head(), subjects),
            counts=counts or {},
            set_aside=[row for row in rows if isinstance(row, Unreadable)],
            gone=[row for row in gone if isinstance(row, SagaRow)],
            gone_keys=[row for row in gone if isinstance(row, KeyRow)],
            shapes=[row for row in rows if isinstance(row, ShapeRow)],
        )


def store_of(blocks: int, each: int = 1) -> MemoryStore:
    """Return a store with blocks of some records each, every one of another saga, but those of one place in a block."""
    store = MemoryStore()
    for _ in range(blocks):
        Writer(store)(subjects=[f"S{place}" for place in range(each)])
    return store
