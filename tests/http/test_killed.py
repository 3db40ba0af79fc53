"""64 equal posts at once with one key, across kill -9 of the server and of the engine: one saga, 64 equal answers."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

import amends
from tests.http.api import SAGAS
from tests.http.serving import END_S, serving

POSTS = 64
TRIES = 600
PAUSE_S = 0.1
AT_ONCE = pytest.param(0.02, marks=pytest.mark.torture)
LATER = pytest.param(0.5, marks=pytest.mark.torture)
BODY = {"definition": "tickets", "request": 1}
ENGINE = """
import sys
import amends
from tests.http.api import SAGAS
engine = amends.open("sqlite:///" + {db!r}, sagas=SAGAS, store_wait_s=60)
"""


async def posted(base: str, key: str) -> tuple[int, bytes]:
    """Post until it is answered: who meets a dead server, or one without an engine, asks again under the key."""
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        for _ in range(TRIES):
            try:
                answer = await http.post("/sagas", json=BODY, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status_code not in (429, 503):
                return answer.status_code, answer.content
            await asyncio.sleep(PAUSE_S)
    raise AssertionError("it was not answered")


async def all_posted(base: str, key: str, between: Callable[[], None], after_s: float) -> set[tuple[int, bytes]]:
    """So many at once, while something is killed."""
    posts = asyncio.gather(*(posted(base, key) for _ in range(POSTS)))
    await asyncio.sleep(after_s)
    await asyncio.to_thread(between)
    return set(await posts)


def free_port() -> int:
    """A port that a server gets, and its next life again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def engine_on(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """An engine in a process of its own, once it runs."""
    (folder / "engine_of_test.py").write_text(ENGINE.format(db=str(folder / "shop.db")))
    command = [sys.executable, "-m", "amends", "worker", str(folder / "engine_of_test.py:engine")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "runs on" in process.stdout.readline()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=END_S)


@pytest.mark.parametrize("after_s", [AT_ONCE, 0.2, LATER])
def test_posts_across_the_death_of_the_server(tmp_path: Path, after_s: float) -> None:
    """It is started again on its port, with the engine that it had in it."""
    port = str(free_port())
    with ExitStack() as ends:
        first = ends.enter_context(serving(tmp_path, "--port", port))

        def kill() -> None:
            first.process.kill()
            first.process.wait(timeout=END_S)
            ends.enter_context(serving(tmp_path, "--port", port))

        answers = asyncio.run(all_posted(f"http://127.0.0.1:{port}", "a", kill, after_s))
        assert {status for status, _ in answers} == {202}
        assert len(answers) == 1
    with amends.open(f"sqlite:///{tmp_path}/shop.db", sagas=SAGAS, store_wait_s=60) as engine:
        assert len(engine.list().sagas) == 1


@pytest.mark.parametrize("after_s", [AT_ONCE, 0.2])
def test_posts_across_the_death_of_the_engine(tmp_path: Path, after_s: float) -> None:
    """The server lives, and answers once another engine has come."""
    with ExitStack() as ends:
        first = ends.enter_context(engine_on(tmp_path))
        served = ends.enter_context(serving(tmp_path, "--no-engine"))

        def kill() -> None:
            first.kill()
            first.wait(timeout=END_S)
            ends.enter_context(engine_on(tmp_path))

        answers = asyncio.run(all_posted(str(served.http.base_url), "a", kill, after_s))
        assert {status for status, _ in answers} == {202}
        assert len(answers) == 1
        assert len(served.http.get("/sagas").json()["sagas"]) == 1
