"""docs/storage.md names all that is in a store, and every setting."""

from __future__ import annotations

from contextlib import closing

import apsw
import pytest

import amends
from amends import errors
from amends.adapters.sqlite import settings
from amends.adapters.sqlite.migrations import APPLICATION_ID, migrate
from amends.adapters.sqlite.opening import PAGE_BYTES
from tests.house.source import ROOT

TEXT = (ROOT / "docs" / "storage.md").read_text("utf-8")


ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AmendsError)]
OF_A_STORE = (errors.StoreError, errors.StoreUnusable, errors.EngineStopped)


def objects() -> list[str]:
    """Return the names of the tables and views."""
    with closing(apsw.Connection(":memory:")) as database:
        migrate(database)
        found = database.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
        return [str(name) for (name,) in found if not str(name).startswith("sqlite_")]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_public(kind: type[amends.AmendsError]) -> None:
    """Whoever meets one can name it; those of a store are listed with what to do."""
    assert getattr(amends, kind.__name__) is kind
    assert f"| `{kind.__name__}` |" in TEXT or not issubclass(kind, OF_A_STORE)


@pytest.mark.parametrize("name", objects())
def test_tables_and_views_are_told_of(name: str) -> None:
    """Each has its row."""
    assert f"| `{name}` |" in TEXT


@pytest.mark.parametrize("name", ["journal_mode", "locking_mode", *settings.WRITER])
def test_settings_are_told_of(name: str) -> None:
    """Each, with its values."""
    row = next(line for line in TEXT.splitlines() if line.startswith("| `") and f"`{name}`" in line)
    value = settings.WRITER.get(name)
    assert value is None or name == "cache_size" or str(value) in row.split("|")[2]


def test_the_rest_is_told_right() -> None:
    """The mark, the pages, the library."""
    assert f"`0x{APPLICATION_ID:08X}`" in TEXT
    assert f"Pages have {PAGE_BYTES // 1024} KB" in TEXT
    assert ".".join(map(str, settings.OLDEST_SQLITE)) in TEXT
