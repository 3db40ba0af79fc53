"""A row that was changed behind the back of a store is told as unreadable, and never as another value."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import psycopg
import pytest

from amends.adapters.postgres import PostgresStore, address_of
from amends.errors import StoreFailed
from amends.storage.ports import SagaFilter
from amends.storage.rows import Letter, Unreadable
from amends.storage.shards import ALL_SHARDS
from tests.contract.engines import SharedEngine
from tests.contract.rows import entity, key, saga, shape
from tests.postgres import server

DAMAGED = "its checksum does not match its values"


@pytest.fixture
def one(url: str) -> Iterator[SharedEngine]:
    """Return an engine that has entered, with a row of each kind."""
    store = PostgresStore(url)
    store.ownership.enter("one", 600_000)
    one = SharedEngine("one", store)
    changes = one.changes(saga("S1"), entity("E1"), key("K1"))
    store.commit(changes._replace(shapes=[shape()], posted=[Letter("L1", 3, "{}", 1), Letter("L2", 3, "{}", 1)]))
    yield one
    store.close()


def change(url: str, statement: bytes) -> None:
    """Change a row, as a flipped bit would."""
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f"SET search_path = {address_of(url).schema}".encode())
        assert database.execute(statement).rowcount == 1


def test_a_saga_an_entity_and_a_key_that_were_damaged_are_told(one: SharedEngine, url: str) -> None:
    """By whatever name and way they are read."""
    change(url, b"UPDATE sagas SET body = body || ' '")
    change(url, b"UPDATE entities SET checksum = checksum + 1024")
    change(url, b"UPDATE client_keys SET answer = '7'")
    bad = Unreadable("saga", "S1", DAMAGED)
    assert (one.store.saga("S1"), one.store.sagas(["S1"])) == (bad, {"S1": bad})
    assert list(one.store.listing(SagaFilter())) == [bad]
    bad = Unreadable("entity", "SHOWS/E1", DAMAGED)
    assert one.store.entity_rows([("SHOWS", "E1")]) == {("SHOWS", "E1"): bad}
    assert [one.store.entity("SHOWS", "E1"), *one.store.all_entities()] == [bad, bad]
    bad = Unreadable("key", "K1", DAMAGED)
    assert one.store.keys(["K1"]) == {"K1": bad}
    assert [one.store.key("K1"), *one.store.all_keys()] == [bad, bad]


def test_a_block_a_shape_and_a_letter_that_were_damaged_are_told(one: SharedEngine, url: str) -> None:
    """Nothing is decided on the first two; a letter stays where it is."""
    change(url, b"UPDATE heads SET checksum = checksum + 1024")
    change(url, b"UPDATE shapes SET since_ms = since_ms + 1")
    change(url, b"UPDATE letters SET body = '[]' WHERE id = 'L1'")
    (block,) = one.store.blocks(0, "one")
    assert (block.number, block.head) == (1, b"")
    with pytest.raises(StoreFailed, match="last block of the chain 'one'"):
        one.store.head("one")
    with pytest.raises(StoreFailed, match="the shape of request of tickets"):
        one.store.shapes()
    assert [letter.letter_id for letter in one.store.mailbox.letters(ALL_SHARDS, 9)] == ["L2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_a_forked_child_leaves_its_parent_s_connection_alone(one: SharedEngine) -> None:
    """It is told to open the store itself, and its end closes nothing."""
    one.store.sagas(["S1"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the child does not use
        child = os.fork()
    if not child:
        try:
            one.store.saga("S1")
        except StoreFailed as error:
            os._exit(0 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert one.store.sagas(["S1"]) == {"S1": saga("S1")}
