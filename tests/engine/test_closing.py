"""The end of an engine: calls under way are waited for, and the store is given back whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Backoff, Completed, Done, EngineMisused, EngineStopped, Handle, Saga, UnusableInput, external
from amends.adapters.memory import MemoryStore
from tests.engine.test_engine import PATIENCE_S, engine, run


class Gate:
    """A participant whose calls begin, and end when they are let through.

    Attributes:
        asked: request to how often.
    """

    def __init__(self) -> None:
        self.asked = Counter[int]()
        self.begun = threading.Semaphore(0)
        self.opened = threading.Event()

    def plain(self, client: Any, asked: int, call: Any) -> Done:
        """Wait in a thread."""
        self.asked[asked] += 1
        self.begun.release()
        assert self.opened.wait(PATIENCE_S)
        return Done(asked)

    async def asynchronous(self, client: Any, asked: int, call: Any) -> Done:
        """Wait in the loop."""
        self.asked[asked] += 1
        self.begun.release()
        while not self.opened.is_set():
            await asyncio.sleep(0.001)
        return Done(asked)

    async def deaf(self, client: Any, asked: int, call: Any) -> Done:
        """Wait in the loop, and for a while once more when cancelled."""
        try:
            return await self.asynchronous(client, asked, call)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            raise

    async def are_asked(self, count: int) -> None:
        """Wait until so many calls have begun."""
        for _ in range(count):
            while not self.begun.acquire(blocking=False):
                await asyncio.sleep(0.001)

    def saga(self, kind: str) -> Saga:
        """Return a saga that asks it."""
        asks = external("MAIL_SENT", getattr(self, kind), pivot=True, at_least_once=True, backoff=Backoff(0.001, 0.002))
        return Saga(kind, int, [asks])


def reopened(store: str, saga: Saga) -> None:
    """Open the store again, in this process."""
    with amends.open(store, sagas=[saga], drain_s=0):
        pass


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
def test_the_end_waits_for_calls_under_way(kind: str) -> None:
    """Their answers are stored: nothing is repeated because of a deploy, and nothing new is sent or taken."""

    async def test() -> None:
        gate, store = Gate(), MemoryStore()
        saga = gate.saga(kind)
        async with engine(store, saga, drain_s=PATIENCE_S, concurrency={"MAIL": 4}) as first:
            handles = await first.submit_many(saga, range(5))
            await gate.are_asked(3)
            closing = asyncio.create_task(first.close())
            await asyncio.sleep(0)
            with pytest.raises(EngineStopped):
                await first.submit(saga, 6)
            gate.opened.set()
            await closing
        assert sorted(gate.asked) == [0, 1, 2]
        async with engine(store, saga, prefix="b") as second:
            for handle in handles:
                assert isinstance(handle, Handle)
                assert isinstance((await second.result(handle.saga_id)).state, Completed)
        assert gate.asked == dict.fromkeys(range(5), 1)

    run(test())


@pytest.mark.parametrize("ends", ["at the end of the wait", "by an impatient second call"])
def test_the_end_does_not_wait_for_ever(ends: str) -> None:
    """What is still under way is cancelled."""

    async def test() -> None:
        gate = Gate()
        saga = gate.saga("asynchronous")
        running = engine(MemoryStore(), saga, drain_s=0.05 if ends.startswith("at") else 3600)
        await running.__aenter__()
        await running.submit(saga, 1)
        await gate.are_asked(1)
        closing = asyncio.create_task(running.close())
        if ends.startswith("by"):
            await asyncio.sleep(0.01)
            await running.close(0)
        await closing

    run(test())


def test_a_cancelled_close_gives_the_store_back(tmp_path: Path) -> None:
    """It ends the wait for calls, and whoever closes it again waits for the rest."""
    store, gate = f"sqlite:///{tmp_path / 'a.db'}", Gate()
    saga = gate.saga("deaf")

    async def test() -> None:
        running = await amends.open(store, sagas=[saga], drain_s=3600).__aenter__()
        await running.submit(saga, 1)
        await gate.are_asked(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(running.close(), 0.01)
        await running.close()
        reopened(store, saga)

    run(test())


def test_a_close_that_is_cut_with_its_loop_gives_the_store_back(tmp_path: Path) -> None:
    """As a second Ctrl-C does it: every task is cancelled, the one that closes too."""
    store, gate = f"sqlite:///{tmp_path / 'a.db'}", Gate()
    saga = gate.saga("deaf")

    async def test() -> None:
        running = await amends.open(store, sagas=[saga], drain_s=3600).__aenter__()
        await running.submit(saga, 1)
        await gate.are_asked(1)
        closing = asyncio.create_task(running.close())
        await asyncio.sleep(0.01)
        assert not closing.done()

    run(test())
    reopened(store, saga)


@pytest.mark.parametrize("is_over", [True, False])
def test_an_engine_can_be_closed_once_its_loop_has_ended(tmp_path: Path, is_over: bool) -> None:
    """Closed, or only not run any more."""
    store, gate = f"sqlite:///{tmp_path / 'a.db'}", Gate()
    saga = gate.saga("asynchronous")
    loop = asyncio.new_event_loop()
    running = loop.run_until_complete(amends.open(store, sagas=[saga], drain_s=0).__aenter__())
    loop.run_until_complete(running.submit(saga, 1))
    if is_over:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.close()
    for _ in range(2):
        run(running.close())
    reopened(store, saga)
    if not is_over:
        loop.run_until_complete(running.close())
        loop.close()


@pytest.mark.parametrize("steps", range(5))
def test_the_end_of_its_event_loop_is_heard_in_every_moment(steps: int) -> None:
    """Also where something had just come in: `asyncio.run` cancels each task once, and waits for it."""

    async def test() -> None:
        running = await engine(MemoryStore(), Gate().saga("plain")).__aenter__()
        await running.entity("MAIL", "x")
        await asyncio.sleep(0.01)  # it has nothing to do any more
        running._loop._queue.arrived.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        loop_task = running._loop._task
        assert loop_task is not None
        loop_task.cancel()
        done, _ = await asyncio.wait([loop_task], timeout=PATIENCE_S)
        assert done

    run(test())


def test_an_engine_cannot_be_closed_from_elsewhere_while_it_runs() -> None:
    """It would be closed under whoever uses it."""

    async def test() -> None:
        saga = Gate().saga("asynchronous")
        async with engine(MemoryStore(), saga) as running:
            with pytest.raises(EngineMisused, match="another event loop"):
                await asyncio.to_thread(asyncio.run, running.close())

    run(test())


def test_scripts_close_with_a_wait_too(tmp_path: Path) -> None:
    """And Ctrl-C ends the wait, not the giving back."""
    store, gate = f"sqlite:///{tmp_path / 'a.db'}", Gate()
    saga = gate.saga("plain")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = amends.open(store, sagas=[saga], drain_s=3600).__enter__()
        running.submit(saga, 1)
        assert gate.begun.acquire(timeout=PATIENCE_S)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - from where the timer starts on, however long that takes
            threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
            running.close()
    finally:
        signal.signal(signal.SIGINT, before)
        gate.opened.set()
    running.close()
    reopened(store, saga)


def test_the_wait_is_a_length_of_time() -> None:
    """Whatever else is said is refused before the store is opened."""
    for wrong in (-1, float("nan"), "1", None, True):
        with pytest.raises(UnusableInput, match="drain_s"):
            amends.open("memory:", sagas=[], drain_s=wrong)  # type: ignore[arg-type]  # what a caller may get wrong


class Jumping:
    """A clock that jumps, as one does when a suspended machine wakes."""

    def __init__(self, _: int) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        """Return the time."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def elapsed_ms(self) -> int:
        """Return the same: it stands for one that counts suspension."""
        return self.now_ms()


def test_what_is_due_when_the_machine_wakes_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's timers stood still meanwhile; the clock did not."""
    monkeypatch.setattr("amends.engine.turn_taking.SLICE_S", 0.01)
    clock = Jumping(0)
    opens: Callable[[int], Jumping] = lambda _: clock  # noqa: E731 - a clock of the test's own

    async def test() -> None:
        async def later(client: Any, asked: int, call: Any) -> Any:
            return amends.Later(3600) if call.attempt == 1 else Done(call.attempt)

        saga = Saga(
            "s",
            int,
            [external("ASKED", later, pivot=True, timeout_s=3600, limit_s=3600, backoff=Backoff(0.001, 0.002))],
        )
        running = engine(MemoryStore(), saga)
        running._loop._turns._open_clock = opens
        async with running:
            handle = await running.submit(saga, 1)
            waits = asyncio.create_task(handle.result(PATIENCE_S))
            await asyncio.sleep(0.2)  # it sleeps by now, and whoever asks would wake it
            clock.ahead_ms = 3_700_000
            assert (await waits).answers == {"ASKED": 2}

    run(test())
