"""Equal changes leave equal stores: whatever one refuses or gives back, the other does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from amends.errors import StoreConflict
from amends.storage.ports import Store
from amends.storage.rows import (
    ABANDONED,
    COMPENSATED,
    COMPLETED,
    STATUSES,
    WAITS_FOR_OPERATOR,
    Changes,
    EntityRow,
    KeyRow,
    SagaRow,
    Unreadable,
)
from tests.contract.everything import everything, read
from tests.contract.rows import START_MS, TICKETS, TRIPS, Writer
from tests.contract.subjects import Subject, opened

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.integers(0, 9)
DUE = st.one_of(st.integers(START_MS, START_MS + 5), st.just(WAITS_FOR_OPERATOR))
FINAL = {COMPLETED, COMPENSATED, ABANDONED}
VERSION = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1])  # off the right one: seldom
ROWS = st.one_of(
    st.tuples(
        st.just("saga"), NUMBER, VERSION, st.sampled_from(STATUSES), DUE, TEXT, st.sampled_from([TICKETS, TRIPS])
    ),
    st.tuples(st.just("entity"), NUMBER, VERSION, st.one_of(st.none(), TEXT)),
    st.tuples(st.just("key"), NUMBER, TEXT),
    st.tuples(st.just("set aside"), NUMBER, TEXT),
    st.tuples(st.just("gone"), NUMBER),
)
COMMITS = st.lists(st.lists(ROWS, max_size=6, unique_by=lambda row: row[:2]), min_size=1, max_size=12)


class Author:
    """Makes rows that mostly follow what it wrote."""

    def __init__(self) -> None:
        self._now_ms = START_MS
        self._stored: dict[str, SagaRow | EntityRow | KeyRow] = {}

    def rows(self, drawn: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
        """Return the rows to write, and those that leave."""
        self._now_ms += 1
        rows = [getattr(self, f"_{kind.replace(' ', '_')}")(*values) for kind, *values in drawn if kind != "gone"]
        written = {self._name(row) for row in rows}
        leaving = [row for kind, number, *_ in drawn if kind == "gone" for row in self._of(number)]
        return rows, [row for row in leaving if self._name(row) not in written]

    def committed(self, rows: list[Any], gone: list[Any]) -> None:
        """Remember what is stored now."""
        self._stored |= {self._name(row): row for row in rows if not isinstance(row, Unreadable)}
        for row in gone:
            del self._stored[self._name(row)]

    def _of(self, number: int) -> list[SagaRow | EntityRow | KeyRow]:
        return [self._stored[name] for name in (f"S{number}", f"K{number}") if name in self._stored]

    def _saga(self, number: int, off: int, status: str, at_ms: int, text: str, definition: str) -> SagaRow:
        before = self._stored.get(f"S{number}")
        started_ms = before.started_ms if isinstance(before, SagaRow) else self._now_ms
        version = off + (before.version + 1 if isinstance(before, SagaRow) else 1)
        due_ms = None if status in FINAL else at_ms
        return SagaRow(
            f"S{number}", definition, text, status, text[::-1], due_ms, started_ms, self._now_ms, max(version, 1)
        )

    def _entity(self, number: int, off: int, body: str | None) -> EntityRow:
        before = self._stored.get(f"E{number}")
        version = off + (before.version + 1 if isinstance(before, EntityRow) else 1)
        return EntityRow("SHOWS", f"E{number}", body, max(version, 1))

    def _key(self, number: int, text: str) -> KeyRow:
        return KeyRow(f"K{number}", text, "{}", f"S{number}")

    def _set_aside(self, number: int, text: str) -> Unreadable:
        return Unreadable("saga", f"S{number}", text)

    def _name(self, row: Any) -> str:
        return str(row.entity_id if isinstance(row, EntityRow) else row[0])


def committed(store: Store, changes: Changes) -> bool:
    """Commit, and return whether it was taken."""
    try:
        store.commit(changes)
    except StoreConflict:
        return False
    return True


@given(COMMITS)
def test_equal_changes_leave_equal_stores(commits: list[list[tuple[Any, ...]]]) -> None:
    """In memory and in a file, for the engine as for others."""
    _compare("sqlite reader", commits)


@settings(max_examples=15)
@given(COMMITS)
def test_equal_changes_leave_an_equal_database(commits: list[list[tuple[Any, ...]]]) -> None:
    """In memory and in a PostgreSQL: the same, with fewer examples, as each of them makes a schema."""
    _compare("postgres reader", commits)


def _compare(kind: str, commits: list[list[tuple[Any, ...]]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        opened("memory", Path(folder)) as memory,
        opened(kind, Path(folder)) as other,
    ):
        _commit_to_both(memory, other, commits)
        assert everything(other.store) == everything(memory.store)
        assert read(other.records) == read(memory.records)


def _commit_to_both(memory: Subject, other: Subject, commits: list[list[tuple[Any, ...]]]) -> None:
    author = Author()
    for drawn in commits:
        rows, gone = author.rows(drawn)
        subjects = sorted({str(row[0]) for row in rows})
        counts = {(row.definition, row.status): 1 for row in rows if isinstance(row, SagaRow)}
        changes = Writer(memory.store).changes(*rows, subjects=subjects, counts=counts, gone=gone)
        taken = committed(memory.store, changes)
        assert committed(other.store, changes) == taken
        if taken:
            author.committed(rows, gone)
