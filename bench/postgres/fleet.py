"""Engines in processes of their own, which are given orders at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final, NamedTuple

from amends.adapters.postgres import address_of
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.ownership import PostgresOwnership
from amends.adapters.postgres.settings import OF_READS
from amends.storage.shards import SHARDS
from bench.postgres.server import Measured, Written

SHARED_WITHIN_S: Final = 60.0
WARM_UP: Final = 3_000  # orders of each engine: by then its table of decisions is there


class Ran(NamedTuple):
    """What orders came to.

    Attributes:
        rate: orders a second, of all engines together.
        each_s: what one took in the middle, where they came one by one.
        wal_bytes: of the server's log, an order.
        syncs: of the server's log, an order.
    """

    rate: float
    each_s: float
    wal_bytes: float
    syncs: float


class Engines:
    """Some engines on one schema.

    Attributes:
        url: of the schema.
        by_letters: so many orders, from the first number on, came from clients beside.
    """

    def __init__(self, server: Measured, url: str, processes: list[subprocess.Popen[str]]) -> None:
        self.url = url
        self._server = server
        self._processes = processes
        self._orders = 0
        self.by_letters = 0

    def run(self, orders: int, workload: str = "many") -> Ran:
        """Give each engine its part of so many orders, and wait until all have ended."""
        each = orders // len(self._processes)
        before = self._server.written()
        for process in self._processes:
            _tell(process, f"{workload} {self._orders} {each}")
            self._orders += each
        begins, ends, each_s = zip(*map(_answer, self._processes), strict=True)
        after, done = self._server.written(), each * len(self._processes)
        spent = Written(*(now - then for now, then in zip(after, before, strict=True)))
        return Ran(done / (max(ends) - min(begins)), each_s[0], spent.wal_bytes / done, spent.syncs / done)

    def look(self) -> None:
        """See that money and stock are exact."""
        _tell(self._processes[0], f"books {self._orders} {self.by_letters}")
        _answer(self._processes[0])


@contextmanager
def engines(server: Measured, number: int, *, products: int = 1000) -> Iterator[Engines]:
    """Have so many engines on a new schema, each with its share of the shards, warm; books are looked at in the end."""
    with server.schema() as url, ExitStack() as ends:
        processes = [ends.enter_context(_engine(url, products)) for _ in range(number)]
        _await_shares(url, number)
        _tell(processes[0], "stock")
        _answer(processes[0])
        started = Engines(server, url, processes)
        started.run(WARM_UP * number)
        yield started
        started.look()


@contextmanager
def _engine(url: str, products: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.postgres.orders", url, str(products)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert _line(process) == "runs"
            yield process
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
        finally:
            process.kill()


def _await_shares(url: str, number: int) -> None:
    """Wait until each engine has its share of the shards."""
    with closing(PostgresConnection(address_of(url), OF_READS)) as connection:
        ownership, until = PostgresOwnership(connection), time.monotonic() + SHARED_WITHIN_S
        while True:
            shares = Counter(ownership.owners().values())
            if len(shares) == number and min(shares.values()) >= SHARDS // number:
                return
            assert time.monotonic() < until, f"the shards are not shared out: {shares}"
            time.sleep(0.05)


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> tuple[float, float, float]:
    begin_s, end_s, each_s = map(float, _line(process).split())
    return begin_s, end_s, each_s


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, "an engine has ended"
    return line
