"""The guide, docs/business-row.md: what it shows runs, on the databases that it is about."""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from amends import Call, Done, Refused, inbox
from tests.house.source import ROOT

TEXT = (ROOT / "docs" / "business-row.md").read_text("utf-8")
*_, ON_SQLITE3, ON_PSYCOPG, ON_SQLALCHEMY = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
_, SHOWN_TABLE = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
ACCOUNT = "CREATE TABLE account (id text PRIMARY KEY, credit integer NOT NULL, used integer NOT NULL)"
ADA = "INSERT INTO account VALUES ('ada', 1000, 0)"


def shown(block: str, **names: object) -> dict[str, Any]:
    """Run a block, and give what it defines."""
    namespace: dict[str, Any] = {"__name__": "guide", **names}
    exec(compile(block, "docs/business-row.md", "exec"), namespace)  # noqa: S102 - our own text
    return namespace


def serves(charge: Any, handle: Any) -> None:
    """Hold that the guide's `charge` takes effect once, and refuses what is too much."""
    buy, too_much = (SimpleNamespace(customer="ada", cents=cents) for cents in (600, 1001))
    assert [charge(handle, buy, Call("s1/CHARGED/do")) for _ in range(2)] == [Done(600)] * 2
    assert charge(handle, too_much, Call("s2/CHARGED/do")) == Refused("ada has no credit for 1001")


def test_the_table_is_the_one_that_is_shown() -> None:
    """Without the lines that go before it in its file."""
    assert inbox.TABLE.endswith(SHOWN_TABLE)


def test_the_example_on_sqlite3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stands for itself, its asserts included."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = shown(ON_SQLITE3)
    serves(names["charge"], names["connect"])


def test_the_example_on_psycopg(schema: str) -> None:
    """On a real server."""
    with psycopg.connect(schema) as db:
        inbox.create_table(db)
        db.execute(ACCOUNT)
        db.execute(ADA)
    serves(shown(ON_PSYCOPG)["charge"], partial(psycopg.connect, schema))
    with psycopg.connect(schema) as db:
        assert db.execute("SELECT used FROM account").fetchone() == (600,)


def test_the_example_on_sqlalchemy(schema: str) -> None:
    """A session, on a real server."""

    class Table(DeclarativeBase):
        """The user's tables."""

    class Account(Table):
        """One of them."""

        __tablename__ = "account"
        id: Mapped[str] = mapped_column(primary_key=True)
        credit: Mapped[int]
        used: Mapped[int]

    sessions = sessionmaker(
        sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(schema), poolclass=sqlalchemy.NullPool
        )
    )
    with sessions.begin() as session:
        inbox.create_table(session)
        Table.metadata.create_all(session.connection())
        session.add(Account(id="ada", credit=1000, used=0))
    serves(shown(ON_SQLALCHEMY, Account=Account)["charge"], sessions)
    with sessions() as session:
        assert session.scalars(sqlalchemy.select(Account.used)).one() == 600
