"""DBOS on SQLite, or on PostgreSQL: a workflow of four steps, called directly, which is its fastest way here.

Its file is put into WAL mode beforehand, which DBOS does not do by itself and without which it is slower;
``synchronous`` is left at FULL. ``steps`` keeps nothing but DBOS's own checkpoints. ``orders`` keeps the state of the
orders in a second file of the same settings, through a plain connection of each thread: a step takes effect at least
once, which is less than we promise and costs less.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from dbos import DBOS  # type: ignore[import-not-found] # only in the peers' own environment

from bench.orders import CUSTOMERS, PRODUCTS, STOCK, Order, Totals, order, totals
from bench.peers.driving import DATABASE, STEPS, Asked, answer, asked, drive_in_threads

Saga = Callable[[int], object]

SYNCHRONOUS_FULL: Final = 2
SCHEMA: Final = """
CREATE TABLE customers(id INTEGER PRIMARY KEY, credit INTEGER);
CREATE TABLE products(id INTEGER PRIMARY KEY, stock INTEGER);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer, product, amount, quantity, status TEXT);
CREATE TABLE shipments(order_id INTEGER PRIMARY KEY, customer);
"""
SQL: Final = {
    "ORDER_CREATED": (
        "INSERT INTO orders VALUES(:number, :customer, :product, :amount, :quantity, 'CREATED')",
    ),
    "PAYMENT_PROCESSED": ("UPDATE customers SET credit = credit + :amount WHERE id = :customer",),
    "INVENTORY_RESERVED": (
        "UPDATE products SET stock = stock - :quantity WHERE id = :product AND stock >= :quantity AND NOT :fails",
    ),
    "ORDER_SHIPPED": (
        "INSERT INTO shipments VALUES(:number, :customer)",
        "UPDATE orders SET status = 'SHIPPED' WHERE id = :number",
    ),
    "PAYMENT_REFUNDED": ("UPDATE customers SET credit = credit - :amount WHERE id = :customer",),
    "ORDER_CANCELED": ("UPDATE orders SET status = 'CANCELED' WHERE id = :number",),
}  # fmt: skip
TOTALS: Final = """
SELECT (SELECT sum(credit) FROM customers), (SELECT sum(:added - stock) FROM products),
       (SELECT count(*) FROM shipments), (SELECT count(*) FROM orders WHERE status = 'CANCELED')
"""


class Shop:
    """The state of the orders, in a file of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.of_thread = threading.local()
        with self.connection() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(SCHEMA)
            database.execute("BEGIN")
            database.executemany("INSERT INTO customers VALUES(?, 0)", [(key,) for key in range(CUSTOMERS)])
            database.executemany("INSERT INTO products VALUES(?, ?)", [(key, STOCK) for key in range(PRODUCTS)])

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self.of_thread, "connection"):
            self.of_thread.connection = sqlite3.connect(self.file, timeout=30, isolation_level=None)
            self.of_thread.connection.execute("PRAGMA synchronous=FULL")
        found: sqlite3.Connection = self.of_thread.connection
        return found

    def does(self, event: str) -> Callable[[int], bool]:
        """The step of an event: one transaction; whether it changed a row."""

        def step(number: int) -> bool:
            values = order(number)._asdict()
            with self.connection() as database:
                database.execute("BEGIN IMMEDIATE")
                changed = [database.execute(statement, values).rowcount for statement in SQL[event]]
            return all(changed)

        return step


def steps_saga() -> Saga:
    """Four steps that do nothing."""
    steps = [DBOS.step(name=event)(lambda number: number) for event in STEPS]

    def saga(number: int) -> None:
        for step in steps:
            step(number)

    return saga


def orders_saga(shop: Shop) -> Saga:
    """An order, and its way back."""
    step = {event: DBOS.step(name=event)(shop.does(event)) for event in SQL}

    def saga(number: int) -> str:
        step["ORDER_CREATED"](number)
        step["PAYMENT_PROCESSED"](number)
        if step["INVENTORY_RESERVED"](number):
            step["ORDER_SHIPPED"](number)
            return "SHIPPED"
        step["PAYMENT_REFUNDED"](number)
        step["ORDER_CANCELED"](number)
        return "CANCELED"

    return saga


def look(file: Path, wanted: Asked) -> None:
    """Every saga ended well, with every step checkpointed, and in a file of the settings that were meant."""
    orders: list[Order] = [order(number) for number in wanted.all if wanted.workload == "orders"]
    steps = len(wanted.all) * len(STEPS) + sum(one.fails for one in orders)  # the way back has one step more
    with sqlite3.connect(file) as database:
        assert _row(database, "PRAGMA journal_mode") == ("wal",)
        assert _row(database, "PRAGMA synchronous") == (SYNCHRONOUS_FULL,), "this SQLite was built with another default"
        ended = _row(database, "SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'")
        assert ended == (len(wanted.all),), ended
        assert _row(database, "SELECT count(*) FROM operation_outputs") == (steps,)


def look_at_server(url: str, wanted: Asked) -> None:
    """The same on a server, whose settings are its defaults, and are durable."""
    with psycopg.connect(url) as database:
        for name in ("fsync", "synchronous_commit"):
            assert database.execute(f"SHOW {name}").fetchone() == ("on",), name
        ended = database.execute("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").fetchone()
        assert ended == (len(wanted.all),), ended
        steps = database.execute("SELECT count(*) FROM dbos.operation_outputs").fetchone()
        assert steps == (len(wanted.all) * len(STEPS),), steps


def _row(database: sqlite3.Connection, statement: str, **values: int) -> tuple[Any, ...]:
    found: tuple[Any, ...] = database.execute(statement, values).fetchone()
    return found


def main() -> None:
    """Run one workload, look at what is left, and answer."""
    wanted = asked("steps", "orders")
    file = wanted.directory / "dbos.db"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA journal_mode=WAL")
    url = os.environ.get(DATABASE)
    DBOS(
        config={
            "name": "saga",
            "system_database_url": url or f"sqlite:///{file}",
            "log_level": "ERROR",
            "sys_db_pool_size": wanted.concurrency + 12,  # a connection for each thread, and for its own
            "db_engine_kwargs": {"pool_pre_ping": False},
        }
    )
    shop = Shop(wanted.directory / "shop.db") if wanted.workload == "orders" else None
    saga = DBOS.workflow(name="saga")(orders_saga(shop) if shop else steps_saga())
    DBOS.launch()
    drive_in_threads(saga, wanted.warm_up, wanted.concurrency)
    driven = drive_in_threads(saga, wanted.measured, wanted.concurrency)
    DBOS.destroy()
    if url:
        look_at_server(url, wanted)
    else:
        look(file, wanted)
    if shop:
        found = Totals(*_row(shop.connection(), TOTALS, added=STOCK))
        assert found == totals(wanted.all), found
    answer(driven, wanted, version("dbos"))


if __name__ == "__main__":
    main()
