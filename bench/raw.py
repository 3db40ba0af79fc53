"""The limit of SQLite itself: the same rows as an order saga needs, written by hand, and nothing else.

No engine can be faster than that on the same file system, since this decides nothing, checks nothing and calls nobody.
Both ways from Python to SQLite are measured, on the same settings (WAL, ``synchronous=FULL``); the faster one counts.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import apsw

from bench.orders import Totals, order, totals

SAGAS_A_COMMIT: Final = 1000
SETTINGS: Final = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
IN_FORCE: Final = ("wal", 2)  # 2 is FULL
SCHEMA: Final = (
    "CREATE TABLE log(id INTEGER, seq INTEGER, event TEXT, PRIMARY KEY(id, seq))",
    "CREATE TABLE customers(id INTEGER PRIMARY KEY, credit INTEGER)",
    "CREATE TABLE products(id INTEGER PRIMARY KEY, stock INTEGER)",
    "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer, product, amount, quantity, status TEXT)",
)
WRITES: Final = (
    "INSERT INTO log VALUES(?, ?, ?)",
    "INSERT INTO customers VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET credit = credit + excluded.credit",
    "INSERT INTO products VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET stock = stock + excluded.stock",
    "INSERT INTO orders VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET status = excluded.status",
)
TOTALS: Final = (
    "SELECT (SELECT sum(credit) FROM customers), (SELECT -sum(stock) FROM products),"
    " (SELECT count(*) FROM orders WHERE status = 'SHIPPED'), (SELECT count(*) FROM orders WHERE status = 'CANCELED')"
)
SHIPPED: Final = ("ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_RESERVED", "ORDER_SHIPPED", "COMPLETED")
CANCELED: Final = ("ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_FAILED", "PAYMENT_REFUNDED", "ORDER_CANCELED")

Rows = list[tuple[Any, ...]]


class Connection(Protocol):
    """What both ways to SQLite have in common."""

    def execute(self, statement: str, /) -> Any:  # noqa: ANN401 - two classes without a common base
        """Run one statement."""
        ...

    def executemany(self, statement: str, rows: Any, /) -> object:  # noqa: ANN401 - each names its own type
        """Run one statement once for each row."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def _stdlib(file: Path) -> Connection:
    return sqlite3.connect(file, isolation_level=None)


def _apsw(file: Path) -> Connection:
    return apsw.Connection(str(file))


WAYS: Final[dict[str, Callable[[Path], Connection]]] = {"sqlite3": _stdlib, "apsw": _apsw}


class Written(NamedTuple):
    """How long it all took, and how long each commit took. Seconds."""

    wall_s: float
    commits_s: list[float]


def raw_batched(directory: Path, sagas: int) -> float:
    """Sagas per second in transactions of 1000, by the faster way."""
    return max(sagas / _written(connect, directory, sagas, SAGAS_A_COMMIT).wall_s for connect in WAYS.values())


def raw_latency(directory: Path, count: int) -> list[float]:
    """How long each of so many sagas takes in a transaction of its own, by the way that is faster in all. Seconds."""
    taken = [_written(connect, directory, count, 1) for connect in WAYS.values()]
    return min(taken).commits_s


def _written(connect: Callable[[Path], Connection], directory: Path, sagas: int, a_commit: int) -> Written:
    """Write sagas into a new file, and look whether all of them are there."""
    with tempfile.TemporaryDirectory(dir=directory) as made:
        database = connect(Path(made, "raw.db"))
        try:
            for statement in (*SETTINGS, *SCHEMA):
                database.execute(statement).fetchall()
            written = _write(database, sagas, a_commit)
            _look(database, sagas)
            return written
        finally:
            database.close()


def _write(database: Connection, sagas: int, a_commit: int) -> Written:
    commits_s = []
    begin_s = time.perf_counter()
    for tables in transactions(sagas, a_commit):
        commit_s = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        for statement, rows in zip(WRITES, tables, strict=True):
            database.executemany(statement, rows)
        database.execute("COMMIT")
        commits_s.append(time.perf_counter() - commit_s)
    return Written(time.perf_counter() - begin_s, commits_s)


def transactions(sagas: int, a_commit: int) -> Iterator[tuple[Rows, Rows, Rows, Rows]]:
    """The rows of each transaction, for each table: five of the log and one of each other table a saga."""
    for first in range(0, sagas, a_commit):
        orders = [order(number) for number in range(first, min(sagas, first + a_commit))]
        yield (
            [(one.number, at, event) for one in orders for at, event in enumerate(CANCELED if one.fails else SHIPPED)],
            [(one.customer, 0 if one.fails else one.amount) for one in orders],
            [(one.product, 0 if one.fails else -one.quantity) for one in orders],
            [(*one[:-1], "CANCELED" if one.fails else "SHIPPED") for one in orders],
        )


def _look(database: Connection, sagas: int) -> None:
    """The settings are in force, and everything is there."""
    settings = tuple(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    assert settings == IN_FORCE, settings
    found = Totals(*database.execute(TOTALS).fetchone())
    assert found == totals(range(sagas)), found


def main() -> None:
    """Print both ways side by side: ``python -m bench.raw``."""
    with tempfile.TemporaryDirectory() as made:
        for name, connect in list(WAYS.items()) * 3:
            batched = _written(connect, Path(made), 100_000, SAGAS_A_COMMIT)
            alone = sorted(_written(connect, Path(made), 3_000, 1).commits_s)
            middle, late = alone[len(alone) // 2] * 1e3, alone[len(alone) * 99 // 100] * 1e3
            rate = 100_000 / batched.wall_s
            print(f"{name:8} {rate:8,.0f} sagas/s by 1000; alone p50 {middle:.2f} ms, p99 {late:.2f} ms")


if __name__ == "__main__":
    main()
