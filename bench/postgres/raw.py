"""The limit of PostgreSQL itself: the rows of an order saga, written by hand by UNNEST, and nothing else.

The same rows as `bench.raw` writes into SQLite. No engine can be faster on the same server, since this decides nothing,
checks nothing and calls nobody.
"""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg

from amends.adapters.postgres import address_of
from bench.orders import Totals, totals
from bench.postgres.server import Measured
from bench.raw import SAGAS_A_COMMIT, TOTALS, Rows, Written, transactions

SCHEMA: Final = """
CREATE TABLE log(id integer, seq integer, event text, PRIMARY KEY(id, seq));
CREATE TABLE customers(id integer PRIMARY KEY, credit bigint);
CREATE TABLE products(id integer PRIMARY KEY, stock bigint);
CREATE TABLE orders(id integer PRIMARY KEY, customer integer, product integer, amount integer, quantity integer,
    status text);
"""
LOG: Final = "INSERT INTO log SELECT * FROM unnest(%s::int[], %s::int[], %s::text[])"
CUSTOMERS: Final = """
INSERT INTO customers SELECT id, sum(amount) FROM unnest(%s::int[], %s::int[]) AS new (id, amount) GROUP BY id
ON CONFLICT (id) DO UPDATE SET credit = customers.credit + excluded.credit
"""
PRODUCTS: Final = """
INSERT INTO products SELECT id, sum(pieces) FROM unnest(%s::int[], %s::int[]) AS new (id, pieces) GROUP BY id
ON CONFLICT (id) DO UPDATE SET stock = products.stock + excluded.stock
"""
ORDERS: Final = """
INSERT INTO orders SELECT * FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[], %s::int[], %s::text[])
ON CONFLICT (id) DO UPDATE SET status = excluded.status
"""
WRITES: Final = (LOG, CUSTOMERS, PRODUCTS, ORDERS)


def raw_rate(server: Measured, sagas: int) -> float:
    """Sagas a second in transactions of 1000."""
    return sagas / _written(server, sagas, SAGAS_A_COMMIT).wall_s


def raw_alone(server: Measured, sagas: int) -> list[float]:
    """How long each of so many sagas takes in a transaction of its own, in one round trip. Seconds."""
    return _written(server, sagas, 1).commits_s


def _written(server: Measured, sagas: int, a_commit: int) -> Written:
    """Write sagas into new tables, and look whether all of them are there."""
    with server.schema() as url, psycopg.connect(server.conninfo, autocommit=True) as database:
        name = address_of(url).schema
        database.execute(f"CREATE SCHEMA {name}".encode())
        database.execute(f"SET search_path = {name}".encode())
        database.execute(SCHEMA.encode())
        written = _write(database, sagas, a_commit)
        found = Totals(*map(int, database.execute(TOTALS.encode()).fetchone() or ()))
        assert found == totals(range(sagas)), found
        return written


def _write(database: psycopg.Connection[Any], sagas: int, a_commit: int) -> Written:
    commits_s = []
    begin_s = time.perf_counter()
    for tables in transactions(sagas, a_commit):
        commit_s = time.perf_counter()
        with database.pipeline(), database.transaction():
            for statement, rows in zip(WRITES, tables, strict=True):
                database.execute(statement.encode(), _columns(rows))
        commits_s.append(time.perf_counter() - commit_s)
    return Written(time.perf_counter() - begin_s, commits_s)


def _columns(rows: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
