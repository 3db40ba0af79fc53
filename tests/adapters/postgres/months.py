"""Time that goes by for a server: engines work in one month after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from amends.adapters.postgres import PostgresStore, address_of

MONTH: Final = 31 * 86_400_000  # milliseconds: at least as long as any
NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
CLOCK: Final = "CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$ {} - {} $$"
EARLIER: Final = """
DO $$
DECLARE
    place text;
BEGIN
    PERFORM drop_partition(until_ms, 0) FROM partitions() WHERE name <> 'before';
    FOREACH place IN ARRAY '{{blocks,subjects}}'::text[] LOOP
        EXECUTE format('ALTER TABLE %1$I DETACH PARTITION %1$s_before', place);
        EXECUTE format('ALTER TABLE %1$I ATTACH PARTITION %1$s_before FOR VALUES FROM (MINVALUE) TO (%2$s)', place,
            month_of(now_ms(), 1));
    END LOOP;
    PERFORM keep_partitions();
END
$$
"""


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection with the schema of a URL on its path."""
    address = address_of(url)
    with psycopg.connect(**address.connection, autocommit=True) as driver:
        driver.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        yield driver


def make_long_ago(url: str, months: int) -> None:
    """Make a store as if that had been so many months ago, and let the server stay there."""
    PostgresStore(url).close()
    let_it_be(url, months)
    with connected(url) as driver:
        driver.execute(EARLIER.replace("{{", "{").replace("}}", "}").encode())


def let_it_be(url: str, months_ago: float) -> None:
    """Set the clock of a store to so many months ago; no engine may run."""
    with connected(url) as driver:
        driver.execute(CLOCK.format(NOW, int(months_ago * MONTH)).encode())


def partitions(url: str) -> list[str]:
    """Return the names of the partitions of the blocks, in their order."""
    with connected(url) as driver:
        return [name for (name,) in driver.execute("SELECT name FROM partitions() ORDER BY until_ms").fetchall()]


def rows_of(url: str, table: str) -> int:
    """Return how many rows a table has."""
    with connected(url) as driver:
        found = driver.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        return int(found[0]) if found else 0
