"""A mailbox in a table: no letter is passed by, whenever its transaction ends."""

from __future__ import annotations

import psycopg
import pytest

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres import mailbox as of_mailbox
from amends.adapters.postgres.settings import Timeouts
from amends.errors import StoreBusy
from amends.storage.rows import Letter, checksum
from amends.storage.shards import ALL_SHARDS
from tests.postgres import server
from tests.storage.looks import look_always

WRITTEN = (
    "INSERT INTO letters (number, id, shard, body, posted_ms, checksum) OVERRIDING SYSTEM VALUE "
    "VALUES (%s, %s, %s, %s, %s, %s)"
)


def write(database: psycopg.Connection, url: str, number: int) -> None:
    """Write a letter under a number, as a transaction would that had it before."""
    letter = Letter(f"L{number}", 3, "{}", 1)
    database.execute(f"SET search_path = {address_of(url).schema}".encode())
    database.execute(WRITTEN.encode(), [number, *letter, checksum(letter)])


def test_letters_of_a_post_that_the_server_ends_are_to_be_posted_again(url: str) -> None:
    """It is told as what it is to a client: the database was away, and nothing was posted."""
    store = PostgresStore(url, Timeouts(100, 100, 100))
    letter = Letter("L1", 3, "{}", 1)
    with psycopg.connect(server()) as database:
        write(database, url, 1)
        with pytest.raises(StoreBusy, match="no letter is posted"):
            store.mailbox.post([letter])
        database.rollback()
    store.mailbox.post([letter])
    assert [letter.letter_id for letter in store.mailbox.letters(ALL_SHARDS, 9)] == ["L1"]
    store.close()


@pytest.mark.parametrize("behind", [1, of_mailbox.STRAGGLERS, of_mailbox.STRAGGLERS + 1])
def test_a_letter_whose_transaction_took_long_is_found(url: str, behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, or by the next look from the first number on."""
    store = PostgresStore(url)
    number = 3 * of_mailbox.STRAGGLERS

    def found() -> list[str]:
        return [letter.letter_id for letter in store.mailbox.letters(ALL_SHARDS, 9)]

    with psycopg.connect(server(), autocommit=True) as database:
        write(database, url, number)
        assert found() == [f"L{number}"]
        write(database, url, number - behind)
        is_straggler = behind <= of_mailbox.STRAGGLERS
        assert found() == [f"L{number - behind}"] * is_straggler + [f"L{number}"]
        look_always(monkeypatch)
        assert found() == [f"L{number - behind}", f"L{number}"]
    store.close()


@pytest.mark.parametrize("found", [(None, 1_000), (None, None)])
def test_a_look_that_finds_nothing_forgets_nothing(found: tuple[int | None, ...]) -> None:
    """The next one begins where those before it did, and walks over no more of what was removed."""
    first = of_mailbox.FirstNumber()
    assert first.since() == 0
    first.seen(of_mailbox.STRAGGLERS + 700)
    for number in found:
        assert first.since() == 700
        first.seen(number)
    assert first.since() == 700


def test_a_look_from_the_first_number_on_finds_an_earlier_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on looks begin before that one; one that finds nothing leaves that as it is."""
    first = of_mailbox.FirstNumber()
    for seen in (of_mailbox.STRAGGLERS + 700, of_mailbox.STRAGGLERS + 300, None):
        with monkeypatch.context() as patched:
            look_always(patched)
            assert first.since() == 0
            first.seen(seen)
    assert first.since() == 300
