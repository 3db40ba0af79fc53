"""The databases, made ready: a new file for each test on SQLite, a new schema for each on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.inbox.databases import ON_POSTGRES, ON_SQLITE, Database
from tests.inbox.server import NoServer, postgres

SCHEMAS = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """What to connect with to a PostgreSQL of our own; a test is skipped, and says why, where none can be had."""
    with ExitStack() as stack:
        try:
            conninfo = stack.enter_context(postgres())
        except NoServer as reason:
            pytest.skip(f"no PostgreSQL: {reason}")
        yield conninfo


@pytest.fixture
def schema(server: str) -> str:
    """What to connect with to an empty schema."""
    name = f"test_{next(SCHEMAS)}"
    with psycopg.connect(server) as db:
        db.execute(f"CREATE SCHEMA {name}")
    return f"{server} options=-csearch_path={name}"


@pytest.fixture(params=ON_SQLITE)
def on_sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Each way to SQLite, with the tables."""
    database = ON_SQLITE[request.param](tmp_path / "books.sqlite")
    database.prepare()
    return database


@pytest.fixture(params=ON_POSTGRES)
def on_postgres(request: pytest.FixtureRequest, schema: str) -> Database:
    """Each way to PostgreSQL, with the tables."""
    database = ON_POSTGRES[request.param](schema)
    database.prepare()
    return database


@pytest.fixture(params=[*ON_SQLITE, *ON_POSTGRES])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Each way to each database, with the tables."""
    if request.param in ON_SQLITE:
        made = ON_SQLITE[request.param](tmp_path / "books.sqlite")
    else:
        made = ON_POSTGRES[request.param](request.getfixturevalue("schema"))
    made.prepare()
    return made
