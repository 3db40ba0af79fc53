"""The users' databases, made ready, and the addresses of stores."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.inbox.conftest import database, schema
from tests.inbox.databases import Database, psycopg_implicit, sqlite3_implicit

__all__ = ["database", "schema"]

NUMBERS = count(1)


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
