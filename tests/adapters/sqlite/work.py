"""Work for a store, drawn from a seed: what is committed, and what has to be read after so many commits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apsw
import pytest

from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite import client_keys
from amends.adapters.sqlite.store import SqliteStore
from amends.core.audit import GENESIS
from amends.storage.blocks import head_after
from amends.storage.ports import Store
from amends.storage.rows import Changes, EntityRow, KeyRow, SagaRow
from tests.contract.everything import everything
from tests.contract.rows import START_MS, TICKETS, Writer, completed, entity, key, saga, shape

CHECKPOINT_PAGES = 6  # so few that the log is taken in at nearly every commit
UNSORTED_MAX = 12


class Work:
    """Commits, each a function of the seed and of those before it.

    Attributes:
        commits: how many were drawn.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._memory = MemoryStore()
        self._write = Writer(self._memory)
        self._done: list[Changes] = []
        self._open: list[SagaRow] = []
        self._shows: dict[str, int] = {}
        self._after: dict[tuple[int, int], dict[str, Any]] = {}
        self._ended: list[tuple[SagaRow, KeyRow]] = []

    def changes(self, number: int) -> Changes:
        """Return what the commit of a number writes, 1, 2, ..."""
        while len(self._done) < number:
            self._done.append(self._next())
        return self._done[number - 1]

    def names(self) -> list[str]:
        """Return the names of all that was ever written."""
        return [f"{kind}{number}" for kind in "SEK" for number in range(len(self._done) * 9 + 9)]

    def after(self, number: int) -> dict[str, Any]:
        """Return everything that has to be read after the commit of a number."""
        known = number, len(self._done)
        if known not in self._after:
            memory = MemoryStore()
            for changes in self._done[:number]:
                memory.commit(changes)
            self._after[known] = everything(memory, self.names())
        return self._after[known]

    def _next(self) -> Changes:
        chance, at = self._chance, len(self._done)
        new = [
            saga(f"S{at * 9 + i}", body="b" * chance.randrange(4_000), started_ms=START_MS + at)
            for i in range(chance.randrange(6))
        ]
        ended = [row for row in self._open if chance.random() < 0.5]
        keys = [key(f"K{row.saga_id[1:]}", row.saga_id) for row in new]
        shows = [self._show(f"E{chance.randrange(9)}")] if chance.random() < 0.8 else []
        gone = [self._ended.pop()] if self._ended and chance.random() < 0.2 else []
        self._open = [row for row in self._open if row not in ended] + new
        self._ended += [(completed(row), key(f"K{row.saga_id[1:]}", row.saga_id)) for row in ended]
        return self._write(
            *new,
            *map(completed, ended),
            *keys,
            *shows,
            *([shape(chance.randrange(3), f'"{at}"')] if chance.random() < 0.3 else []),
            subjects=[row.saga_id for row in [*new, *ended]],
            counts={(TICKETS, "forward"): len(new) - len(ended), (TICKETS, "completed"): len(ended) - len(gone)},
            gone=[row for pair in gone for row in pair],
        )

    def _show(self, name: str) -> EntityRow:
        version = self._shows[name] = self._shows.get(name, 0) + 1
        return entity(name, None if version % 7 == 0 else "s" * self._chance.randrange(2_000), version)


def opened(folder: Path, vfs: str, checkpoint_pages: int = CHECKPOINT_PAGES) -> SqliteStore:
    """Open a store whose log is taken in every so many pages. Nothing but its lock file is in the folder."""
    store = SqliteStore(folder / "store.db", vfs)
    connection(store).execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}").fetchall()
    return store


def connection(store: SqliteStore) -> apsw.Connection:
    """Return the connection of a store."""
    return store._database._connection


def check(store: SqliteStore, work: Work) -> None:
    """A store is whole: what it holds is what so many commits leave, and SQLite and the chain say so, too."""
    assert everything(store, work.names()) == work.after(store.head().number)
    assert connection(store).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check_chain(store)


def check_chain(store: Store) -> None:
    """Each block follows the one before it, and its head is that of its records."""
    head = GENESIS
    for number, block in enumerate(store.blocks(), 1):
        assert (block.number, block.before) == (number, head)
        assert block.head == head_after(head, block.records)
        head = block.head
    assert store.head().head == head


@pytest.fixture
def keys_sorted_in_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort client keys in after a few, as otherwise after many."""
    monkeypatch.setattr(client_keys, "UNSORTED_MAX", UNSORTED_MAX)
