"""Entities in PostgreSQL: the newest version is found at once, and two transactions do not make the same one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.rows import columns_of
from amends.storage.rows import EntityRow
from tests.outbox.starting import wait_until
from tests.postgres import server

OLDER = 400
BUFFERS_MAX = 40
"""Of pages that a statement looks at. One that looked at each older version would look at `OLDER` at least."""
NAMES = {"services": "{STOCK}", "ids": "{apple}"}


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection with the schema of a URL on its path."""
    with closing(psycopg.connect(server(), autocommit=True)) as driver:
        driver.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address_of(url).schema)))
        yield driver


def apples(version: int) -> dict[str, str]:
    """Return a version of an entity, as the parameters of a statement."""
    return columns_of([EntityRow("STOCK", "apple", str(version), version)])


def buffers(driver: psycopg.Connection[Any], query: str, parameters: dict[str, str]) -> int:
    """Return how many pages a query looks at."""
    explained = driver.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + QUERIES[query], parameters).fetchone()
    assert explained is not None
    plan = explained[0][0]["Plan"]
    found: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return found


@pytest.fixture
def driver(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a new schema."""
    PostgresStore(url).close()
    with connected(url) as driver:
        yield driver


def test_older_versions_that_a_transaction_keeps_are_not_looked_at(url: str, driver: psycopg.Connection[Any]) -> None:
    """Neither to read an entity, nor to lock it, nor to change it: each change would look at all of them."""
    driver.execute(QUERIES["insert_entities"], apples(1))
    with connected(url) as other, other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT pg_current_xact_id()")
        for version in range(2, OLDER + 1):
            assert driver.execute(QUERIES["update_entities"], apples(version)).rowcount == 1
        assert buffers(driver, "entities", NAMES) <= BUFFERS_MAX
        assert buffers(driver, "see_entity", {"service": "STOCK", "id": "apple"}) <= BUFFERS_MAX
        assert buffers(driver, "update_entities", apples(OLDER + 1)) <= BUFFERS_MAX
        assert driver.execute("SELECT count(*) FROM entities").fetchone() == (1,)


def test_an_entity_is_made_by_whoever_holds_its_name(url: str, driver: psycopg.Connection[Any]) -> None:
    """Who wants to make the same one waits, and holds nothing once it is made."""
    with connected(url) as other, other.transaction():
        assert other.execute(QUERIES["hold_entities"], NAMES).fetchall() == [("STOCK", "apple")]
        driver.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            driver.execute(QUERIES["hold_entities"], NAMES)
    assert driver.execute(QUERIES["hold_entities"], NAMES).fetchall() == []


def test_a_name_of_which_nothing_came_is_free_again(url: str, driver: psycopg.Connection[Any]) -> None:
    """The next one makes it."""
    with connected(url) as other, other.transaction():
        other.execute(QUERIES["hold_entities"], NAMES)
        other.execute(QUERIES["let_go_entities"], NAMES)
    assert driver.execute(QUERIES["hold_entities"], NAMES).fetchall() == [("STOCK", "apple")]


def test_who_waits_for_an_entity_gets_the_version_that_was_made_meanwhile(
    url: str, driver: psycopg.Connection[Any]
) -> None:
    """Not the one that it saw when it began to wait."""
    driver.execute(QUERIES["insert_entities"], apples(1))
    with connected(url) as other, connected(url) as third, driver.transaction():
        driver.execute(QUERIES["entities"], NAMES)
        with other.pipeline():
            waiting = other.execute(QUERIES["entities"], NAMES)
            other.pgconn.flush()
            wait_until(lambda: third.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() != (0,))
            driver.execute(QUERIES["update_entities"], apples(2))
            driver.execute("COMMIT; BEGIN")
            found = waiting.fetchall()
    assert found[0][2:4] == ("2", 2)
