"""What a person sees with a database shell, without knowing how it is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amends.adapters.sqlite.store import SqliteStore
from amends.storage.rows import WAITS_FOR_OPERATOR
from tests.contract.rows import TICKETS, TRIPS, Writer, completed, entity, saga

STARTED = '["started","tickets/1/abc"]'


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return another program's connection to a store."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)) as store:
        write = Writer(store)
        body = '{"trail":["HELD done","CHARGED unknown"],"number":3,"reason":"the bank is down"}'
        write(saga("S1"), saga("S2", definition=TRIPS, body=body, due_ms=WAITS_FOR_OPERATOR), subjects=["S1", "S2"])
        write(completed(saga("S1")), counts={(TICKETS, "completed"): 1, (TRIPS, "needs operator"): 1}, subjects=["S1"])
        write(entity("E1"), entity("E2", None), entity("it's\n", "1"))
        with closing(sqlite3.connect(file)) as shell:
            yield shell


def test_sagas_are_listed(shell: sqlite3.Connection) -> None:
    """The last one first, with times that can be read."""
    assert shell.execute("SELECT * FROM saga_list").fetchall() == [
        (
            "S2", "trips", 2, "forward", "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.000Z", None,
            '{"show":"S1","n":2}', '["HELD done","CHARGED unknown"]', "the bank is down",
        ),
        (
            "S1", "tickets", 1, "completed", "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.005Z", None,
            '{"show":"S1","n":2}', "[]", None,
        ),
    ]  # fmt: skip


def test_it_is_listed_when_a_saga_is_due(tmp_path: Path) -> None:
    """To the millisecond."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        Writer(store)(saga("S1", due_ms=1_700_000_000_999))
    with closing(sqlite3.connect(tmp_path / "store.db")) as shell:
        assert shell.execute("SELECT due FROM saga_list").fetchall() == [("2023-11-14T22:13:20.999Z",)]


def test_records_are_listed(shell: sqlite3.Connection) -> None:
    """One row each, in order."""
    assert shell.execute("SELECT * FROM audit").fetchall() == [
        (1, "S1", 1, "2023-11-14T22:13:20.001Z", STARTED, '[["done","HELD"]]', "S1"),
        (1, "S2", 1, "2023-11-14T22:13:20.001Z", STARTED, '[["done","HELD"]]', "S2"),
        (2, "S1", 2, "2023-11-14T22:13:20.002Z", STARTED, '[["done","HELD"]]', "S1"),
    ]
    assert shell.execute("SELECT count(*) FROM audit WHERE subject = 'S1'").fetchone() == (2,)


def test_entities_are_listed(shell: sqlite3.Connection) -> None:
    """Those that exist."""
    assert shell.execute("SELECT * FROM entity_list").fetchall() == [
        ("SHOWS", "E1", 1, '{"free":5}'),
        ("SHOWS", "it's\n", 1, "1"),
    ]


def test_sagas_are_counted(shell: sqlite3.Connection) -> None:
    """All versions of a definition together."""
    assert shell.execute("SELECT * FROM saga_counts").fetchall() == [
        ("tickets", "completed", 1),
        ("trips", "needs operator", 1),
    ]
