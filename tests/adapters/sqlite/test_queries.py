"""Queries have names and purposes, and each is used as SQLite was made to."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import apsw.ext
import pytest

from amends.adapters.sqlite.migrations import migrate
from amends.adapters.sqlite.queries import NAMED, QUERIES
from amends.adapters.sqlite.store import SqliteStore
from amends.storage.moving import LAST_TABLES, TABLES
from tests.adapters.sqlite.work import connection
from tests.house.source import AMENDS

FOLDER = AMENDS / "adapters" / "sqlite"
TEXT = (FOLDER / "queries.sql").read_text("utf-8")
CODE = "\n".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
MOVES = [f"move_{table.name}" for table in (*TABLES, LAST_TABLES[0])]
WALKS = {  # tables that a query reads from end to end, on purpose
    **dict.fromkeys(MOVES, "all of a store moves"),
    "rows_to_move": "the same",
    "oldest_letter": "those that wait, of which there is a limit",
    "integrity_check": "it is the check's",
    "block_number": "from the newest block back to a time, once for a command",
    "made": "a row for each table",
    "wrong_counts": "it is the check's",
    "count_letters": "an index of those that wait, of which there is a limit",
    "letters": "from the first on, until there are enough",
    "letters_behind": "from one on, until there are enough",
    "counts": "a row for each definition and status",
    "set_aside": "a row for each that was found damaged",
    "in_force": "one row",
    "shapes": "a row for each definition and service, and one more for each time that its types changed",
    "key_slices": "64 rows",
    "head": "backwards, one row",
    "insert_block": "the same",
    "blocks_about": "what its two searches found",
    "listing": "backwards from a row, until there are enough",
}


def test_every_query_is_loaded() -> None:
    """No name is there twice, and none without a purpose."""
    names = re.findall(r"^-- name: (\S+)$", TEXT, re.MULTILINE)
    assert names == list(QUERIES) == [name for name, _, _ in NAMED.findall(TEXT)]
    assert all(purpose.strip("- \n").endswith(".") for _, purpose, _ in NAMED.findall(TEXT))


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_used(name: str) -> None:
    """Or it is to go."""
    assert name in MOVES or re.search(rf'"{name}"|f"{name.rpartition("_")[0]}_{{kind}}"', CODE)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_can_be_prepared(name: str) -> None:
    """By the schema as it is, as one statement."""
    with closing(apsw.Connection(":memory:")) as database:
        migrate(database)
        detail = apsw.ext.query_info(database, QUERIES[name])
        assert detail.query_remaining is None


@pytest.mark.parametrize("name", [name for name in QUERIES if not QUERIES[name].startswith(("BEGIN", "COM", "ROLL"))])
def test_no_query_walks_a_table(tmp_path: Path, name: str) -> None:
    """What a store is asked all the time costs the same, however much is in it."""
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        text = f"EXPLAIN QUERY PLAN {QUERIES[name]}"
        values = [None] * QUERIES[name].count("?")
        plan = [str(row[3]) for row in connection(store).execute(text, values[: _parameters(store, name)])]
    walks = [
        line for line in plan if line.startswith("SCAN") and "VIRTUAL TABLE" not in line and "CONSTANT" not in line
    ]
    assert not walks or name in WALKS, plan


def _parameters(store: SqliteStore, name: str) -> int:
    return len(apsw.ext.query_info(connection(store), QUERIES[name]).bindings_names)


def test_no_sql_is_put_together_of_values() -> None:
    """What stands in Python is a pragma with a name and a number of ours, and a transaction's begin and end."""
    for line in re.findall(r'execute\(\s*(f?".*?")', CODE, re.DOTALL):
        assert re.match(r'f?"(PRAGMA|BEGIN|COMMIT|ROLLBACK|SELECT|CREATE)', line), line


def test_every_table_moves_or_is_made_anew(tmp_path: Path) -> None:
    """With its shop to another database: what is new in a schema is given its place in `amends.storage.moving`."""
    made_anew = {"client_key_rows", "client_key_slices", "in_force"}
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        tables = {name.decode() for kind, name, _ in connection(store).execute(QUERIES["made"]) if kind == b"table"}
    assert tables == {table.name for table in (*TABLES, *LAST_TABLES)} - {"mailbox"} | made_anew
