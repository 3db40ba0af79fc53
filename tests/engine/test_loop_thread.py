"""The thread of the blocking doors: whatever ends its event loop, each caller is told in the end, and nothing spins."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import amends
from amends import Completed, EngineStopped
from amends.engine import loop_thread
from amends.engine.loop_thread import FAILURES_MAX, LoopThread
from tests.client.sagas import COUNTED, SAGAS
from tests.engine.test_process import ran
from tests.engine.world import Buy

PATIENCE_S = 120.0  # a test that waits longer has failed
CLOSED = "it was closed"


@contextmanager
def running() -> Iterator[LoopThread]:
    """A thread that is ended."""
    thread = LoopThread("amends-test", CLOSED)
    thread.begin(seven())
    try:
        yield thread
    finally:
        in_time(thread.end)


def in_time(function: Callable[[], Any]) -> Any:
    """What a function gives or raises, in a thread of its own: a test that it hangs in is red, and ends."""
    came = SimpleQueue[Any]()

    def call() -> None:
        try:
            came.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - it is handed on
            came.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    answer, error = came.get(timeout=PATIENCE_S)
    if error is not None:
        raise error
    return answer


def ask_often(thread: LoopThread, question: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Have a coroutine run again and again: the first ones may still be answered."""
    for _ in range(100):
        in_time(lambda: thread.do(question()))


async def seven() -> int:
    """Answer."""
    await asyncio.sleep(0)
    return 7


def break_files_of(loop: Any) -> None:
    """Leave a loop with a file that it cannot wait with, as a program does that closes all numbers."""
    other = os.open(os.devnull, os.O_RDONLY)
    for file in (loop._selector, loop._ssock, loop._csock):  # it waits with the first, and is woken by the others
        os.dup2(other, file.fileno())
    os.close(other)


async def breaks_its_files() -> None:
    """Do so with the loop that runs this."""
    break_files_of(asyncio.get_running_loop())


async def closes_its_loop() -> None:
    """Have the loop closed before it goes on."""
    loop: Any = asyncio.get_running_loop()
    loop.run_forever = loop.close
    loop.stop()


