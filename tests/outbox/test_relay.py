"""The relay moves what is committed, however late, and leaves what is no letter; moving twice does no harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from amends import Overloaded, outbox
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.named import MemoryClientStore, named
from amends.errors import UnusableInput
from amends.outbox import relay as relays
from amends.outbox.relay import OutboxRelay
from amends.storage.ports import ALL
from amends.storage.rows import Letter
from amends.storage.shards import ALL_SHARDS
from tests.inbox.databases import ON_SQLITE, Database
from tests.outbox.starting import Killed, connector, left, mortal, one
from tests.storage.looks import look_always


@pytest.fixture
def relay(database: Database, depot: str) -> Iterator[OutboxRelay]:
    """A relay from each database to a mailbox in memory."""
    made = relay_of(database, depot)
    yield made
    made.close()


def relay_of(database: Database, depot: str) -> OutboxRelay:
    """Return a relay to a mailbox in memory."""
    return OutboxRelay("books", connector(database), lambda: store_of(depot))


def store_of(depot: str) -> MemoryClientStore:
    """Return a store in memory, as a client has it."""
    return MemoryClientStore(named(depot.removeprefix("memory:")))


def posted(depot: str) -> list[str]:
    """Return the ids of the letters in a mailbox."""
    return [letter.letter_id for letter in store_of(depot).mailbox.letters(ALL_SHARDS, ALL)]


def write(database: Database, *keys: str) -> None:
    """Ask for a saga under each key, in one transaction."""
    with database.connect() as db, database.transaction(db):
        for key in keys:
            outbox.submit(db, *one(key), key=key)


def test_letters_go_in_batches_in_their_order(
    database: Database, relay: OutboxRelay, depot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more of them are in memory at once."""
    monkeypatch.setattr(relays, "BATCH", 2)
    keys = [f"order {number}" for number in range(5)]
    write(database, *keys)
    assert [relay.move() for _ in range(4)] == [2, 2, 1, 0]
    assert (posted(depot), left(database)) == (keys, [])


