"""A client for programs without asyncio: the same one, on a loop in a thread of its own."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar

from amends.client.client import ACTED_WITHIN_S, Client
from amends.client.connection import CLOSED, NOT_OPEN
from amends.client.handle import ClientHandle
from amends.core.definition import Saga
from amends.core.messages import Outcome, Verb
from amends.engine.handle import Result
from amends.engine.looking import BlockingLooks
from amends.engine.loop_thread import LoopThread
from amends.engine.telling import BlockingTells
from amends.errors import AmendsError, EngineStopped
from amends.generic import Wanted
from amends.storage.forks import forget_in_children
from amends.views.story import Description

Answer = TypeVar("Answer")


class BlockingClientHandle:
    """A saga that was asked for: its letter is on stable storage, and an engine starts it."""

    __slots__ = ("_client", "_handle")

    def __init__(self, handle: ClientHandle, client: BlockingClient) -> None:
        """Ask a blocking client for what is not known; see `ClientHandle`."""
        self._handle = handle
        self._client = client

    @property
    def saga_id(self) -> str:
        """Of the saga; see `ClientHandle`."""
        return self._handle.saga_id

    def started(self, timeout: float | None = None) -> str:
        """See `ClientHandle.started`."""
        return self._client.ask(lambda client: self._handle.of(client.tracker).started(timeout))

    def result(self, timeout: float | None = None) -> Result:
        """See `ClientHandle.result`."""
        return self._client.ask(lambda client: self._handle.of(client.tracker).result(timeout))

    def describe(self) -> Description:
        """See `ClientHandle.describe`."""
        return self._client.ask(lambda client: self._handle.of(client.tracker).describe())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"


class BlockingClient(BlockingLooks, BlockingTells):
    """`amends.client.client.Client`, method by method, for use inside ``with``. Any thread may call it.

    So may a forked child: it connects anew there, by itself, and leaves what is its parent's alone.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._opened: tuple[LoopThread, Client] | None = None
        self._closed: str | None = NOT_OPEN
        self._parents: list[Any] = []
        forget_in_children(self)

    def __enter__(self) -> Self:
        """See `Client.__aenter__`."""
        self._open()
        self._closed = None
        atexit.register(self.close)  # for a program that does not
        return self

    def __exit__(self, *_: object) -> None:
        """See `Client.__aexit__`."""
        self.close()

    def close(self) -> None:
        """See `Client.close`."""
        with self._lock:
            opened, self._opened = self._opened, None
            self._closed = self._closed or CLOSED
        atexit.unregister(self.close)
        if opened is not None:
            thread, client = opened
            try:
                thread.do(client.close())
            finally:
                thread.end()

    def submit(self, saga: Saga[Any, Wanted], request: Wanted, *, key: str | None = None) -> BlockingClientHandle:
        """See `Client.submit`."""
        return BlockingClientHandle(self.ask(lambda client: client.submit(saga, request, key=key)), self)

    def submit_many(
        self, saga: Saga[Any, Wanted], requests: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[BlockingClientHandle | AmendsError]:
        """See `Client.submit_many`."""
        asked = self.ask(lambda client: client.submit_many(saga, requests, keys=keys))
        return [BlockingClientHandle(one, self) if isinstance(one, ClientHandle) else one for one in asked]

    def result(self, saga_id: str, timeout: float | None = None) -> Result:
        """See `Client.result`."""
        return self.ask(lambda client: client.result(saga_id, timeout))

    def answer(
        self, key: str, outcome: Outcome, *, by: str = "", reason: str = "", timeout: float | None = ACTED_WITHIN_S
    ) -> None:
        """See `Client.answer`."""
        self.ask(lambda client: client.answer(key, outcome, by=by, reason=reason, timeout=timeout))

    def tell(self, saga_id: str, verb: Verb, *, timeout: float | None = ACTED_WITHIN_S) -> None:
        """See `Client.tell`."""
        self.ask(lambda client: client.tell(saga_id, verb, timeout=timeout))

    def ask(self, question: Callable[[Client], Coroutine[Any, Any, Answer]]) -> Answer:
        """Have the client do something, in its own thread, and wait for the answer.

        Raises:
            EngineStopped: the client is not open.
        """
        thread, client = self._current()
        return thread.do(question(client))

    def forget(self) -> None:
        """In a child: what is open is the parent's, and to finalize it would change what that goes on with."""
        self._parents.append(self._opened)
        self._lock, self._opened = threading.RLock(), None

    def _current(self) -> tuple[LoopThread, Client]:
        """The client of this process, which is connected when it is first asked."""
        with self._lock:
            if self._closed is not None:
                raise EngineStopped(self._closed)
            return self._opened or self._open()

    def _open(self) -> tuple[LoopThread, Client]:
        client, thread = self._make(), LoopThread("amends-client", CLOSED)
        thread.begin(client.__aenter__())
        self._opened = thread, client
        return self._opened
