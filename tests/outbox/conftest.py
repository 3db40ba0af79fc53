"""The users' databases, made ready, and the addresses of stores."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.inbox.databases import ON_POSTGRES, ON_SQLITE, Database, empty_schema, psycopg_implicit, sqlite3_implicit

NUMBERS = count(1)


@pytest.fixture
def schema() -> str:
    """What to connect with to an empty schema."""
    return empty_schema()


@pytest.fixture(params=[*ON_SQLITE, *ON_POSTGRES])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Each way to each database, with the tables."""
    if request.param in ON_SQLITE:
        made = ON_SQLITE[request.param](tmp_path / "books.sqlite")
    else:
        made = ON_POSTGRES[request.param](request.getfixturevalue("schema"))
    made.prepare()
    return made


@pytest.fixture
def on_postgres(schema: str) -> Database:
    """One way to PostgreSQL, with the tables."""
    made = psycopg_implicit(schema)
    made.prepare()
    return made


@pytest.fixture
def books(tmp_path: Path) -> Database:
    """One way to a file, with the tables."""
    made = sqlite3_implicit(tmp_path / "books.sqlite")
    made.prepare()
    return made


@pytest.fixture
def depot() -> str:
    """The address of an empty store in memory."""
    return f"memory:depot {next(NUMBERS)}"
