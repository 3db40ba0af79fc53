"""The engine in a process that does what processes do: signals, ends of loops and interpreters."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Backoff, Completed, Done, Saga, StoreInUse, StoreUnusable, external, local
from amends.adapters.memory import MemoryStore
from amends.engine.thread import TURN_THREAD
from tests.engine.test_engine import PATIENCE_S, engine, run

SAGA = Saga("s", int, [local("NOTED", lambda _, number: number, entity=str, pivot=True)])

PROGRAM = """
import asyncio, atexit, signal, sys, time
import amends
from amends import Done, Saga, external, local

def fails_once(_, number, call):
    return Done()

SAGA = Saga("s", int, [local("NOTED", lambda _, number: number, entity=str, pivot=True), external("SENT", fails_once)])
"""

LEFT_OPEN = {
    "closed at the exit": "atexit.register(engine.close)",
    "left by its with at the exit": "atexit.register(opening.__exit__, None, None, None)",
    "asked at the exit": "atexit.register(lambda: print(engine.submit(SAGA, 2).result(timeout=20).saga_id))",
    "closed by nobody": "",
}


def ran(text: str, *given: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a saga and what follows, to its end."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM + text, *given]
    return subprocess.run(command, timeout=6 * PATIENCE_S, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("how", LEFT_OPEN)
def test_the_end_of_the_interpreter_closes_an_engine(tmp_path: Path, how: str) -> None:
    """Also in `atexit`, after the executors of the interpreter have ended: its log is taken in, without a word."""
    store = tmp_path / "a.db"
    text = f"""
opening = amends.open("sqlite:///" + sys.argv[1], sagas=[SAGA])
engine = opening.__enter__()
engine.submit(SAGA, 1)
{LEFT_OPEN[how]}
"""
    ended = ran(text, str(store))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not store.with_name("a.db-wal").exists()


def test_the_end_of_its_loop_gives_the_store_of_an_engine_back(tmp_path: Path) -> None:
    """A notebook's cell that opened an engine and closed none can be run again."""

    async def cell() -> None:
        running = await amends.open(f"sqlite:///{tmp_path / 'a.db'}", sagas=[SAGA]).__aenter__()
        await running.submit(SAGA, 1)

    for _ in range(2):
        asyncio.run(cell())
        gc.collect()


def test_an_engine_that_is_woken_as_its_loop_ends_ends_with_it() -> None:
    """That it is cancelled is not lost when something arrives in the same moment: the loop would never end."""

    async def test() -> None:
        running = await engine(MemoryStore(), SAGA).__aenter__()
        await running.submit(SAGA, 1)
        await asyncio.sleep(0.05)  # it sleeps
        running._loop._queue.arrived.set()
        await asyncio.sleep(0)
        loop_task = running._loop._task
        assert loop_task is not None
        loop_task.cancel()
        done, _ = await asyncio.wait([loop_task], timeout=1)
        assert done

    run(test())


@pytest.mark.parametrize("named", ["amends-loop", TURN_THREAD])
def test_an_engine_that_gets_no_thread_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """A limit on processes is told as what it is; and once there is a thread again, the store opens."""
    start = threading.Thread.start

    def rationed(thread: threading.Thread) -> None:
        if thread.name == named:
            raise RuntimeError("can't start new thread")
        start(thread)

    opening = amends.open(f"sqlite:///{tmp_path / 'shop.db'}", sagas=[SAGA])
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", rationed)
        with pytest.raises(StoreUnusable, match="can't start new thread"):
            opening.__enter__()
    with opening as engine:
        assert engine.entity("NOTED", "1") is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_an_engine_that_gets_no_descriptor_cannot_be_opened(tmp_path: Path) -> None:
    """Whichever descriptor is the one too many: it is told, and nothing else."""
    done = ran(FEW_DESCRIPTORS, str(tmp_path / "shop.db"))
    told = done.stdout.splitlines()
    assert set(told) == {"StoreUnusable", "open"}, done.stdout + done.stderr
    assert told[-1] == "open"


FEW_DESCRIPTORS = """
import gc, os, resource
with amends.open(f"sqlite:///{sys.argv[1]}", sagas=[SAGA], clients={SAGA.step("SENT").service: None}):
    pass
free = os.open(os.devnull, os.O_RDONLY)
os.close(free)
for few in range(40):
    gc.collect()  # a loop of asyncio that was made by half keeps a descriptor until then
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + few, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        with amends.open(f"sqlite:///{sys.argv[1]}", sagas=[SAGA], clients={SAGA.step("SENT").service: None}):
            print("open")
            break
    except Exception as error:
        print(type(error).__name__)
"""


