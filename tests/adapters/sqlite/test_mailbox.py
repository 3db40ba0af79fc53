"""The mailbox beside a store: made by the first letter, written by many processes, read back as it was written."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import removal
from amends.adapters.sqlite.mailbox import LOOK_WITHIN_MS, SqliteMailbox, mailbox_of
from amends.adapters.sqlite.settings import WRITER, pragma
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreUnusable
from amends.storage.letters import start_letter
from amends.storage.rows import Letter, checksum
from amends.storage.shards import ALL_SHARDS

POST = """
import sys
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.storage.rows import Letter
mailbox = SqliteMailbox(sys.argv[1])
for number in range(20):
    mailbox.post([Letter(f"{sys.argv[2]}-{number}", number, "[]", 0)])
print("posted")
"""


def letter(name: str) -> Letter:
    """Return a letter."""
    return Letter(name, 3, "[]", 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of a store that is to be."""
    return tmp_path / "store.db"


def test_a_store_without_letters_has_no_mailbox(path: Path) -> None:
    """Nothing is made by looking."""
    with closing(SqliteStore(path)), closing(SqliteMailbox(path)) as mailbox:
        mailbox.remove(["a"])
        assert mailbox.letters(ALL_SHARDS, 9) == []
        assert not mailbox_of(path).exists()


def test_a_letter_outlives_who_posted_it(path: Path) -> None:
    """Whoever opens the mailbox next reads it; nothing but the mailbox is left in the folder."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a")])
    with closing(SqliteMailbox(path)) as mailbox:
        assert mailbox.letters(ALL_SHARDS, 9) == [letter("a")]
    assert [file.name for file in path.parent.iterdir()] == ["store.db.mailbox"]


def test_every_setting_is_in_force(path: Path) -> None:
    """Those of the store itself."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a")])
        assert mailbox._database is not None
        connection = mailbox._database._connection
        for name, value in {**WRITER, "journal_mode": "wal"}.items():
            assert pragma(connection, name) in (value, None), name


def test_several_processes_post_at_once(path: Path) -> None:
    """All of their letters are there, each process's in its order, and the engine's own file is not touched."""
    command = [sys.executable, "-c", POST, str(path)]
    posting = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in "abc"]
    assert [process.communicate(timeout=60)[0] for process in posting] == [b"posted\n"] * 3
    assert not path.exists()
    with closing(SqliteMailbox(path)) as mailbox:
        found = [letter.letter_id for letter in mailbox.letters(ALL_SHARDS, 99)]
    for name in "abc":
        assert [each for each in found if each.startswith(name)] == [f"{name}-{number}" for number in range(20)]


@pytest.mark.parametrize("content", [b"", b"no database", None], ids=["empty", "text", "a store"])
def test_another_file_in_its_place_is_refused(path: Path, content: bytes | None) -> None:
    """It is named, and left as it is."""
    other = mailbox_of(path)
    if content is None:
        SqliteStore(other).close()
    else:
        other.write_bytes(content)
    with closing(SqliteMailbox(path)) as mailbox, pytest.raises(StoreUnusable, match=r"store\.db\.mailbox"):
        mailbox.post([letter("a")])


def test_what_is_posted_goes_into_the_mailbox_that_is_there(path: Path) -> None:
    """Not into one that was deleted; and who closes that one leaves the log of the other alone."""
    with closing(SqliteMailbox(path)) as stays:
        with closing(SqliteMailbox(path)) as closes:
            for number, mailbox in enumerate((stays, closes)):
                mailbox.post([letter(f"gone {number}")])
            for file in path.parent.glob("*.mailbox*"):
                file.unlink()
            stays.post([letter("a")])
        stays.post([letter("b")])
        with closing(SqliteMailbox(path)) as other:
            assert other.letters(ALL_SHARDS, 9) == stays.letters(ALL_SHARDS, 9) == [letter("a"), letter("b")]