def test_a_transaction_that_is_committed_late_is_not_skipped(
    on_postgres: Database, depot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that began before the looks do which look at what is new."""
    monkeypatch.setattr(relays, "STRAGGLERS_NS", -ALL)
    with closing(relay_of(on_postgres, depot)) as relay:
        with on_postgres.connect() as db, on_postgres.transaction(db):
            outbox.submit(db, *one("late"), key="late")
            write(on_postgres, "early")
            assert (relay.move(), posted(depot)) == (1, ["early"])
        assert relay.move() == 0
        look_always(monkeypatch)
        assert (relay.move(), posted(depot)) == (1, ["early", "late"])


def test_what_is_new_is_found_at_once(database: Database, relay: OutboxRelay, depot: str) -> None:
    """Between two looks from the beginning on."""
    for key in ("one", "two", "three"):
        write(database, key)
        assert relay.move() == 1
    assert posted(depot) == ["one", "two", "three"]


@pytest.mark.parametrize(("commit", "found"), [(1, []), (2, ["a", "b"])], ids=["before it posts", "after it posted"])
def test_a_relay_that_is_killed_loses_and_doubles_nothing(
    commit: int, found: list[str], tmp_path: Path, books: Database, depot: str
) -> None:
    """The next one posts what it had not removed under the same ids."""
    write(books, "a", "b")
    dying = OutboxRelay("books", lambda: mortal(tmp_path / "books.sqlite", commit), lambda: store_of(depot))
    with pytest.raises(Killed):
        dying.move()
    assert (posted(depot), left(books)) == (found, ["a", "b"])
    with closing(relay_of(books, depot)) as relay:
        assert [relay.move(), relay.move()] == [2, 0]
    assert (posted(depot), left(books)) == (["a", "b"], [])


def test_no_transaction_is_open_but_for_a_moment(schema: str, on_postgres: Database, depot: str) -> None:
    """Neither while letters are posted nor between two looks: an idle transaction keeps a server from cleaning up."""
    with psycopg.connect(schema) as db:
        states = list[TransactionStatus]()

        class Mailbox(MemoryMailbox):
            """Looks at the connection when letters come."""

            def post(self, letters: Sequence[Letter]) -> None:
                """Take them."""
                states.append(db.info.transaction_status)
                super().post(letters)

        store = store_of(depot)
        store.mailbox = Mailbox(named(depot.removeprefix("memory:")))
        relay = OutboxRelay("books", lambda: db, lambda: store)
        write(on_postgres, "a")
        for moved in (1, 0):
            assert relay.move() == moved
            states.append(db.info.transaction_status)
        assert states == [TransactionStatus.IDLE] * 3


def test_a_full_mailbox_leaves_letters_where_they_are(books: Database, depot: str) -> None:
    """They are moved once there is room."""
    database = named(depot.removeprefix("memory:"))
    database.letters_max = 1
    write(books, "a", "b")
    with closing(relay_of(books, depot)) as relay:
        with pytest.raises(Overloaded):
            relay.move()
        assert (posted(depot), left(books)) == ([], ["a", "b"])
        database.letters_max = 2
        assert relay.move() == 2


def test_an_async_connection_is_no_outbox(tmp_path: Path, depot: str) -> None:
    """The relay is a thread."""

    class Async(sqlite3.Connection):
        """Looks like one."""

        async def commit(self) -> None:  # type: ignore[override]
            """Commit."""

    relay = OutboxRelay("books", lambda: sqlite3.connect(tmp_path / "b.sqlite", factory=Async), lambda: store_of(depot))
    with pytest.raises(UnusableInput, match="Async is async"):
        relay.move()


# What is no letter ---------------------------------------------------------------------------------------------

START = '["start","s1","counted/1/0",{"show":"a","seats":1},""]'
GARBAGE: dict[str, tuple[Any, Any, Any, str]] = {
    "no JSON": ("k", "garbage", 1, "JSON"),
    "another JSON": ("k", '["begin","s1"]', 1, "Invalid value"),
    "no id": ("", START, 1, "client key ''"),
    "two lines": ("a\nb", START, 1, "client key"),
    "a long id": ("k" * 999, START, 1, "client key"),
    "no saga": ("k", '["start","","counted/1/0",1,""]', 1, "client key ''"),
    "before all time": ("k", START, -1, "its time"),
}
ON_FILES: dict[str, tuple[Any, Any, Any, str]] = {
    "bytes": ("k", b"\xff", 1, "its body is no text"),
    "no UTF-8": ("k", None, 1, "its body is no text"),
    "no number": ("k", START, "noon", "its time"),
    "bytes for an id": (b"\0", START, 1, "client key"),
}
INSERT = "INSERT INTO amends_outbox (number, id, body, posted_ms) VALUES ('0', :id, :body, :posted_ms)"
NO_UTF_8 = INSERT.replace(":body", "CAST(x'ff' AS text)")


def park(
    database: Database, relay: OutboxRelay, depot: str, letter_id: Any, body: Any, posted_ms: Any, why: str
) -> None:
    """Hold that a row is left with why, and holds nothing up."""
    with database.connect() as db, database.transaction(db):
        given = {"id": letter_id, "posted_ms": posted_ms} | ({} if body is None else {"body": body})
        database.execute(db, NO_UTF_8 if body is None else INSERT, **given)
    write(database, "behind")
    assert [relay.move(), relay.move()] == [1, 0]
    assert posted(depot) == ["behind"]
    with database.connect() as db, database.transaction(db):
        ((number, refused),) = database.execute(db, "SELECT number, refused FROM amends_outbox")
    assert number == "0"
    assert why in refused


@pytest.mark.parametrize("what", GARBAGE)
def test_what_is_no_letter_is_left_and_said(
    what: str, database: Database, relay: OutboxRelay, depot: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds nothing up that is behind it, and is said once."""
    park(database, relay, depot, *GARBAGE[what])
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("row 0 of outbox 'books' is no letter, and stays there: ")


@pytest.mark.parametrize("way", ON_SQLITE)
@pytest.mark.parametrize("what", ON_FILES)
def test_what_only_a_file_can_hold_is_left_and_said(
    what: str, way: str, tmp_path: Path, depot: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite takes any value in any column."""
    database = ON_SQLITE[way](tmp_path / "books.sqlite")
    database.prepare()
    with closing(relay_of(database, depot)) as relay:
        park(database, relay, depot, *ON_FILES[what])
    assert len(caplog.records) == 1
