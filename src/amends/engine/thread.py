"""The one thread in which turns are taken: no exception ends it by accident, and it keeps no process alive.

The interpreter ends the executors of `concurrent.futures` before it calls what was registered with `atexit`, where
programs close what they opened. And an exception that some library sends into a thread (`PyThreadState_SetAsyncExc`, a
time limit that comes too late) would end theirs, after which no client is answered any more.
"""

from __future__ import annotations

import asyncio
import atexit
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

TURN_THREAD: Final = "amends-turn"
"""The name of the thread in which an engine takes its turns."""

ATTEMPTS_MAX: Final = 3  # to call and tell: an exception for each of two is sent into the thread, or no loop listens

Tell = Callable[[BaseException | None, Any], object]
"""Is told what a function raised, or what it gave back; a second time it does nothing."""


class Job:
    """Something to call.

    Attributes:
        function: the function to call.
        tell: gets its answer, or what it raised.
        attempts: how often it was begun: the first time it is called, and interrupted it is told so, not called again.
    """

    def __init__(self, function: Callable[[], Any], tell: Tell) -> None:
        self.function = function
        self.tell = tell
        self.attempts = 0

    def attempt(self, interrupted: BaseException | None) -> None:
        """Call it; the next time only tell what has interrupted it; and then no more."""
        self.attempts += 1
        if self.attempts == 1:
            self.tell(*called(self.function))
        elif self.attempts <= ATTEMPTS_MAX:
            self.tell(interrupted, None)


class OneThread:
    """Calls one function after the other. The end of the process waits for the one that is under way."""

    def __init__(self, name: str) -> None:
        """Start the thread.

        Args:
            name: of the thread.

        Raises:
            RuntimeError: the system gives none.
        """
        self._jobs = deque[Job]()  # the first one is under way
        self._wake = SimpleQueue[None]()
        self._lock = threading.Lock()
        self._is_over = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        begin(self._thread)
        atexit.register(self.shutdown)

    def submit(self, function: Callable[[], Any], tell: Tell) -> None:
        """Have a function called, after those that were given before.

        Raises:
            RuntimeError: the thread was to end.
        """
        with self._lock:
            if self._is_over:
                raise RuntimeError("the thread was to end, and takes nothing more")
            self._jobs.append(Job(function, tell))
            self._wake.put(None)

    async def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """Have a function called, and wait for its answer in an event loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.submit(partial(function, *given), partial(loop.call_soon_threadsafe, partial(settle, future)))
        return await future

    def shutdown(self, *, wait: bool = True) -> None:
        """Let the thread end, after what it was given; a forked child has none to end."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if not self._is_over:
                self._is_over = True
                self._wake.put(None)
                atexit.unregister(self.shutdown)
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        """Do what is there, until there will be no more. What is sent here may come out of any call of ours."""
        sent: BaseException | None = None
        while True:
            try:
                while self._jobs:
                    job = self._jobs[0]
                    job.attempt(sent)
                    del self._jobs[0]
                    del job  # while it waits, nothing is kept alive
                if self._is_over:
                    return
                self._wake.get()
            except BaseException as error:  # noqa: BLE001 - it was sent into this thread, or no loop listens any more
                sent = error


def called(function: Callable[..., Any], *given: Any) -> tuple[BaseException | None, Any]:
    """Call a function: what it raised, as it was, or what it gave back."""
    try:
        return None, function(*given)
    except BaseException as error:  # noqa: BLE001 - it is handed on: what the function did may stand all the same
        return error, None


class NoThread(OSError):
    """No thread could be started."""


def begin(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        NoThread: the process may have no more of them, or there is no memory for one.
    """
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise NoThread(errno.EAGAIN, str(error) or "no memory for a thread") from error


def settle(future: asyncio.Future[Any] | Future[Any], error: BaseException | None, answer: Any) -> None:
    """Give a future what a function raised, or gave back, unless it has it."""
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
