"""Engines in processes of their own, which are given orders at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
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
        took_s: what one took, where that was looked at: the median, and what one in a hundred took at least.
        wal_bytes: of the server's log, an order.
        syncs: of the server's log, an order.
    """

    rate: float
    took_s: tuple[float, ...]
    wal_bytes: float
    syncs: float


class Engines:
    """Some engines on one schema.

    Attributes:
        url: of the schema.
        pids: of their processes.
        by_letters: so many orders, from the first number on, came from clients beside.
    """

    def __init__(self, server: Measured, url: str, processes: list[subprocess.Popen[str]]) -> None:
        self.url, self.pids = url, [process.pid for process in processes]
        self._server = server
        self._processes = processes
        self._orders = 0
        self.by_letters = 0

    def run(self, orders: int, workload: str = "many", *more: object) -> Ran:
        """Give each engine its part of so many orders, and wait until all have ended.

        Args:
            orders: of all engines together.
            workload: what an engine's program calls it.
            more: for the workload.
        """
        each = orders // len(self._processes)
        before = self._server.written()
        for process in self._processes:
            _tell(process, workload, self._orders, each, *more)
            self._orders += each
        begins, ends, *took_s = zip(*map(_answer, self._processes), strict=True)
        after, done = self._server.written(), each * len(self._processes)
        spent = Written(*(now - then for now, then in zip(after, before, strict=True)))
        worst_s = tuple(map(max, took_s))
        return Ran(done / (max(ends) - min(begins)), worst_s, spent.wal_bytes / done, spent.syncs / done)

    def look(self) -> None:
        """See that money and stock are exact."""
        _tell(self._processes[0], "books", self._orders, self.by_letters)
        _answer(self._processes[0])


@contextmanager
def engines(server: Measured, number: int, *, products: int = 1000) -> Iterator[Engines]:
    """Have so many engines on a new schema, warm; books are looked at in the end."""
    with server.schema() as url, warm(server, url, ["bench.postgres.orders", url, str(products)], number) as started:
        yield started


@contextmanager
def warm(server: Measured, url: str, program: Sequence[str], number: int) -> Iterator[Engines]:
    """Have so many engines on a store, each with its share of the shards, warm; books are looked at in the end.

    Args:
        server: of the store.
        url: of the store.
        program: of an engine: its module, and its words.
        number: of engines.
    """
    with ExitStack() as ends:
        processes = [ends.enter_context(_engine(program)) for _ in range(number)]
        _await_shares(url, number)
        _tell(processes[0], "stock")
        _answer(processes[0])
        started = Engines(server, url, processes)
        started.run(WARM_UP * number)
        yield started
        started.look()


@contextmanager
def _engine(program: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", *program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
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


def _tell(process: subprocess.Popen[str], *words: object) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{' '.join(map(str, words))}\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> list[float]:
    """When it began and ended, and what one took."""
    return [*map(float, _line(process).split())]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, "an engine has ended"
    return line