async def never() -> None:
    """Wait for what does not come."""
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("breaks", [breaks_its_files, closes_its_loop])
def test_a_loop_that_is_broken_is_given_up(
    breaks: Callable[[], Coroutine[Any, Any, None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Callers that wait are told, and those that come later; the log has a few lines of it, and the thread ends."""
    with running() as thread, caplog.at_level(logging.ERROR, "amends"):
        waiting = [SimpleQueue[Any]() for _ in range(3)]

        def wait(told: SimpleQueue[Any]) -> None:
            try:
                thread.do(never())
            except EngineStopped as stopped:
                told.put(str(stopped))

        for told in waiting:
            threading.Thread(target=wait, args=[told], daemon=True).start()
        with pytest.raises(EngineStopped, match=r"its event loop failed \(.*close it, and open it again"):
            ask_often(thread, breaks)
        for told in waiting:
            assert "failed (" in told.get(timeout=PATIENCE_S)
        with pytest.raises(EngineStopped, match="its event loop failed"):
            in_time(lambda: thread.do(seven()))
        assert thread.is_open
        assert thread.has_failed
    assert len([record for record in caplog.records if record.name == "amends"]) <= FAILURES_MAX + 1
    assert not thread.is_open


def test_a_loop_that_waits_for_nothing_finds_out_that_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose files are closed while it waits is woken by nobody, but by the time."""
    monkeypatch.setattr(loop_thread, "BEAT_S", 0.05)
    with running() as thread:
        in_time(lambda: thread.do(seven()))
        break_files_of(thread._loop)
        with pytest.raises(EngineStopped, match="its event loop failed"):
            ask_often(thread, seven)


def test_tasks_that_leave_the_program_end_no_loop() -> None:
    """More of them at once than a loop may fail in a row: each takes itself away, and the loop goes on."""

    async def leaves() -> None:
        raise SystemExit(3)

    async def many() -> list[asyncio.Task[None]]:
        return [asyncio.get_running_loop().create_task(leaves()) for _ in range(10 * FAILURES_MAX)]

    with running() as thread:
        tasks = in_time(lambda: thread.do(many()))
        for _ in range(100):
            assert in_time(lambda: thread.do(seven())) == 7
            if all(task.done() for task in tasks):
                break
        assert [type(task.exception()) for task in tasks] == [SystemExit] * len(tasks)


SENDING = """
import asyncio, ctypes, threading, time
from amends.engine.loop_thread import LoopThread
class Sent(BaseException): ...
async def seven():
    await asyncio.sleep(0)
    return 7
thread = LoopThread("amends-test", "closed")
thread.begin(seven())
for _ in range(30):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread._thread.ident), ctypes.py_object(Sent))
    time.sleep(0.002)
    assert thread.do(seven()) == 7
thread.end()
"""


def test_what_is_sent_into_the_thread_ends_no_loop() -> None:
    """A library that sends exceptions at its leisure: between two of them, the loop answers."""
    ended = ran(SENDING)  # in a process of its own: Python 3.11 hangs where the thread that it is sent into is traced
    assert ended.returncode == 0, ended.stderr
    assert "Sent" in ended.stderr


class Dying(LoopThread):
    """One whose thread ends in the middle, as an exception may do that is sent where nothing expects it."""

    def _serve(self) -> None:
        self._loop.call_later(0.05, self._loop.stop)
        self._loop.run_forever()


def test_a_thread_that_has_died_leaves_no_caller_waiting() -> None:
    """Its caller looks now and then whether it is alive."""
    thread = Dying("amends-test", CLOSED)
    thread.begin(seven())
    for question in (never, seven):
        with pytest.raises(EngineStopped, match=CLOSED):
            in_time(lambda question=question: thread.do(question()))  # type: ignore[misc]  # its default
    in_time(thread.end)


def test_an_end_that_races_with_calls_leaves_none_waiting() -> None:
    """Each call is answered, or told that it was too late; so are those whose coroutine never began."""
    for _ in range(50):
        thread = LoopThread("amends-test", CLOSED)
        thread.begin(seven())
        told, ready = SimpleQueue[Any](), threading.Barrier(5)

        def ask(thread: LoopThread = thread, told: SimpleQueue[Any] = told, ready: threading.Barrier = ready) -> None:
            ready.wait(PATIENCE_S)
            for _ in range(20):
                try:
                    told.put(thread.do(seven()))
                except EngineStopped as stopped:
                    told.put(str(stopped))

        for _ in range(4):
            threading.Thread(target=ask, daemon=True).start()
        ready.wait(PATIENCE_S)
        in_time(thread.end)
        in_time(thread.end)
        assert {told.get(timeout=PATIENCE_S) for _ in range(80)} <= {7, CLOSED}


def test_an_engine_whose_loop_is_broken_gives_its_store_back(tmp_path: Path) -> None:
    """Its callers are told; after its end, another one opens the file."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with amends.open(url, sagas=SAGAS) as engine:
        assert isinstance(in_time(lambda: engine.submit(COUNTED, Buy("Hamlet", 1)).result()).state, Completed)
        with pytest.raises(EngineStopped, match="its event loop failed"):
            ask_often(engine._thread, breaks_its_files)
        with pytest.raises(EngineStopped, match="its event loop failed"):
            in_time(lambda: engine.submit(COUNTED, Buy("Hamlet", 1)))
        in_time(engine.close)
    with amends.open(url, sagas=SAGAS) as engine:
        assert in_time(lambda: engine.entity("SOLD", "Hamlet")) == 1


def test_threads_that_close_one_engine_close_it_once(tmp_path: Path) -> None:
    """As a program's end and its signal's handler do at the same time."""
    for number in range(5):
        with amends.open(f"sqlite:///{tmp_path / f'{number}.db'}", sagas=SAGAS) as engine:
            ready, told = threading.Barrier(4), SimpleQueue[Any]()

            def close(
                close: Callable[[], None] = engine.close,
                ready: threading.Barrier = ready,
                told: SimpleQueue[Any] = told,
            ) -> None:
                ready.wait(PATIENCE_S)
                try:
                    close()
                    told.put(None)
                except BaseException as error:  # noqa: BLE001 - it is handed on
                    told.put(error)

            for _ in range(4):
                threading.Thread(target=close, daemon=True).start()
            assert [told.get(timeout=PATIENCE_S) for _ in range(4)] == [None] * 4


def test_a_child_that_closes_every_file_leaves_its_parent_s_engine_alone(tmp_path: Path) -> None:
    """As a daemon's second process does: what the parent's loop waits with is its own."""
    with amends.open(f"sqlite:///{tmp_path / 'shop.db'}", sagas=SAGAS) as engine:
        child = os.fork()
        if not child:
            os.closerange(3, 4096)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for _ in range(3):
            assert isinstance(in_time(lambda: engine.submit(COUNTED, Buy("Hamlet", 1)).result()).state, Completed)
