"""An event loop in a thread of its own, for callers without asyncio: they hand it coroutines, and wait for these."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine
from queue import SimpleQueue
from typing import Any, TypeVar

from amends.engine.home import Home
from amends.engine.logger import log
from amends.engine.thread import TURN_THREAD, NoThread, begin
from amends.errors import AmendsError, EngineStopped, ParticipantError

Answer = TypeVar("Answer")


class LoopThread:
    """Runs coroutines of any thread, until it is ended."""

    def __init__(self, name: str, closed: str) -> None:
        """Start no thread yet.

        Args:
            name: of the thread.
            closed: what a caller is told once it has ended.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._closed = closed
        self._lock = threading.RLock()  # a signal's handler may call, in the middle of another call
        self._pending: dict[SimpleQueue[Any], asyncio.Task[Any] | None] = {}
        self._is_over = False
        self._home = Home()

    @property
    def is_open(self) -> bool:
        """Whether it runs coroutines, in this process; in a forked child nothing of it runs."""
        return self._home.is_here and not self._is_over

    def begin(self, what: Coroutine[Any, Any, object]) -> None:
        """Start the thread with a coroutine, and wait for its end; when that raises, the thread ends, too.

        Raises:
            NoThread: the system gives none.
            Exception: what the coroutine raises.
        """
        try:
            begin(self._thread)
        except NoThread:
            what.close()
            self._loop.close()
            raise
        try:
            self.do(what)
        except BaseException:
            self.end()
            raise

    def do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a coroutine, and wait for what it gives.

        Raises:
            EngineStopped: the thread has ended.
            EngineMisused: this is a forked child of the process in which it runs.
            ParticipantError: a participant's function calls, for which the loop itself waits.
            Exception: what the coroutine raises.
        """
        try:
            self._home.expect_process()  # first of all: a thread of the parent may have held the lock when it forked
            self.expect_no_participant()
        except AmendsError:
            what.close()
            raise
        reply = SimpleQueue[asyncio.Task[Answer] | None]()  # unlike a future, it holds no lock while a handler runs
        with self._lock:
            if self._is_over:
                what.close()
                raise EngineStopped(self._closed)
            self._pending[reply] = None
            self._loop.call_soon_threadsafe(self._begin, what, reply)
        try:
            task = reply.get()
        finally:
            self._pending.pop(reply, None)
        if task is None or task.cancelled():
            if inspect.getcoroutinestate(what) == inspect.CORO_CREATED:  # it never began
                what.close()
            raise EngineStopped(self._closed)
        return task.result()

    def expect_no_participant(self) -> None:
        """Refuse a call for which the loop, or the turns of an engine, would wait while it waits for them.

        Raises:
            ParticipantError: it is one.
        """
        here = threading.current_thread()
        if here is self._thread or here.name.startswith(TURN_THREAD):
            raise ParticipantError("a participant called the blocking engine that waits for it; it would wait for ever")

    def end(self) -> None:
        """End the thread: callers that still wait are told so."""
        with self._lock:
            self._is_over = True
            pending = list(self._pending)
        for reply in pending:
            reply.put(None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        """Run the loop. What ends it unasked, `SystemExit` in a task that a participant started, is no order to us."""
        while not self._is_over:
            try:
                self._loop.run_forever()
            except BaseException:  # noqa: BLE001 - it is told
                log.exception("a task ended the event loop, which goes on")

    def _begin(self, what: Coroutine[Any, Any, Answer], reply: SimpleQueue[asyncio.Task[Answer] | None]) -> None:
        task = self._pending[reply] = self._loop.create_task(what)
        task.add_done_callback(reply.put)