def test_clients_of_earlier_versions_post_beside_others(path: Path) -> None:
    """They leave the numbers to SQLite, so that all of their letters come in one order; none is lost or read twice."""
    start = start_letter("start", "saga", "tickets/1/a", "[]", 7)
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a")])
        with closing(apsw.Connection(str(mailbox_of(path)))) as earlier:
            for one in (start._replace(letter_id="b"), letter("c")):
                values = (*one, checksum(one))
                earlier.execute("INSERT INTO letters (id, shard, body, posted_ms, checksum) VALUES (?,?,?,?,?)", values)
            mailbox.post([start, letter("d")])
            one = letter("e")
            values = (*one, checksum(one))
            earlier.execute("INSERT INTO letters (id, shard, body, posted_ms, checksum) VALUES (?,?,?,?,?)", values)
        mailbox.post([start._replace(letter_id="f")])
        assert [each.letter_id for each in mailbox.letters(ALL_SHARDS, 9)] == ["a", "b", "c", "d", "start", "e", "f"]


def test_a_damaged_letter_keeps_no_other_one_waiting(path: Path) -> None:
    """It is left where it is."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a"), letter("b"), letter("c")])
        with closing(apsw.Connection(str(mailbox_of(path)))) as other:
            other.execute("UPDATE letters SET body = '[1]' WHERE id = 'a'")
            other.execute("UPDATE letters SET body = CAST(x'ff' AS TEXT) WHERE id = 'b'")
        assert mailbox.letters(ALL_SHARDS, 9) == [letter("c")]


def test_a_mailbox_that_is_locked_keeps_no_engine_waiting(path: Path) -> None:
    """Letters that were acted on are not given again, and are gone once a client's transaction is over."""
    with closing(SqliteMailbox(path)) as mailbox, closing(SqliteMailbox(path)) as other:
        mailbox.post([letter("a"), letter("b")])
        with closing(apsw.Connection(str(mailbox_of(path)))) as client:
            client.execute("BEGIN IMMEDIATE")
            mailbox.remove(["a"])
            assert mailbox.letters(ALL_SHARDS, 9) == [letter("b")]
            assert other.letters(ALL_SHARDS, 9) == [letter("a"), letter("b")]
            mailbox.remove(["b"])
            assert not mailbox._removal._is_idle.wait(0.05)
            client.execute("ROLLBACK")
            assert mailbox._removal._is_idle.wait(60)
        assert other.letters(ALL_SHARDS, 9) == mailbox.letters(ALL_SHARDS, 9) == []


def test_an_engine_ends_beside_a_mailbox_that_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be removed by then is there for the next one, which knows it."""
    monkeypatch.setattr(removal, "LAST_S", 0.01)
    mailbox = SqliteMailbox(path)
    mailbox.post([letter("a")])
    with closing(apsw.Connection(str(mailbox_of(path)))) as client:
        client.execute("BEGIN IMMEDIATE")
        mailbox.remove(["a"])
        mailbox.close()
        client.execute("ROLLBACK")
    with closing(SqliteMailbox(path)) as mailbox:
        assert mailbox.letters(ALL_SHARDS, 9) == [letter("a")]


def test_what_keeps_letters_from_being_removed_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next call, once; it is tried again until it is done."""
    monkeypatch.setattr(removal, "PAUSE_S", 0.01)
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a"), letter("b")])
        opened, tries = mailbox._removal._opened, list[int]()

        def fails() -> apsw.Connection:
            tries.append(1)
            if len(tries) == 1:
                raise StoreUnusable("no descriptor is left")
            return opened()

        mailbox._removal._opened = fails
        mailbox.remove(["a"])
        assert mailbox._removal._is_idle.wait(60)
        with pytest.raises(StoreUnusable, match="no descriptor is left"):
            mailbox.remove(["b"])
        mailbox.remove(["b"])
        assert mailbox._removal._is_idle.wait(60)
        assert mailbox.letters(ALL_SHARDS, 9) == []


