"""The event loop of one simulated process: asyncio's tasks and timers, on the time of the world.

What the engine does on a wire is written for asyncio, and runs here as it is. Nothing runs while the process stands
still, and nothing any more once it is gone.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from math import ceil
from typing import Any, Final

from amends.checking.simulator.environment import SECOND_MS, Environment

IS_PENDING: Final = "but it is pending"  # what asyncio says of a task that is gone with its process


class SimulatedLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as tasks, futures and timers need."""

    def __init__(self, world: Environment, still_ms: Callable[[], int]) -> None:
        """Nothing is to be done yet.

        Args:
            world: whose time it is.
            still_ms: for how long the process stands still; 0 where it does not.
        """
        self._world = world
        self._still_ms = still_ms
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_awake = False
        self._is_over = False

    def time(self) -> float:
        """Seconds, of the world."""
        return self._world.now_ms / SECOND_MS

    def get_debug(self) -> bool:
        """Never."""
        return False

    def call_soon(  # type: ignore[override]  # of a callback's arguments nothing is known here
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Do something next."""
        handle = asyncio.Handle(callback, args, self, context)
        self._do(handle)
        return handle

    def call_later(  # type: ignore[override]  # as above
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Do something after a time in seconds; where nothing else is to come, it is over."""
        handle = asyncio.TimerHandle(self.time() + delay, callback, args, self, context)
        self._world.in_background(ceil(delay * SECOND_MS), self._do, handle)
        return handle

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Do something at a time in seconds."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is left out when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        """Something to wait for."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:  # type: ignore[override]  # no other kind
        """Let something run beside the rest."""
        task = asyncio.Task(coro, loop=self, **more)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception that no caller hears is a bug."""
        if IS_PENDING not in context["message"]:
            self._world.broke("P16", f"{context['message']}: {context.get('exception')!r}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let what is called meanwhile find this loop."""
        before = asyncio._get_running_loop()  # noqa: SLF001 - asyncio offers it to whoever writes a loop
        asyncio._set_running_loop(self)  # noqa: SLF001 - as above
        try:
            yield
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001 - as above

    def end(self) -> None:
        """Do nothing any more: the process is gone."""
        self._is_over = True
        self._ready.clear()
        for task in self._tasks:
            work = task.get_coro()
            if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                work.close()  # it never began

    def _do(self, handle: asyncio.Handle) -> None:
        if self._is_over:
            return
        self._ready.append(handle)
        if not self._is_awake:
            self._is_awake = True
            self._world.in_background(0, self._run)

    def _run(self) -> None:
        if still_ms := self._still_ms():
            self._world.after(still_ms, self._run)
        else:
            self._is_awake = False
            self.run_ready()

    def run_ready(self) -> None:
        """Do all that is to be done now."""
        with self.running():
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - asyncio offers it to whoever writes a loop
