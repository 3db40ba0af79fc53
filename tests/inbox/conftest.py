"""The databases, made ready: a new file for each test on SQLite, a new schema for each on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inbox.databases import ON_POSTGRES, ON_SQLITE, Database, empty_schema


@pytest.fixture
def schema() -> str:
    """What to connect with to an empty schema."""
    return empty_schema()


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
