"""The guide, docs/business-row.md: what it shows of the outbox runs, on the connections that it is about."""

from __future__ import annotations

import asyncio
import re
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from amends import outbox
from tests.house.source import ROOT
from tests.inbox.databases import django_on_postgres, psycopg_implicit
from tests.outbox.starting import left

TEXT = (ROOT / "docs" / "business-row.md").read_text("utf-8")
ON_SQLITE3, ASYNC, ON_DJANGO, *_ = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SHOWN_TABLE, _ = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
ORDERS = "CREATE TABLE orders (number integer PRIMARY KEY, crates integer NOT NULL)"


@pytest.fixture
def shown(schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the example defines, which stands for itself, its asserts included."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: dict[str, Any] = {"__name__": "guide"}
    for block in (ON_SQLITE3, ASYNC, ON_DJANGO):
        exec(compile(block, "docs/business-row.md", "exec"), names)  # noqa: S102 - our own text
    return names


def test_the_table_is_the_one_that_is_shown() -> None:
    """Without the lines that go before it in its file."""
    assert outbox.TABLE.endswith(SHOWN_TABLE)


def test_the_example_on_an_async_session(shown: dict[str, Any], schema: str) -> None:
    """On a real server: the order and its letter are there, or neither is."""

    class Table(DeclarativeBase):
        """The user's tables."""

    class Order(Table):
        """One of them."""

        __tablename__ = "orders"
        number: Mapped[int] = mapped_column(primary_key=True)
        crates: Mapped[int]

    async def run() -> None:
        engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=lambda: psycopg.AsyncConnection.connect(schema),
            poolclass=sqlalchemy.NullPool,
        )
        async with engine.begin() as db:
            await db.run_sync(outbox.create_table)
            await db.run_sync(Table.metadata.create_all)
        sessions = async_sessionmaker[AsyncSession](engine)
        assert (await shown["order_async"](sessions, 1, 2)).key == "order 1"
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            await shown["order_async"](sessions, 1, 3)
        await engine.dispose()

    shown["Order"] = Order
    asyncio.run(run())
    assert left(psycopg_implicit(schema)) == ["order 1"]


def test_the_example_in_django(shown: dict[str, Any], schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, on the connection that Django has by default."""
    database = django_on_postgres(schema)
    django = import_module("django.db")
    with database.connect() as db:
        db.cursor().execute(ORDERS)
        db.cursor().execute(outbox.TABLE)
        monkeypatch.setattr(django, "connection", db)
        monkeypatch.setattr(django.transaction, "get_connection", lambda using=None: db)
        assert shown["order_in_django"](1, 2).key == "order 1"
        with pytest.raises(django.IntegrityError):
            shown["order_in_django"](1, 3)
    assert left(psycopg_implicit(schema)) == ["order 1"]
