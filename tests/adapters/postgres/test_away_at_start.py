"""A database that is away when an engine or a client starts: it is waited for and said once, and clients are told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

import amends
from amends import Completed, Saga, StoreAway, StoreBusy, StoreUnusable, local
from amends.adapters.postgres.refusals import is_passing
from amends.engine.store_wait import AWAY_PAUSE_S
from tests.acceptance.command import command_line, environment
from tests.postgres import Server, own_server, url_of

PATIENCE_S = 60.0
APP = """
import os, amends
from tests.adapters.postgres.test_away_at_start import COUNT
engine = amends.open(os.environ["SHOP_URL"], sagas=[COUNT])
"""
WAITS = "failed: No such file or directory"

COUNT = Saga("count", str, [local("COUNTED", lambda n, _: (n or 0) + 1, entity=str, pivot=True)])


@pytest.fixture
def away() -> Iterator[Server]:
    """Return a server that has been stopped."""
    with own_server() as server:
        server.crash()
        yield server


@contextmanager
def working(folder: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """Have a worker run."""
    (folder / "app.py").write_text(APP)
    worker = subprocess.Popen(
        command_line("worker", "app:engine"),
        cwd=folder,
        env=environment() | {"SHOP_URL": url, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{Path.cwd()}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def test_a_worker_waits_for_its_database_and_goes_on(tmp_path: Path, away: Server) -> None:
    """It says so in one line; clients are refused by name until it is there, and need not be connected anew."""
    url = url_of(away.conninfo)
    with working(tmp_path, url) as worker, amends.connect(url, sagas=[COUNT]) as client:
        assert worker.stdout is not None
        assert worker.stderr is not None
        line = worker.stderr.readline()
        assert WAITS in line
        assert line.endswith("; waiting for it\n")
        with pytest.raises(StoreBusy, match="the database is away"):
            client.submit(COUNT, "x")
        away.start()
        assert "app:engine runs on postgresql://" in worker.stdout.readline()
        assert isinstance(client.submit(COUNT, "x").result(PATIENCE_S).state, Completed)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0
        assert worker.stderr.read() == ""


def test_a_worker_that_waits_can_be_told_to_end(tmp_path: Path, away: Server) -> None:
    """It has begun nothing, and ends as one that ran."""
    with working(tmp_path, url_of(away.conninfo)) as worker:
        assert worker.stderr is not None
        assert WAITS in worker.stderr.readline()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0


def test_an_engine_in_a_program_waits_beside_what_else_runs(away: Server) -> None:
    """The event loop is free meanwhile, and who waits may give up."""

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), amends.open(url_of(away.conninfo), sagas=[COUNT]):
                pass
        start = asyncio.create_task(asyncio.to_thread(away.start))
        async with amends.open(url_of(away.conninfo), sagas=[COUNT]) as engine:
            await start
            assert engine is not None

    asyncio.run(run())


def test_who_stops_waiting_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a connect that takes long: it ends by itself, later."""
    may_end, has_ended = threading.Event(), threading.Event()

    def connect(*_: object) -> None:
        may_end.wait(5)
        has_ended.set()
        raise StoreAway("away")

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), amends.open("postgresql://nowhere/shop", sagas=[COUNT]):
                pass
        assert not has_ended.is_set()
        may_end.set()

    monkeypatch.setattr("amends.adapters.postgres.store.prepare", connect)
    asyncio.run(give_up())
    assert has_ended.wait(PATIENCE_S)


def test_a_script_waits_as_well(
    away: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, however often it tries."""
    tries, sleep = count(1), time.sleep

    def start(pause_s: float) -> None:
        if pause_s != AWAY_PAUSE_S:
            sleep(pause_s)
        elif next(tries) == 3:
            away.start()

    monkeypatch.setattr("amends.bootstrap.time.sleep", start)
    with amends.open(url_of(away.conninfo), sagas=[COUNT]):
        assert next(tries) == 4
    assert [record.getMessage().endswith("; waiting for it") for record in caplog.records] == [True]


@pytest.mark.parametrize(("store_wait_s", "waited"), [(0.0, ""), (0.1, "; waited 0.1 s for it")])
def test_who_waited_in_vain_is_told(away: Server, store_wait_s: float, waited: str) -> None:
    """By name, what was tried last, and for how long."""
    opening = amends.open(url_of(away.conninfo), sagas=[COUNT], store_wait_s=store_wait_s)
    with pytest.raises(StoreAway, match=WAITS) as refusal, opening:
        pass
    assert str(refusal.value).endswith(waited)


def test_what_no_waiting_mends_is_told_at_once() -> None:
    """A wrong password, a role or database that is not there; but one whose connections are all taken is waited for."""
    with own_server() as server, psycopg.connect(server.conninfo, autocommit=True) as database:
        url = url_of(server.conninfo)
        database.execute("CREATE ROLE full_up LOGIN CONNECTION LIMIT 0")
        database.execute("CREATE ROLE known LOGIN PASSWORD 'right'")
        server.ask_for_passwords_of("known")
        for said, changed in (
            ("role .nobody. does not exist", url.replace("postgres@", "nobody@")),
            ("database .nowhere. does not exist", url.replace("/postgres?", "/nowhere?")),
            ("password authentication failed", url.replace("postgres@", "known:wrong@")),
            ("no password supplied", url.replace("postgres@", "known@")),
        ):
            opening = amends.open(changed, sagas=[COUNT], store_wait_s=1)
            with pytest.raises(StoreUnusable, match=said) as refusal, opening:
                pass
            assert not isinstance(refusal.value, StoreAway)
            with (
                amends.connect(changed, sagas=[COUNT]) as client,
                pytest.raises(StoreUnusable, match=said),
            ):
                client.submit(COUNT, "x")
        full = amends.open(url.replace("postgres@", "full_up@"), sagas=[COUNT], store_wait_s=0)
        with pytest.raises(StoreAway, match="too many connections"), full:
            pass


@pytest.mark.parametrize(
    "words",
    [
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is shutting down",
        "FATAL:  sorry, too many clients already",
        "failed to resolve host 'db': [Errno -2] Name or service not known",
        "connection timeout expired",
        'connection to server at "10.0.0.1", port 5432 failed: session is read-only',
        "server closed the connection unexpectedly",
    ],
)
def test_what_passes_by_itself_is_waited_for(words: str) -> None:
    """As servers and libpq say it."""
    assert is_passing(psycopg.OperationalError(words))
