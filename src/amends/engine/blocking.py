"""The engine for scripts without asyncio: the same one, on a loop in a thread of its own."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar

from amends.core.definition import Command, Saga
from amends.core.messages import Outcome, Refused, Verb
from amends.core.step import SagaInstance
from amends.engine.engine import Engine
from amends.engine.handle import Result, StartedSaga
from amends.engine.health import Health
from amends.engine.looking import BlockingLooks
from amends.engine.loop import CLOSED
from amends.engine.loop_thread import LoopThread
from amends.engine.telling import BlockingTells
from amends.engine.transaction import Transaction
from amends.errors import AmendsError, EngineStopped
from amends.generic import Wanted
from amends.views.story import Description

Answer = TypeVar("Answer")


class BlockingHandle(StartedSaga):
    """A saga whose start is on stable storage."""

    __slots__ = ("_engine",)

    def __init__(self, begun: SagaInstance | str, engine: BlockingEngine) -> None:
        """Ask a blocking engine for what is not known; see `Handle`."""
        super().__init__(begun)
        self._engine = engine

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end; see `amends.engine.handle.Handle.result`."""
        return self.ended() or self._engine.result(self.saga_id, timeout)

    def describe(self) -> Description:
        """The saga, step by step; see `amends.engine.handle.Handle.describe`."""
        return self._engine.describe(self.saga_id)


class BlockingEngine(BlockingLooks, BlockingTells):
    """`amends.engine.engine.Engine`, method by method, for use inside ``with``. Any thread may call it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = LoopThread("amends-loop", CLOSED)

    def __enter__(self) -> Self:
        """See `Engine.__aenter__`."""
        self._thread.begin(self._engine.__aenter__())
        atexit.register(self.close)  # for a program that does not
        return self

    def __exit__(self, *_: object) -> None:
        """See `Engine.__aexit__`."""
        self.close()

    def close(self, drain_s: float | None = None) -> None:
        """See `Engine.close`. Ctrl-C ends the wait for calls.

        Raises:
            ParticipantError: a participant's function calls it, for which the engine waits.
        """
        if not self._thread.is_open:
            return
        self._thread.expect_no_participant()
        try:
            self._thread.do(self._engine.close(drain_s))
        except KeyboardInterrupt:
            self._thread.do(self._engine.close(0))
            raise
        except EngineStopped:  # another thread has closed it; or its loop has failed: then the store is given back here
            if self._thread.has_failed:
                apart = LoopThread("amends-apart", CLOSED)
                apart.begin(self._engine.close(0))
                apart.end()
        finally:
            atexit.unregister(self.close)
            self._thread.end()

    @property
    def wire_durability(self) -> str:
        """See `Engine.wire_durability`."""
        return self._engine.wire_durability

    def health(self) -> Health:
        """See `Engine.health`."""
        return self._thread.do(self._engine.health())

    def metrics(self) -> str:
        """See `Engine.metrics`."""
        return self._engine.metrics()

    def submit(self, saga: Saga[Any, Wanted], request: Wanted, *, key: str | None = None) -> BlockingHandle:
        """See `Engine.submit`."""
        return BlockingHandle(self._thread.do(self._engine.starter.start(saga, request, key)), self)

    def submit_many(
        self, saga: Saga[Any, Wanted], requests: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[BlockingHandle | AmendsError]:
        """See `Engine.submit_many`."""
        begun = self._thread.do(self._engine.starter.start_many(saga, requests, keys))
        return [one if isinstance(one, AmendsError) else BlockingHandle(one, self) for one in begun]

    def result(self, saga_id: str, timeout: float | None = None) -> Result:
        """See `Engine.result`."""
        return self._thread.do(self._engine.result(saga_id, timeout))

    def ask(self, question: Callable[[Engine], Coroutine[Any, Any, Answer]]) -> Answer:
        """Have the engine do something, in its own thread, and wait for the answer.

        Raises:
            EngineStopped: the engine is not open.
        """
        return self._thread.do(question(self._engine))

    def answer(self, key: str, outcome: Outcome, *, by: str = "", reason: str = "") -> None:
        """See `Engine.answer`."""
        self._thread.do(self._engine.answer(key, outcome, by=by, reason=reason))

    def tell(self, saga_id: str, verb: Verb) -> None:
        """See `Engine.tell`."""
        self._thread.do(self._engine.tell(saga_id, verb))

    def carry_out(self, command: Command, entity_id: str, body: Any, *, key: str | None = None) -> Refused | None:
        """See `Engine.carry_out`."""
        return self._thread.do(self._engine.carry_out(command, entity_id, body, key=key))

    def transact(self, function: Callable[[Transaction], Any], keys: Sequence[str] = ()) -> Any:
        """See `Engine.transact`."""
        return self._thread.do(self._engine.transact(function, keys))

    def entity(self, service: str, entity_id: str) -> Any:
        """See `Engine.entity`."""
        return self._thread.do(self._engine.entity(service, entity_id))