def test_what_is_entered_twice_is_left_twice(tmp_path: Path) -> None:
    """The inner one finds the store in use; the outer one gives it back all the same."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    opening = amends.open(url, sagas=[SAGA])

    async def asynchronous() -> None:
        async with opening:
            with pytest.raises(StoreInUse):
                await opening.__aenter__()

    for _ in range(2):
        run(asynchronous())
        with opening, pytest.raises(StoreInUse):
            opening.__enter__()
    opening.__exit__(None, None, None)  # once more does nothing


STOPS = {
    "SIGTERM": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))",
    "SIGINT": "def stop(*_): raise KeyboardInterrupt\nsignal.signal(signal.SIGINT, stop)",
}


@pytest.mark.parametrize("name", STOPS)
def test_what_a_signal_s_handler_raises_is_no_participant_s(name: str) -> None:
    """It comes out of whatever runs in the main thread, such as a participant's coroutine, and ends the program."""
    text = f"""
{STOPS[name]}
async def busy(_, number, call):
    signal.raise_signal(signal.{name})
    return Done()

BUSY = Saga("busy", int, [external("BUSY", busy, pivot=True)])

async def main():
    async with amends.open("memory:", sagas=[BUSY], drain_s=0) as engine:
        handle = await engine.submit(BUSY, 1)
        try:
            await handle.result()
        except amends.EngineStopped:
            await asyncio.sleep(60)
        print("not stopped")

asyncio.run(main())
"""
    ended = ran(text)
    assert ended.returncode != 0
    assert "not stopped" not in ended.stdout


def test_a_participant_that_leaves_its_program_is_asked_again_all_the_same() -> None:
    """It was not a signal's handler that raised."""

    async def charge(client: Any, asked: int, call: Any) -> Done:
        if call.attempt == 1:
            sys.exit("a library took this for its own program")
        return Done()

    saga = Saga("s", int, [external("CARD_CHARGED", charge, pivot=True, backoff=Backoff(0.001, 0.002))])

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            ended = await (await running.submit(saga, 1)).result(PATIENCE_S)
            assert isinstance(ended.state, Completed)

    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    try:
        run(test())
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_a_signal_s_handler_may_ask_the_blocking_engine() -> None:
    """It runs between any two lines of the main thread, also in the middle of another question."""
    text = """
heard = []

with amends.open("memory:", sagas=[SAGA]) as engine:
    signal.signal(signal.SIGALRM, lambda *_: heard.append(engine.entity("NOTED", "1")))
    for number in range(1000):
        signal.setitimer(signal.ITIMER_REAL, 0.00001 * (1 + number % 50))
        engine.entity("NOTED", "2")
    signal.setitimer(signal.ITIMER_REAL, 0)
assert heard
"""
    ended = ran(text)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_is_sent_into_the_thread_of_the_turns_ends_it_not() -> None:
    """Whatever is asked meanwhile is answered, once.

    In a process of its own, whose lines nobody counts: while something is on its way into a thread that waits, Python
    3.11 goes round for ever in any other thread that is traced (`DO_TRACING` of a `RESUME` in its Python/ceval.c).
    """
    text = f"""
import ctypes, threading
from amends.engine.thread import OneThread

class Late(Exception):
    pass

thread, told, done = OneThread("amends-turn"), threading.Semaphore(0), []
for number in range(2000):
    thread.submit(lambda number=number: done.append(number), lambda *_: told.release())
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread._thread.ident), ctypes.py_object(Late))
    assert told.acquire(timeout={PATIENCE_S}), number
thread.shutdown()
assert sorted(set(done)) == sorted(done)
"""
    ended = ran(text)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("participants", [4])
def test_calls_that_do_not_let_themselves_be_ended_are_waited_for_once(
    participants: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by one participant after the other."""
    monkeypatch.setattr("amends.engine.calls.CLOSE_S", 0.5)
    waits: list[Any] = []
    wait = asyncio.wait
    begun = threading.Semaphore(0)

    async def deaf(client: Any, asked: int, call: Any) -> Done:
        begun.release()
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return Done()

    async def counted(tasks: Any, **options: Any) -> Any:
        waits.append(options.get("timeout"))
        return await wait(tasks, **options)

    sagas = [Saga(f"s{one}", int, [external(f"P{one}_ASKED", deaf, pivot=True)]) for one in range(participants)]

    async def test() -> None:
        async with engine(MemoryStore(), *sagas) as running:
            for saga in sagas:
                await running.submit(saga, 1)
            for _ in sagas:
                while not begun.acquire(blocking=False):
                    await asyncio.sleep(0.001)
            monkeypatch.setattr("amends.engine.calls.asyncio.wait", counted)
            await running.close(0)

    run(test())
    assert waits.count(0.5) == 1
