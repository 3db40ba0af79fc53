"""`amends worker`: an engine in a process of its own, until it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import amends
from amends import Completed, Saga, external, local
from tests.acceptance.command import command_line, environment, process

PATIENCE_S = 60.0  # a test that waits longer has failed; none of them asserts a time

APP = """
import asyncio, os
from pathlib import Path
import amends
from amends import Done, Saga, external, local

def hold(free: int | None, seats: int) -> int:
    return (100 if free is None else free) - seats

async def charge(_, seats: int, call) -> Done:
    Path("called").write_text(call.key)
    while not Path("answers").exists():
        await asyncio.sleep(0.01)
    with open("answered", "a") as file:
        file.write(call.key + "\\n")
    return Done()

quick = Saga("quick", int, [local("SEATS_HELD", hold, entity=lambda _: "Hamlet", pivot=True)])
slow = Saga("slow", int, [external("CARD_CHARGED", charge, pivot=True, timeout_s=60)])
engine = amends.open("sqlite:///shop.db", sagas=[quick, slow], drain_s=60)
"""


def hold(free: int | None, seats: int) -> int:
    """SEATS_HELD, as the module has it."""
    return (100 if free is None else free) - seats


async def charge(_: object, __: int, ___: object) -> amends.Done:
    """CARD_CHARGED; it is the worker's that is called."""
    return amends.Done()


QUICK = Saga("quick", int, [local("SEATS_HELD", hold, entity=lambda _: "Hamlet", pivot=True)])
SLOW = Saga("slow", int, [external("CARD_CHARGED", charge, pivot=True, timeout_s=60)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a module that says which engine runs."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@contextmanager
def working(folder: Path, *more: str, is_ready: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Have a worker run."""
    command = command_line("worker", "app:engine", *more)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    worker = subprocess.Popen(command, cwd=folder, env=environment(), text=True, **pipes)  # type: ignore[call-overload]  # of two pipes
    try:
        if is_ready:
            line = worker.stdout.readline()
            assert line == f"amends: app:engine runs on sqlite:///shop.db, process {worker.pid}\n", worker.stderr.read()
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def ended(worker: subprocess.Popen[str]) -> int:
    """Return the exit code of a worker that is about to end."""
    return worker.wait(PATIENCE_S)


def until_there(file: Path) -> None:
    """Wait for a file."""
    subprocess.run(["sh", "-c", f'until [ -s "{file}" ]; do sleep 0.02; done'], timeout=PATIENCE_S, check=True)  # noqa: S607 - the system's


def test_a_worker_runs_until_it_is_told_to_end(folder: Path) -> None:
    """Its module is found where it was started; what another process asks for is done; it ends with 0."""
    with working(folder) as worker, amends.connect(f"sqlite:///{folder / 'shop.db'}", sagas=[QUICK]) as client:
        assert isinstance(client.submit(QUICK, 2).result(PATIENCE_S).state, Completed)
        worker.send_signal(signal.SIGTERM)
        assert ended(worker) == 0
        assert worker.stderr is not None
        assert worker.stderr.read() == ""


def test_a_call_that_is_under_way_is_waited_for(folder: Path) -> None:
    """It is sent once: its answer is stored before the end, and nothing new is taken meanwhile."""
    with amends.connect(f"sqlite:///{folder / 'shop.db'}", sagas=[QUICK, SLOW]) as client:
        with working(folder) as worker:
            slow = client.submit(SLOW, 1)
            until_there(folder / "called")
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(TimeoutError):
                client.submit(QUICK, 2, key="later").started(0.3)
            (folder / "answers").touch()
            assert ended(worker) == 0
        assert isinstance(slow.result(PATIENCE_S).state, Completed)
        with working(folder):
            assert isinstance(client.submit(QUICK, 2, key="later").result(PATIENCE_S).state, Completed)
    assert (folder / "answered").read_text().count("\n") == 1


def test_told_twice_it_waits_no_longer(folder: Path) -> None:
    """The call is cut off, and asked again by the next one."""
    with amends.connect(f"sqlite:///{folder / 'shop.db'}", sagas=[SLOW]) as client:
        with working(folder) as worker:
            slow = client.submit(SLOW, 1)
            until_there(folder / "called")
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                worker.wait(0.3)
            worker.send_signal(signal.SIGINT)
            assert ended(worker) == 0
        (folder / "answers").touch()
        with working(folder):
            assert isinstance(slow.result(PATIENCE_S).state, Completed)


def test_told_again_after_its_end_it_ends_with_0(folder: Path) -> None:
    """The store is given back by then, and what is left is the interpreter's end, here one that takes for ever."""
    with (folder / "app.py").open("a") as module:
        module.write("import atexit, time\natexit.register(lambda: (Path('ends').write_text('.'), time.sleep(3600)))\n")
    with working(folder) as worker:
        worker.send_signal(signal.SIGTERM)
        until_there(folder / "ends")
        worker.send_signal(signal.SIGTERM)
        assert ended(worker) == 0


def test_a_second_worker_waits_for_the_first(folder: Path) -> None:
    """As long as it is told to; without `--wait` it says who has the store, and ends with 2."""
    with working(folder) as first:
        refused = process("worker", "app:engine", folder=folder)
        assert refused.code == 2
        assert f"in use by the engine of process {first.pid}" in refused.err
        assert "waited 0.1 s for it" in process("worker", "app:engine", "--wait", "0.1", folder=folder).err
        with working(folder, "--wait", "60", is_ready=False) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(0.5)
            first.send_signal(signal.SIGTERM)
            assert second.stdout is not None
            assert "runs on sqlite:///shop.db" in second.stdout.readline()
        assert ended(first) == 0


def test_a_worker_that_waits_can_be_told_to_end(folder: Path) -> None:
    """It has begun nothing."""
    with working(folder), working(folder, "--wait", "60", is_ready=False) as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
        second.send_signal(signal.SIGTERM)
        assert ended(second) in (0, -signal.SIGTERM)  # it may not have come so far as to hear it


def test_a_worker_that_stops_by_itself_ends_with_1(folder: Path) -> None:
    """So that a supervisor starts it anew."""
    with working(folder) as worker, amends.connect(f"sqlite:///{folder / 'shop.db'}", sagas=[QUICK]) as client:
        os.rename(folder / "shop.db-wal", folder / "away")  # noqa: PTH104 - what a person may do
        client.submit(QUICK, 2)
        assert ended(worker) == 1
        assert worker.stderr is not None
        assert "amends: the storage failed" in worker.stderr.read()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("app", "a DEFINITION is shop, module:name or path.py:name"),
        ("app:none", "'none' does not exist; write there: none = amends.open("),
        ("app:quick", "'quick' is no engine: Saga"),
        ("none:engine", "none: cannot be loaded: ModuleNotFoundError"),
        ("none.py:engine", "none.py: cannot be loaded: FileNotFoundError"),
    ],
)
def test_what_is_no_engine_is_refused(folder: Path, name: str, why: str) -> None:
    """One line says why; nothing is made."""
    ran = process("worker", name, folder=folder)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1
    assert not (folder / "shop.db").exists()


def test_a_wait_that_is_none_is_refused(folder: Path) -> None:
    """As a wrong call of the command."""
    for wait in ("-1", "x", "999999"):
        assert process("worker", "app:engine", "--wait", wait, folder=folder).code == 2
