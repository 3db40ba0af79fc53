"""An event loop in a thread of its own, for callers without asyncio: they hand it coroutines, and wait for these."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from amends.engine.home import Home
from amends.engine.logger import log
from amends.engine.thread import TURN_THREAD, NoThread, begin
from amends.errors import AmendsError, EngineStopped, ParticipantError
from amends.exceptions import raised

FAILURES_MAX: Final = 10  # in a row, of an event loop that gets nowhere in between: one that is closed fails for ever
BEAT_S: Final = 5.0  # a loop that waits for nothing looks at its files as often, and finds out that they are gone
LOOK_S: Final = 1.0  # between two looks of a caller whether the thread is alive that is to answer it
FAILED: Final = "its event loop failed (%s), and nothing is answered any more; close it, and open it again"

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
        self._failed = ""
        self._failures = 0
        self._next_beat: asyncio.TimerHandle | None = None
        self._home = Home()

    @property
    def is_open(self) -> bool:
        """Whether it is to be ended, in this process; in a forked child nothing of it runs."""
        return self._home.is_here and not self._is_over

    @property
    def has_failed(self) -> bool:
        """Whether nothing is answered any more, though it was not ended."""
        return bool(self._failed)

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
            EngineStopped: the thread has ended, or its event loop has failed.
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
            if self._is_over or self._failed:
                what.close()
                raise self._stopped
            self._pending[reply] = None
            with suppress(RuntimeError):  # a task has closed the loop, which is about to be found out
                self._loop.call_soon_threadsafe(self._begin, what, reply)
        try:
            task = self._awaited(reply)
        finally:
            self._pending.pop(reply, None)
        if task is None or task.cancelled():
            if inspect.getcoroutinestate(what) == inspect.CORO_CREATED:  # it never began
                what.close()
            raise self._stopped
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
        self._tell_pending()
        with suppress(RuntimeError):  # a task, or another thread, has closed it
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with self._lock, suppress(OSError):  # where its files are gone
            self._loop.close()

    @property
    def _stopped(self) -> EngineStopped:
        return EngineStopped(self._failed or self._closed)

    def _awaited(self, reply: SimpleQueue[asyncio.Task[Answer] | None]) -> asyncio.Task[Answer] | None:
        """The task of a coroutine that has ended; ``None`` where none will, however the thread came to its end."""
        while True:
            with suppress(Empty):
                return reply.get(timeout=LOOK_S)
            if not self._thread.is_alive():
                return None

    def _tell_pending(self) -> None:
        for reply in list(self._pending):
            reply.put(None)

    def _serve(self) -> None:
        """Run the loop. What ends it unasked, `SystemExit` in a task that a participant started, is no order to us.

        Each of these takes the callback with it that raised it. Any other exception is one of the loop itself, or was
        sent into this thread: the loop goes on as long as it gets anywhere between two of them.
        """
        error: BaseException | None = None
        while not self._is_over and self._failures < FAILURES_MAX:
            try:
                if error is not None:
                    log.error("the event loop of %s was ended, and goes on", self._thread.name, exc_info=error)
                    error = None
                self._loop.call_soon(self._beat)
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as ordered:
                error = ordered
            except BaseException as failure:  # noqa: BLE001 - it is told
                error = failure
                self._failures += 1
        if error is not None and not self._is_over:
            self._failed = FAILED % raised(error)
            log.error("the event loop of %s failed", self._thread.name, exc_info=error)
        self._tell_pending()

    def _beat(self) -> None:
        """The loop gets somewhere, and is to look at its files again."""
        self._failures = 0
        if self._next_beat is not None:
            self._next_beat.cancel()
        self._next_beat = self._loop.call_later(BEAT_S, self._beat)

    def _begin(self, what: Coroutine[Any, Any, Answer], reply: SimpleQueue[asyncio.Task[Answer] | None]) -> None:
        task = self._pending[reply] = self._loop.create_task(what)
        task.add_done_callback(reply.put)
