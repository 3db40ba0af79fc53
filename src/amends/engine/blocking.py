"""The engine for scripts without asyncio: the same one, on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import threading
from collections.abc import Callable, Coroutine, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from amends.core.definition import Command, Saga
from amends.core.messages import Outcome, Refused, Verb
from amends.engine.engine import Engine
from amends.engine.handle import Handle, Result
from amends.engine.home import Home
from amends.engine.logger import log
from amends.engine.loop import CLOSED
from amends.engine.thread import NoThread, begin
from amends.engine.transaction import Transaction
from amends.engine.turn_thread import TURN_THREAD
from amends.errors import AmendsError, EngineStopped, ParticipantError
from amends.generic import Wanted

Answer = TypeVar("Answer")


class BlockingHandle:
    """A saga whose start is on stable storage."""

    __slots__ = ("_engine", "_handle")

    def __init__(self, handle: Handle, engine: BlockingEngine) -> None:
        """Ask a blocking engine for what a handle of its engine does not know."""
        self._handle = handle
        self._engine = engine

    @property
    def saga_id(self) -> str:
        """The id of the saga."""
        return self._handle.saga_id

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end; see `amends.engine.handle.Handle.result`."""
        return self._handle.ended() or self._engine.result(self.saga_id, timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"


class BlockingEngine:
    """`amends.engine.engine.Engine`, method by method, for use inside ``with``. Any thread may call it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="amends-loop", daemon=True)
        self._lock = threading.RLock()  # a signal's handler may call, in the middle of another call
        self._pending: dict[SimpleQueue[Any], asyncio.Task[Any] | None] = {}
        self._is_over = False
        self._home = Home()

    def __enter__(self) -> Self:
        """See `Engine.__aenter__`."""
        try:
            begin(self._thread)
        except NoThread:
            self._loop.close()
            raise
        try:
            self._do(self._engine.__aenter__())
        except BaseException:
            self._end()
            raise
        atexit.register(self.close)  # for a program that does not
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `Engine.__aexit__`."""
        self.close()

    def close(self, drain_s: float | None = None) -> None:
        """See `Engine.close`. Ctrl-C ends the wait for calls.

        Raises:
            ParticipantError: a participant's function calls it, for which the engine waits.
        """
        if not self._home.is_here or self._is_over:
            return
        self._expect_no_participant()
        try:
            self._do(self._engine.close(drain_s))
        except KeyboardInterrupt:
            self._do(self._engine.close(0))
            raise
        finally:
            self._end()

    def submit(self, saga: Saga[Any, Wanted], request: Wanted, *, key: str | None = None) -> BlockingHandle:
        """See `Engine.submit`."""
        return BlockingHandle(self._do(self._engine.submit(saga, request, key=key)), self)

    def submit_many(
        self, saga: Saga[Any, Wanted], requests: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[BlockingHandle | AmendsError]:
        """See `Engine.submit_many`."""
        handles = self._do(self._engine.submit_many(saga, requests, keys=keys))
        return [BlockingHandle(one, self) if isinstance(one, Handle) else one for one in handles]

    def result(self, saga_id: str, timeout: float | None = None) -> Result:
        """See `Engine.result`."""
        return self._do(self._engine.result(saga_id, timeout))

    def answer(self, key: str, outcome: Outcome) -> None:
        """See `Engine.answer`."""
        self._do(self._engine.answer(key, outcome))

    def tell(self, saga_id: str, verb: Verb) -> None:
        """See `Engine.tell`."""
        self._do(self._engine.tell(saga_id, verb))

    def carry_out(self, command: Command, entity_id: str, body: Any, *, key: str | None = None) -> Refused | None:
        """See `Engine.carry_out`."""
        return self._do(self._engine.carry_out(command, entity_id, body, key=key))

    def transact(self, function: Callable[[Transaction], Any], keys: Sequence[str] = ()) -> Any:
        """See `Engine.transact`."""
        return self._do(self._engine.transact(function, keys))

    def entity(self, service: str, entity_id: str) -> Any:
        """See `Engine.entity`."""
        return self._do(self._engine.entity(service, entity_id))

    def _serve(self) -> None:
        """Run the loop. What ends it unasked, `SystemExit` in a task that a participant started, is no order to us."""
        while not self._is_over:
            try:
                self._loop.run_forever()
            except BaseException:  # noqa: BLE001 - it is told
                log.exception("a task ended the event loop, which goes on")

    def _do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            self._home.expect_process()  # first of all: a thread of the parent may have held the lock when it forked
            self._expect_no_participant()
        except AmendsError:
            what.close()
            raise
        reply = SimpleQueue[asyncio.Task[Answer] | None]()  # unlike a future, it holds no lock while a handler runs
        with self._lock:
            if self._is_over:
                what.close()
                raise EngineStopped(CLOSED)
            self._pending[reply] = None
            self._loop.call_soon_threadsafe(self._begin, what, reply)
        try:
            task = reply.get()
        finally:
            self._pending.pop(reply, None)
        if task is None or task.cancelled():
            if inspect.getcoroutinestate(what) == inspect.CORO_CREATED:  # it never began
                what.close()
            raise EngineStopped(CLOSED)
        return task.result()

    def _begin(self, what: Coroutine[Any, Any, Answer], reply: SimpleQueue[asyncio.Task[Answer] | None]) -> None:
        task = self._pending[reply] = self._loop.create_task(what)
        task.add_done_callback(reply.put)

    def _expect_no_participant(self) -> None:
        here = threading.current_thread()
        if here is self._thread or here.name.startswith(TURN_THREAD):
            raise ParticipantError("a participant called the blocking engine that waits for it; it would wait for ever")

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            pending = list(self._pending)
        atexit.unregister(self.close)
        for reply in pending:
            reply.put(None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
