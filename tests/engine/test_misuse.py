"""An engine that is asked where nobody can answer says so at once: in another event loop, or in a forked child."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import amends
from amends import Cancel, Command, Completed, Done, Engine, EngineMisused, Handle, Saga, external, local
from amends.adapters.memory import MemoryStore
from tests.engine.test_engine import PATIENCE_S, engine, run

SAGA = Saga("s", int, [local("A_DONE", lambda old, n: n, entity=str, pivot=True)])
ADDED = Command("ADDED", "A", lambda old, body: body)

DOORS: dict[str, Callable[[Engine], Coroutine[Any, Any, Any]]] = {
    "submit": lambda engine: engine.submit(SAGA, 1),
    "submit_many": lambda engine: engine.submit_many(SAGA, [1]),
    "result": lambda engine: engine.result("a-1"),
    "result in time": lambda engine: engine.result("a-1", 0.1),
    "handle": lambda engine: Handle("a-1", engine).result(),
    "answer": lambda engine: engine.answer("a-1/A_DONE/do", Done()),
    "tell": lambda engine: engine.tell("a-1", Cancel()),
    "carry_out": lambda engine: engine.carry_out(ADDED, "1", 1),
    "transact": lambda engine: engine.transact(lambda work: None),
    "entity": lambda engine: engine.entity("A", "1"),
}


@pytest.mark.parametrize("door", DOORS)
def test_another_event_loop_is_told_at_once(door: str) -> None:
    """A thread's own, or a second `asyncio.run`; what is asked in the right one goes on."""

    async def test() -> None:
        async with engine(MemoryStore(), SAGA) as running:
            with pytest.raises(EngineMisused, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(asyncio.run, DOORS[door](running))
            assert isinstance((await (await running.submit(SAGA, 1)).result(PATIENCE_S)).state, Completed)

    run(test())
    loop = asyncio.new_event_loop()
    running = engine(MemoryStore(), SAGA)
    loop.run_until_complete(running.__aenter__())
    with pytest.raises(EngineMisused, match="another event loop"):
        run(DOORS[door](running))
    loop.run_until_complete(running.close())
    loop.close()


FORKS = """
import asyncio, os, sys, time
import amends
from tests.engine.test_misuse import DOORS, SAGA

def child_of(act, is_told):
    child = os.fork()
    if child == 0:
        try:
            act()
        except amends.EngineMisused as error:
            os._exit(0 if is_told and str(os.getppid()) in str(error) else 3)
        except BaseException:
            os._exit(4)
        os._exit(5 if is_told else 0)
    for _ in range(2000):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 'it hung'

async def asynchronous():
    async with amends.open(sys.argv[1], sagas=[SAGA]) as engine:
        handle = await engine.submit(SAGA, 1)
        for door, ask in DOORS.items():
            said = child_of(lambda: asyncio.run(ask(engine)), True)
            assert said == 0, (door, said)
        assert child_of(lambda: asyncio.run(engine.close()), False) == 0
        await engine.submit(SAGA, 2)

def blocking():
    opening = amends.open(sys.argv[1], sagas=[SAGA])
    with opening as engine:
        handle = engine.submit(SAGA, 3)
        doors = {
            'submit': lambda: engine.submit(SAGA, 1),
            'submit_many': lambda: engine.submit_many(SAGA, [1]),
            'result': lambda: engine.result(handle.saga_id + '0', 0.1),
            'entity': lambda: engine.entity('A', '1'),
            'transact': lambda: engine.transact(lambda work: None),
        }
        for door, ask in doors.items():
            engine._thread._lock.acquire()   # as a thread of the parent may have it in the moment of the fork
            said = child_of(ask, True)
            engine._thread._lock.release()
            assert said == 0, (door, said)
        assert child_of(lambda: opening.__exit__(None, None, None), False) == 0
        engine.submit(SAGA, 4)

asyncio.run(asynchronous())
blocking()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_told_at_once(tmp_path: Any) -> None:
    """Whatever it asks, and whatever its parent's threads did meanwhile; its closing leaves the parent's store."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS, f"sqlite:///{tmp_path / 'a.db'}"]
    ended = subprocess.run(command, timeout=6 * PATIENCE_S, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_blocking_engine_may_be_called_from_within_a_loop() -> None:
    """It has one of its own; the caller's stands still meanwhile."""

    async def asks(running: Any) -> Any:
        return running.submit(SAGA, 1).result(PATIENCE_S)

    with amends.open("memory:", sagas=[SAGA]) as running:
        assert isinstance(asyncio.run(asks(running)).state, Completed)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_task_of_a_participant_does_not_end_the_loop_of_the_blocking_engine(kind: type[BaseException]) -> None:
    """Asyncio ends a loop in which a task raises one of these; whoever waits would wait for ever."""

    async def falls() -> None:
        raise kind("no order to us")

    async def charge(client: Any, asked: int, call: Any) -> Done:
        task = asyncio.ensure_future(falls())
        await asyncio.sleep(0.01)
        return Done(isinstance(task.exception(), kind))

    saga = Saga("s", int, [external("CARD_CHARGED", charge, pivot=True)])
    with amends.open("memory:", sagas=[saga]) as running:
        assert isinstance(running.submit(saga, 1).result(PATIENCE_S).state, Completed)
