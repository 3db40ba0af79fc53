"""What cannot be asked for is refused before anything is written, as a client refuses it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import DefinitionError, Done, RequestRefused, UnusableInput, outbox
from amends.errors import StoreUnusable
from tests.client.sagas import COUNTED, PREPARED, SAGAS
from tests.engine.world import Buy
from tests.house.source import ROOT
from tests.inbox.databases import Database
from tests.outbox.starting import left


def _any(value: Any) -> Any:
    """Return what a caller without a type checker gives."""
    return value


WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "no saga": (lambda db: outbox.submit(db, _any("counted"), 1), DefinitionError, "'counted' is no Saga"),
    "another request": (
        lambda db: outbox.submit(db, COUNTED, _any("a show")),
        RequestRefused,
        "counted: the request cannot",
    ),
    "too large": (
        lambda db: outbox.submit(db, COUNTED, Buy("x" * 99, 1), value_bytes_max=99),
        RequestRefused,
        "counted: the request cannot be stored: .*99",
    ),
    "no plain JSON": (lambda db: outbox.submit(db, PREPARED, object()), RequestRefused, "prepared: the request cannot"),
    "no size": (lambda db: outbox.submit(db, COUNTED, Buy("a", 1), value_bytes_max=0), UnusableInput, "value_bytes"),
    "key of two lines": (lambda db: outbox.submit(db, COUNTED, Buy("a", 1), key="a\nb"), RequestRefused, "client key"),
    "no key": (lambda db: outbox.submit(db, COUNTED, Buy("a", 1), key=""), RequestRefused, "client key"),
    "no schema": (
        lambda db: outbox.submit(db, COUNTED, Buy("a", 1), schema='x"; DROP'),
        UnusableInput,
        "schema is .*give the name",
    ),
    "answer to nothing": (lambda db: outbox.answer(db, "s1", Done()), RequestRefused, "s1"),
    "no outcome": (lambda db: outbox.answer(db, "s1/STEP/do", _any("yes")), RequestRefused, "yes"),
    "cancel of nothing": (lambda db: outbox.cancel(db, ""), RequestRefused, "there is no saga"),
}


@pytest.mark.parametrize("what", WRONG)
def test_nothing_is_written_of_what_is_wrong(what: str, books: Database) -> None:
    """The message says what it is."""
    ask, error, words = WRONG[what]
    with books.connect() as db, books.transaction(db), pytest.raises(error, match=words):
        ask(db)
    assert left(books) == []


@pytest.mark.parametrize("other", [None, "books.sqlite", sqlite3], ids=["nothing", "text", "module"])
def test_what_is_no_connection_is_refused(other: Any) -> None:
    """The message says what to give."""
    with pytest.raises(UnusableInput, match="is no connection that Amends knows; give one of sqlite3, apsw"):
        outbox.submit(other, COUNTED, Buy("a", 1))


OUTBOXES: dict[str, tuple[Any, str]] = {
    "a list": (["books"], "outboxes is .*give a dict by names of yours"),
    "an address": ({"books": "books.sqlite"}, r"outboxes\['books'\] is 'books.sqlite'; give a function"),
    "no name": ({"": list}, "outboxes has '' for a name"),
}


@pytest.mark.parametrize("what", OUTBOXES)
def test_what_are_no_outboxes_is_refused(what: str) -> None:
    """Before anything is opened."""
    outboxes, words = OUTBOXES[what]
    with pytest.raises(UnusableInput, match=words):
        amends.open("memory:none", sagas=SAGAS, outboxes=outboxes)


def test_a_store_of_one_engine_alone_has_no_outboxes() -> None:
    """A relay posts as a client does, and that has no clients."""
    with pytest.raises(StoreUnusable, match="as in memory:shop"):
        amends.open("memory:", sagas=SAGAS, outboxes={"books": list})


def test_the_table_is_the_readable_file() -> None:
    """What `create_table` carries out can be put into a user's own migrations."""
    assert (ROOT / "src/amends/outbox/table.sql").read_text("utf-8") == outbox.TABLE
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(outbox.TABLE)
        assert outbox.submit(db, COUNTED, Buy("a", 1)).key.startswith("letter outbox-")


def test_no_driver_is_imported(tmp_path: Path) -> None:
    """A user of one needs no other."""
    drivers = "sqlite3 apsw psycopg sqlalchemy django aiosqlite"
    script = f"import sys, amends.outbox; print(*sorted(set({drivers!r}.split()) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert run.stdout.strip() == ""
