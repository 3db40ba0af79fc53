"""Engines in processes of their own share the sagas of one database, also when one of them is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import amends
from amends import Completed
from amends.adapters.postgres import PostgresStore
from amends.auditing.verify import verify
from amends.storage.ports import Store
from amends.storage.rows import COMPENSATED, COMPLETED, EntityRow
from amends.storage.shards import SHARDS
from tests.adapters.postgres.transfers import REFUSED, TRANSFER

ROOT = Path(__file__).parents[3]
SAGAS = 200
BOUND_S = 90  # for what takes some seconds on a machine at rest


@contextmanager
def engine(url: str) -> Iterator[subprocess.Popen[str]]:
    """An engine in a process of its own."""
    command = [sys.executable, "-m", "tests.adapters.postgres.transfers", url]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=BOUND_S)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until something is so."""
    until = time.monotonic() + BOUND_S
    while not is_so():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.05)


def ended(store: Store) -> int:
    """Return how many sagas have ended."""
    return sum(number for (_, status), number in store.counts().items() if status in (COMPLETED, COMPENSATED))


def booked(store: Store, service: str) -> int:
    """Return how many entries a book has."""
    rows = [*store.entities(service)]
    assert all(isinstance(row, EntityRow) for row in rows)
    return sum(int(row.body or "0") for row in rows if isinstance(row, EntityRow))


def lose_one_of_two(url: str) -> None:
    """Have two engines share what a client asks for, and kill one: the other one goes on.

    No saga is lost, no entry is doubled, every chain verifies.
    """
    with ExitStack() as ends:
        one, _ = ends.enter_context(engine(url)), ends.enter_context(engine(url))
        store = PostgresStore(url)
        ends.callback(store.close)
        wait_until(lambda: sorted(Counter(store.ownership.owners().values()).values()) == [SHARDS // 2, SHARDS // 2])
        client = ends.enter_context(amends.connect(url, sagas=[TRANSFER]))
        handles = [client.submit(TRANSFER, number) for number in range(SAGAS)]
        wait_until(lambda: ended(store) >= SAGAS // 10)
        one.kill()
        results = [handle.result(timeout=BOUND_S) for handle in handles]
        refused = SAGAS // REFUSED
        assert sum(isinstance(result.state, Completed) for result in results) == SAGAS - refused
        assert (booked(store, "TAKEN"), booked(store, "GIVEN")) == (SAGAS - refused, SAGAS - refused)
        wait_until(lambda: len(store.ownership.leases()) == 1)  # also where all sagas had ended before the kill
        assert len(store.chains()) == 2
        assert [*verify(store).findings] == []


def test_one_of_two_engines_is_killed_and_the_other_one_goes_on(url: str) -> None:
    """On the server itself; by a pooler it is the same (`test_pooler.py`)."""
    lose_one_of_two(url)
