"""Which connections are taken, in which state, and what is said of the others."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from amends import Call, Done, ParticipantError, Refused, UnusableInput, inbox
from tests.house.source import ROOT

DO = Call("s1/CHARGED/do")
DRIVERS = "sqlite3 apsw psycopg sqlalchemy"


@contextmanager
def alchemy(engine: sqlalchemy.Engine) -> Iterator[sqlalchemy.Connection]:
    """Connect, and give everything back."""
    with engine.connect() as db:
        yield db
    engine.dispose()


def apsw_in_memory() -> Any:
    """Return a connection that has begun nothing."""
    return closing(apsw.Connection(":memory:"))


def sqlite3_in_memory() -> Any:
    """Return a connection that was told not to begin by itself."""
    return closing(sqlite3.connect(":memory:", isolation_level=None))


def alchemy_in_memory() -> Any:
    """Return a connection of an engine that begins nothing."""
    return alchemy(sqlalchemy.create_engine("sqlite://", isolation_level="AUTOCOMMIT"))


def refuses_autocommit(db: Any) -> None:
    """Hold that nothing is carried out on a connection that commits each statement."""
    inbox.create_table(db)
    with pytest.raises(ParticipantError, match="s1/CHARGED/do: the connection commits each statement by itself"):
        inbox.once(db, DO, lambda: pytest.fail("the effect ran"))


@pytest.mark.parametrize("connect", [sqlite3_in_memory, apsw_in_memory, alchemy_in_memory])
def test_a_connection_to_sqlite_without_a_transaction_is_refused(connect: Any) -> None:
    """Effect and inbox could part there."""
    with connect() as db:
        refuses_autocommit(db)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has the attribute autocommit since Python 3.12")
def test_sqlite3_with_the_attribute_autocommit() -> None:
    """``True`` begins nothing; ``False`` always has begun."""
    connect: Any = sqlite3.connect
    with closing(connect(":memory:", autocommit=True)) as db:
        refuses_autocommit(db)
    with closing(connect(":memory:", autocommit=False)) as db:
        inbox.create_table(db)
        assert inbox.once(db, DO, lambda: None) == Done()


def test_a_connection_to_postgres_without_a_transaction_is_refused(schema: str) -> None:
    """Likewise, and through SQLAlchemy."""
    with closing(psycopg.connect(schema, autocommit=True)) as db:
        refuses_autocommit(db)
    with alchemy(
        sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(schema), isolation_level="AUTOCOMMIT"
        )
    ) as db:
        refuses_autocommit(db)


def test_sqlalchemy_begins_at_its_first_statement() -> None:
    """Who commits as they go need not begin; it is they who commit."""
    with alchemy(sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)) as db:
        inbox.create_table(db)
        db.commit()
        assert inbox.once(db, DO, lambda: Done("lost")) == Done("lost")
        db.rollback()
        assert inbox.once(db, DO, lambda: Done("kept")) == Done("kept")
        db.commit()
        assert inbox.once(db, DO, lambda: Done("again")) == Done("kept")


def test_sqlalchemy_that_begins_by_events() -> None:
    """The recipe of its documentation, for transactions that pysqlite does not begin late."""
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    sqlalchemy.event.listen(engine, "connect", lambda db, _record: setattr(db, "isolation_level", None))
    sqlalchemy.event.listen(engine, "begin", lambda db: db.exec_driver_sql("BEGIN"))
    with alchemy(engine) as db:
        inbox.create_table(db)
        db.commit()
        assert inbox.once(db, DO, lambda: Done("kept")) == Done("kept")
        db.commit()
        assert inbox.once(db, DO, lambda: Done("again")) == Done("kept")


def test_connections_of_derived_classes() -> None:
    """A class of the user's own, and a registry of sessions."""

    class Ours(sqlite3.Connection):
        """Somebody's own."""

    with closing(sqlite3.connect(":memory:", factory=Ours)) as db:
        inbox.create_table(db)
        assert inbox.once(db, DO, lambda: None) == Done()
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    with closing(scoped_session(sessionmaker(engine))) as session:
        inbox.create_table(session)
        assert inbox.once(session, DO, lambda: None) == Done()
    engine.dispose()


def test_a_session_forgets_what_was_refused() -> None:
    """Objects that were added before a refusal are not written at the commit."""

    class Table(DeclarativeBase):
        """The user's tables."""

    class Seat(Table):
        """One of them."""

        __tablename__ = "seat"
        number: Mapped[int] = mapped_column(primary_key=True)

    def hold(session: Session, number: int, said: Done | Refused) -> Done | Refused:
        session.add(Seat(number=number))
        return said

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        inbox.create_table(session)
        inbox.once(session, Call("s1/HELD/do"), lambda: hold(session, 1, Done()))
        inbox.once(session, Call("s2/HELD/do"), lambda: hold(session, 2, Refused("taken")))
        session.commit()
        assert session.scalars(sqlalchemy.select(Seat.number)).all() == [1]
    engine.dispose()


def test_an_async_session_runs_it_in_sync(schema: str) -> None:
    """The documented way: there is no second, async inbox."""
    address = "postgresql+psycopg://"

    def serve(db: Session, call: Call, answer: str) -> Done | Refused:
        inbox.create_table(db)
        return inbox.once(db, call, lambda: Done(db.scalar(sqlalchemy.select(sqlalchemy.literal(answer)))))

    async def serve_both() -> list[Any]:
        engine = create_async_engine(
            address, async_creator=lambda: psycopg.AsyncConnection.connect(schema), poolclass=sqlalchemy.NullPool
        )
        said = []
        for answer in ("first", "second"):
            async with AsyncSession(engine) as session, session.begin():
                said.append(await session.run_sync(serve, DO, answer))
                with pytest.raises(UnusableInput, match=r"AsyncSession is async.*await session.run_sync"):
                    inbox.once(session, DO, lambda: None)
        await engine.dispose()
        return said

    assert asyncio.run(serve_both()) == [Done("first"), Done("first")]


@pytest.mark.parametrize(
    "other", [None, "books.sqlite", sqlite3, sqlalchemy.create_engine("sqlite://"), sessionmaker()], ids=repr
)
def test_what_is_no_connection_is_refused(other: Any) -> None:
    """The message says what it is, and what to give."""
    with pytest.raises(UnusableInput, match="is no connection that Amends knows; give one of sqlite3, apsw"):
        inbox.once(other, DO, lambda: None)


def test_a_cursor_is_no_connection() -> None:
    """It is of the same package."""
    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(UnusableInput, match=r"sqlite3\.Cursor is no"):
        inbox.once(db.cursor(), DO, lambda: None)


def test_other_databases_of_sqlalchemy_are_refused() -> None:
    """The statements are written for the two that they are tested on."""
    with alchemy(sqlalchemy.create_engine("sqlite://")) as db:
        db.dialect.name = "mysql"
        with pytest.raises(UnusableInput, match="a connection to mysql is none that Amends can use"):
            inbox.once(db, DO, lambda: None)


def test_the_table_is_the_readable_file() -> None:
    """What `create_table` carries out can be put into a user's own migrations."""
    assert (ROOT / "src/amends/inbox/table.sql").read_text("utf-8") == inbox.TABLE
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(inbox.TABLE)
        assert inbox.once(db, DO, lambda: None) == Done()


def test_no_driver_is_imported(tmp_path: Path) -> None:
    """A user of one needs no other, nor any of them for the rest of Amends."""
    script = f"import sys, amends.inbox; print(*sorted(set({DRIVERS!r}.split()) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert run.stdout.strip() == ""
