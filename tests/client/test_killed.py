"""Clients of several processes wait for their sagas while the engine is killed: none is lost, none is doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

import amends
from amends.adapters.sqlite.reader import SqliteReader
from amends.errors import StoreUnusable
from amends.storage.rows import COMPLETED
from tests.client.sagas import SAGAS, url_of

CLIENTS = 4
WAVE = 25  # sagas that a client asks for at a time
SHOWS = 10
PATIENCE_S = 900.0  # a test that waits longer has failed

ENGINE = """
import signal, sys, amends
from tests.client.sagas import SAGAS
with amends.open(sys.argv[1], sagas=SAGAS, store_wait_s=60):
    print("runs", flush=True)
    signal.pause()
"""
CLIENT = """
import sys, amends
from amends import Completed
from tests.client.sagas import COUNTED, SAGAS
from tests.engine.world import Buy
url, name, sagas, wave, shows, patience_s = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
with amends.connect(url, sagas=SAGAS) as client:
    ids = set()
    for first in range(0, int(sagas), int(wave)):
        numbers = range(first, min(first + int(wave), int(sagas)))
        requests = [Buy(f"show {number % int(shows)}", 1) for number in numbers]
        for _ in range(2):   # asked for twice, as by a caller that did not hear the answer
            handles = client.submit_many(COUNTED, requests, keys=[f"{name} {number}" for number in numbers])
        for handle in handles:
            result = handle.result(patience_s)
            assert isinstance(result.state, Completed), result
            ids.add(result.saga_id)
    assert len(ids) == sagas, (len(ids), sagas)
"""


@contextmanager
def running(code: str, *given: object) -> Iterator[subprocess.Popen[str]]:
    """Have a program run, and kill it in the end."""
    command = [sys.executable, "-c", code, *map(str, given)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def completed(path: Path) -> int:
    """Return how many sagas are completed."""
    try:
        with closing(SqliteReader(path)) as store:
            return sum(sagas for (_, status), sagas in store.counts().items() if status == COMPLETED)
    except StoreUnusable:  # there is none yet
        return 0


def until_completed(path: Path, sagas: int) -> None:
    """Wait until so many are."""
    until = time.monotonic() + PATIENCE_S
    while completed(path) < sagas:
        assert time.monotonic() < until
        time.sleep(0.005)


def none_is_lost_or_doubled(folder: Path, sagas: int, kills: int) -> None:
    """Kill the engine so often while clients ask for so many sagas, then count sagas and tickets."""
    url, path = url_of(folder), folder / "shop.db"
    each = sagas // CLIENTS
    with ExitStack() as stack:
        given = [(url, f"client {number}", each, WAVE, SHOWS, PATIENCE_S) for number in range(CLIENTS)]
        clients = [stack.enter_context(running(CLIENT, *values)) for values in given]
        for kill in range(1, kills + 1):
            with running(ENGINE, url):
                until_completed(path, sagas * kill // (kills + 1))
        with running(ENGINE, url):
            assert [client.wait(PATIENCE_S) for client in clients] == [0] * CLIENTS
    with amends.open(url, sagas=SAGAS, store_wait_s=60) as engine:
        assert completed(path) == sagas
        assert sum(engine.entity("SOLD", f"show {show}") for show in range(SHOWS)) == sagas
        until = time.monotonic() + PATIENCE_S
        while engine._engine._loop._turns._store.mailbox.letters(range(64), 9):  # acted on, and not removed yet
            assert time.monotonic() < until
            time.sleep(0.01)
        assert completed(path) == sagas


def test_no_saga_of_several_clients_is_lost_or_doubled(tmp_path: Path) -> None:
    """Two kills are enough to meet letters that are posted, acted on, and not removed yet."""
    none_is_lost_or_doubled(tmp_path, 300, 2)


@pytest.mark.torture
@pytest.mark.timeout(2 * PATIENCE_S)
def test_none_of_ten_thousand_is_lost_or_doubled(tmp_path: Path) -> None:
    """The same with twenty kills."""
    none_is_lost_or_doubled(tmp_path, 10_000, 20)