def test_letters_that_wait_to_be_removed_are_not_read_again(path: Path) -> None:
    """However many they are: a client that was stopped in its transaction makes no look of the engine longer."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter(f"{number}") for number in range(100)])
        with closing(apsw.Connection(str(mailbox_of(path)))) as client:
            client.execute("BEGIN IMMEDIATE")
            seen = list[str]()
            for _ in range(9):
                found = [one.letter_id for one in mailbox.letters(ALL_SHARDS, 10)]
                mailbox.remove(found)
                seen += found
            assert seen == [f"{number}" for number in range(90)]
            assert mailbox._database is not None
            rows, read = mailbox._database.rows, list[int]()

            def counted(name: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
                found = rows(name, values)
                read.append(len(found))
                return found

            mailbox._database.rows = counted  # type: ignore[method-assign]  # it counts
            mailbox.letters(ALL_SHARDS, 10)
            read.clear()
            assert len(mailbox.letters(ALL_SHARDS, 10)) == 10
            assert sum(read) <= 20
            client.execute("ROLLBACK")
        assert mailbox._removal._is_idle.wait(60)
        mailbox.remove([f"{number}" for number in range(90, 100)])
        assert mailbox._removal._is_idle.wait(60)
        mailbox.post([letter("x"), letter("y")])  # with numbers that letters before had
        assert [one.letter_id for one in mailbox.letters(ALL_SHARDS, 10)] == ["x", "y"]


def test_letters_behind_some_that_are_acted_on_are_read(path: Path) -> None:
    """Also where those that wait to be removed are not the first ones, and where only some shards are asked for."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter(f"{number}") for number in range(30)])
        with closing(apsw.Connection(str(mailbox_of(path)))) as client:
            client.execute("BEGIN IMMEDIATE")
            mailbox.remove([f"{number}" for number in range(5, 25)])
            for _ in range(2):
                assert [one.letter_id for one in mailbox.letters(ALL_SHARDS, 7)] == [*"01234", "25", "26"]
            mailbox.remove([*"01234"])
            for _ in range(2):
                assert [one.letter_id for one in mailbox.letters(ALL_SHARDS, 3)] == ["25", "26", "27"]
                assert list(mailbox.letters([], 3)) == []


def test_a_letter_that_is_removed_while_it_is_read_is_not_given_again(path: Path) -> None:
    """It was read while it was there, and looked at when it was gone."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a"), letter("b")])
        with closing(apsw.Connection(str(mailbox_of(path)))) as client:
            client.execute("BEGIN IMMEDIATE")
            mailbox.remove(["a"])
            assert mailbox._database is not None
            rows = mailbox._database.rows

            def overtaken(name: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
                found = rows(name, values)
                if client.in_transaction:
                    client.execute("ROLLBACK")
                assert mailbox._removal._is_idle.wait(60)
                return found

            mailbox._database.rows = overtaken  # type: ignore[method-assign]  # another thread is faster
            assert mailbox.letters(ALL_SHARDS, 9) == [letter("b")]


def test_no_turn_waits_for_a_process_that_has_the_mailbox_for_itself(path: Path) -> None:
    """What an engine reads it with waits for a few commits at most, where a client waits for its turn to post."""
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("a")])
        with closing(SqliteStore(path)) as store:
            assert list(store.mailbox.letters(ALL_SHARDS, 9)) == [letter("a")]
            of_engine, of_client = store.mailbox._clients._database, mailbox._database
            assert of_engine is not None
            assert of_client is not None
            waits = [pragma(one._connection, "busy_timeout") for one in (of_engine, of_client)]
            assert waits == [LOOK_WITHIN_MS, 5_000]
        mailbox.close()
        with closing(SqliteStore(path)) as store:
            with closing(apsw.Connection(str(mailbox_of(path)))) as other:
                other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
                other.execute("BEGIN IMMEDIATE; DELETE FROM letters").fetchall()
                with pytest.raises(StoreUnusable, match="another program keeps it locked"):
                    store.mailbox.letters(ALL_SHARDS, 9)
            assert list(store.mailbox.letters(ALL_SHARDS, 9)) == [letter("a")]
