"""Stores in PostgreSQL that earlier versions wrote: the rows of each table as JSON, beside the scripts of their schema.

``PYTHONPATH=src .venv/bin/python -m tests.corpus.in_postgres tests/corpus/postgres/schema-1.json`` writes one with the
source as it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

import amends
from amends import Refused, Saga, local, wait_for
from amends.adapters.postgres import address_of
from amends.adapters.postgres.migrations import SCHEMAS
from tests.postgres import schema, stop

STORES = Path(__file__).parent / "postgres"
PATIENCE_S = 60.0
COUNTED = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s AND is_identity = 'YES'"
)
COMMENT = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"


def note(entries: int | None, name: str) -> int | Refused:
    """Note a name; one is refused."""
    return Refused("not him") if name == "eve" else (entries or 0) + 1


def strike(entries: int, name: str) -> int:
    """Strike it out."""
    return entries - 1


def ask(mail: object, name: str) -> None:
    """Nobody has to be told."""


NOTED = local("NOTED", note, undo=strike, undone="STRUCK", entity=str)
APPROVED = wait_for("APPROVED", assignee=str, limit_s=10 * 365 * 86_400)
FILED = local("FILED", note, entity=str, pivot=True)
KEPT = Saga("kept", str, [NOTED, APPROVED, FILED])
"""Never to be changed: stores hold it."""


def write(file: Path) -> None:
    """Write a store: one saga that waits, one of each end, and a letter that nobody has acted on."""
    with schema() as url:
        with amends.open(url, sagas=[KEPT]) as engine, amends.connect(url, sagas=[KEPT]) as client:
            handles = {name: client.submit(KEPT, name, key=f"key of {name}") for name in ("ada", "bob", "eve")}
            for name, handle in handles.items():
                started = handle.started(timeout=PATIENCE_S)
                if name == "bob":
                    client.answer(f"{started}/APPROVED/do", amends.Done())
            for name in ("bob", "eve"):
                handles[name].result(timeout=PATIENCE_S)
            assert engine.describe(handles["ada"].saga_id) is not None
        with amends.connect(url, sagas=[KEPT]) as client:
            client.submit(KEPT, "dan", key="key of dan")
        file.write_text(json.dumps(_rows(url), indent=1, sort_keys=True) + "\n")


def restore(file: Path, url: str) -> None:
    """Make a store as it was written, by the scripts of its version."""
    held, address = json.loads(file.read_text()), address_of(url)
    with psycopg.connect(**address.connection) as database:
        database.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.schema)))
        database.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        for script in SCHEMAS[: held["version"]]:
            database.execute(script.encode())
        for table, rows in held["tables"].items():
            for row in rows:
                _insert(database, table, row)
        for table, column in database.execute(COUNTED, [address.schema]).fetchall():
            count = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT 1 + coalesce(max({}), 0) FROM {}))")
            database.execute(count.format(sql.Identifier(column), sql.Identifier(table)), [table, column])
        comment = sql.SQL("COMMENT ON SCHEMA {} IS {}")
        database.execute(comment.format(sql.Identifier(address.schema), sql.Literal(held["comment"])))


def _insert(database: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    statement = sql.SQL(
        "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM json_populate_record(NULL::{0}, %s) "
        "ON CONFLICT DO NOTHING"
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    database.execute(statement.format(sql.Identifier(table), columns), [json.dumps(row)])


def _rows(url: str) -> dict[str, Any]:
    address = address_of(url)
    with psycopg.connect(**address.connection) as database:
        database.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        found = database.execute(COMMENT, [address.schema]).fetchone()
        assert found is not None
        columns = database.execute(
            "SELECT table_name, column_name FROM information_schema.columns JOIN pg_class AS c "
            "ON c.oid = format('%%I.%%I', table_schema, table_name)::regclass AND NOT c.relispartition "
            "WHERE table_schema = %s AND is_generated = 'NEVER' AND table_name <> 'heads' "  # a trigger writes it
            "ORDER BY table_name, ordinal_position",
            [address.schema],
        ).fetchall()
        tables: dict[str, list[str]] = {}
        for table, column in columns:
            tables.setdefault(table, []).append(column)
        return {
            "comment": found[0],
            "version": len(SCHEMAS),
            "tables": {table: _of_table(database, table, names) for table, names in tables.items()},
        }


def _of_table(database: psycopg.Connection[Any], table: str, columns: list[str]) -> list[dict[str, Any]]:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("SELECT to_json(row) FROM (SELECT {} FROM {}) AS row").format(names, sql.Identifier(table))
    return [row for (row,) in database.execute(query)]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    stop()
