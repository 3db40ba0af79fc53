"""`amends move`: a shop of a file goes on in a PostgreSQL, sagas in flight and the audit included."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.moving import PostgresMoveTarget
from amends.adapters.sqlite.moving import SqliteMoveSource
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreInUse
from amends.storage.letters import start_letter
from amends.storage.rows import FORWARD
from tests.acceptance.command import Ran, amends
from tests.contract.rows import Writer, saga
from tests.postgres import schema, server, url_of

STORE = Path(__file__).parents[1] / "corpus" / "stores" / "schema-6-waits"
DEFINITIONS = "tests.corpus.shop"


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store that an earlier version wrote, with sagas in every state."""
    path = tmp_path / "shop.db"
    path.write_bytes(gzip.decompress(STORE.with_suffix(".db.gz").read_bytes()))
    return path


def test_a_shop_goes_on_where_it_moved(path: Path, url: str) -> None:
    """What is said of it is what was said: heads, sagas, one of them step by step, entities computed again."""
    head = json.loads(STORE.with_suffix(".json").read_text("utf-8"))["head"]
    ran = amends("move", f"sqlite:///{path}", url)
    numbers = "21 sagas, 30 entity rows, 24 client keys, 0 letters, 103 blocks"
    assert ran == Ran(0, f"{path} moved to {url}: {numbers}\n{head}\n", "")
    saga_id = json.loads(amends("sagas", "--db", path, "--json").out)["sagas"][3]["saga_id"]
    for words in (
        ["audit", "verify", "--head", head], ["audit", "recompute", DEFINITIONS], ["audit", "export"],
        ["audit", "head"], ["show", saga_id],
    ):  # fmt: skip
        here, there = amends(*words, "--db", path), amends(*words, "--db", url)
        assert here == there
        assert here.code == 0


def test_a_move_that_is_over_is_over(path: Path, url: str) -> None:
    """The second one says where the shop is, wherever it is to go, and so does every other way in."""
    assert amends("move", path, url).code == 0
    already = Ran(2, "", f"amends: {path}: already moved to {url}\n")
    assert amends("move", path, url) == already
    assert amends("move", path, f"{url}_2") == already
    assert amends("move", "--cancel", path, url) == already
    moved = f"its shop has moved to {url}: open that"
    assert amends("archive", "--before", "1d", "--to", path.with_name("old.db"), "--db", path).err.endswith(
        f"{moved}\n"
    )
    assert "connect to that one" in amends("cancel", in_flight(path), "--by", "ada", "--yes", "--db", path).err
    assert f"warning         {moved}" in amends("status", "--db", path).out


def in_flight(path: Path) -> str:
    """Return the id of a saga that waits for an answer."""
    listed = json.loads(amends("sagas", "--status", "forward", "--db", path, "--json").out)["sagas"]
    saga_id: str = listed[0]["saga_id"]
    return saga_id


def test_a_move_is_taken_back(path: Path, url: str) -> None:
    """Before its end: here, at a row that no other database takes."""
    assert amends("move", "--cancel", path, url).err == f"amends: {path}: no move of it is under way\n"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE entities SET body = CAST(x'ff' AS TEXT) WHERE service = 'POINTS'")
    ran = amends("move", path, url)
    assert (ran.code, "a row of entities has text that is not UTF-8" in ran.err) == (2, True)
    unfinished = f"its move to {url} is not finished: go on with that one"
    assert unfinished in amends("move", path, f"{url}_2").err
    assert unfinished in amends("move", "--cancel", path, f"{url}_2").err
    assert "a move into the schema" in amends("status", "--db", url).err
    assert amends("move", "--cancel", path, url) == Ran(0, f"{path}: its shop stays there\n", "")
    assert "there is no schema" in amends("status", "--db", url).err
    assert "moved" not in amends("status", "--db", path).out


def is_missing(path: Path, url: str) -> Sequence[object]:
    """No file."""
    return path.with_name("missing.db"), url


def is_empty(path: Path, url: str) -> Sequence[object]:
    """A store in which nothing was ever done."""
    SqliteStore(empty := path.with_name("empty.db")).close()
    return empty, url


def is_taken(path: Path, url: str) -> Sequence[object]:
    """Another shop in the schema."""
    with closing(PostgresStore(url)) as store:
        store.mailbox.post([start_letter("L", "S", "tickets/1/abc", "{}", 1)])
    return path, url


def is_about_to_be_taken(path: Path, url: str) -> Sequence[object]:
    """Another move into the schema, which is not finished."""
    other = path.with_name("other.db")
    with closing(SqliteStore(other)) as store:
        Writer(store)(saga("S1"), subjects=["S1"], counts={("tickets/1/0123abcd", FORWARD): 1})
    with SqliteMoveSource(str(other)) as source, PostgresMoveTarget(address_of(url)) as target:
        target.begin(source.head())
    return path, url


def may_not(path: Path, url: str) -> Sequence[object]:
    """A role that does not own the schema."""
    PostgresStore(url).close()
    name = address_of(url).schema
    with psycopg.connect(server(), autocommit=True) as db:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        db.execute(sql.SQL("GRANT USAGE ON SCHEMA {0} TO {0}").format(sql.Identifier(name)))
        db.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA {0} TO {0}").format(sql.Identifier(name)))
    return path, url.replace("postgres@", f"{name}@")


REFUSED: dict[str, tuple[Callable[[Path, str], Sequence[object]], str]] = {
    "no source": (is_missing, "there is no such file"),
    "an empty source": (is_empty, "it has no audit that could go on"),
    "a database as source": (lambda _, url: (url, url), "a shop moves from a file into a PostgreSQL"),
    "a file as target": (lambda path, _: (path, path.with_name("b.db")), "a shop moves into a PostgreSQL"),
    "memory as target": (lambda path, _: (path, "memory:b"), "names no store; give"),
    "another database as target": (lambda path, _: (path, "mysql://db/shop"), "names no store file"),
    "a server that is away": (lambda path, _: (path, "postgresql://u:secret@/x?host=/nowhere"), "No such file"),
    "a database that is not there": (lambda path, url: (path, url.replace("/postgres?", "/none?")), "does not exist"),
    "a role that is not there": (
        lambda path, url: (path, url.replace("postgres@", "nobody:secret@")),
        "does not exist",
    ),
    "a schema that cannot be": (lambda path, url: (path, f"{url}-x"), "is no name for a schema"),
    "a schema of others": (lambda path, url: (path, url_of(server(), "public")), "none of Amends'"),
    "another shop as target": (is_taken, "there is a shop in the schema"),
    "another move's target": (is_about_to_be_taken, "a move of another store into it"),
    "a role that owns nothing": (may_not, "must be owner of"),
}
"""What cannot move, or be moved into, and words of the line that says so."""


@pytest.mark.parametrize("given", REFUSED)
def test_what_cannot_move_is_told_in_a_line(given: str, path: Path, url: str) -> None:
    """Without a password; and the file is as it was: an engine opens it, and it can move elsewhere."""
    make, words = REFUSED[given]
    ran = amends("move", *map(str, make(path, url)))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert words in ran.err
    assert "secret" not in ran.err
    SqliteStore(path).close()


def test_a_file_in_use_does_not_move(path: Path, url: str) -> None:
    """The process that has it is named; and while a shop moves, no engine gets its file."""
    with closing(SqliteStore(path)):
        ran = amends("move", path, url)
        assert (ran.code, ran.err) == (2, f"amends: {path}: in use by the engine of process {os.getpid()}\n")
    with SqliteMoveSource(str(path)), pytest.raises(StoreInUse):
        SqliteStore(path)
    assert amends("move", path, url).code == 0
