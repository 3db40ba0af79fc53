"""Calling participants outside: each in a lane of its own, so that a slow one starves nobody.

A lane has a bounded number of calls at a time; what waits for a place goes out in order, and not after it is due. A
call that nobody waits for any more gives its place free and is still listened to, since its late answer may be worth
recording; so many of these are kept, and the oldest is ended when there are more.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from amends.core.definition import Step
from amends.core.messages import Answered, Done, Outcome, Refused, Send, Unknown
from amends.core.run import outcome_of
from amends.engine.codec import plain, raised, worded
from amends.engine.flights import Asking, Flight, flight_of
from amends.ports import Clock

CONCURRENCY: Final = 64  # calls of one participant at a time, unless told otherwise
CLOSE_S: Final = 5.0  # how long the end of the engine waits for calls that were cancelled
LATE_MAX: Final = 256  # calls of one participant that are still listened to after their time

Hear = Callable[[str, Answered], None]
"""Called with a saga's id and what was answered."""


class Calls:
    """All calls under way."""

    def __init__(self, clients: Mapping[str, Any], concurrency: Mapping[str, int], clock: Clock, hear: Hear) -> None:
        """Nothing is called yet.

        Args:
            clients: by service; what a participant's function gets first; ``None`` where there is none.
            concurrency: by service, how many calls at a time; `CONCURRENCY` where there is none.
            clock: the engine's.
            hear: is told what was answered.
        """
        self._clients = clients
        self._concurrency = concurrency
        self._clock = clock
        self._hear = hear
        self._lanes: dict[str, Lane] = {}

    def send(self, requests: Iterable[Asking]) -> None:
        """Send requests, each as soon as its participant has a place."""
        for step, send in requests:
            lane = self._lanes.get(step.service)
            if lane is None:
                limit = self._concurrency.get(step.service, CONCURRENCY)
                lane = self._lanes[step.service] = Lane(self._clients.get(step.service), limit, self._clock, self._hear)
            lane.send(step, send)

    def drop(self, flights: Iterable[Flight]) -> None:
        """Give the places of attempts free that nobody waits for any more."""
        for flight in flights:
            for lane in self._lanes.values():
                lane.drop(flight)

    async def close(self) -> None:
        """End every call that can be ended; what their outcome is stays unknown."""
        for lane in self._lanes.values():
            await lane.close()


class Lane:
    """The calls of one participant."""

    def __init__(self, client: Any, limit: int, clock: Clock, hear: Hear) -> None:
        self._client = client
        self._limit = limit
        self._clock = clock
        self._hear = hear
        self._queue: OrderedDict[Flight, Asking] = OrderedDict()
        self._calls: dict[Flight, asyncio.Task[None]] = {}
        self._late: dict[asyncio.Task[None], None] = {}
        self._living = 0  # calls that have not returned, whoever waits for them: a thread cannot be ended

    def send(self, step: Step, send: Send) -> None:
        """Send a request, or let it wait for a place."""
        self._queue[flight_of(send)] = step, send
        self._fill()

    def drop(self, flight: Flight) -> None:
        """Give the place of an attempt free; one that still waits for a place is not sent any more."""
        self._queue.pop(flight, None)
        call = self._calls.pop(flight, None)
        if call is not None:
            self._late[call] = None
            if len(self._late) > LATE_MAX:
                oldest = next(iter(self._late))
                del self._late[oldest]
                oldest.cancel()
            self._fill()

    async def close(self) -> None:
        """End every call that can be ended."""
        self._queue.clear()
        calls = [*self._calls.values(), *self._late]
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls, timeout=CLOSE_S)  # not for one that will not be ended

    def _fill(self) -> None:
        while self._queue and len(self._calls) < self._limit and self._living < self._limit + LATE_MAX:
            flight, (step, send) = self._queue.popitem(last=False)
            if self._clock.now_ms() < (send.at_ms + send.due_ms) // 2:  # else it times out unsent, and is asked again:
                self._living += 1  # who had too little time for an answer would only take places from the others
                self._calls[flight] = asyncio.create_task(self._call(step, send))

    def _returned(self) -> None:
        self._living -= 1
        self._fill()

    async def _call(self, step: Step, send: Send) -> None:
        request = send.request
        try:
            if self._clock.now_ms() >= send.due_ms:  # the loop was blocked: it counts as timed out already
                self._returned()
                return
            outcome = await self._outcome(step, send)
            self._hear(request.saga_id, Answered(request.step, request.kind, outcome, request.call.attempt))
        finally:
            self._late.pop(asyncio.current_task(), None)  # type: ignore[arg-type]  # it runs, so there is one
            self._calls.pop(flight_of(send), None)
            self._fill()

    async def _outcome(self, step: Step, send: Send) -> Outcome:
        """What a participant says; whatever it raises is unknown, never a no (docs/promises.md, P5)."""
        request = send.request
        function = step.function(request.kind)
        assert function is not None, "only what a step has is asked"
        try:
            if inspect.iscoroutinefunction(function):
                answer = await self._awaited(function(self._client, request.body, request.call))
            else:
                error, answer = await in_thread(self._returned, function, self._client, request.body, request.call)
                if error is not None:
                    return Unknown(raised(error), cause=error)
                if inspect.isawaitable(answer):
                    answer = await answer
            return storable(outcome_of(answer, request))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it was, the effect may have happened
            return Unknown(raised(error), cause=error)

    async def _awaited(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        finally:
            self._returned()


def in_thread(
    returned: Callable[[], None], function: Callable[..., Any], *given: Any
) -> asyncio.Future[tuple[BaseException | None, Any]]:
    """Call a function in a thread of its own. It holds nobody back: a process ends without waiting for it.

    What it raises is handed on as a value, as it was: a future takes no StopIteration, and SystemExit is no order to
    us.

    Args:
        returned: called in the loop once the function has returned, whether or not anybody still waits.
        function: called with `given`.
        given: its arguments.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[BaseException | None, Any]] = loop.create_future()

    def tell(error: BaseException | None, answer: Any) -> None:
        returned()
        if not future.done():
            future.set_result((error, answer))

    def call() -> None:
        error, answer = None, None
        try:
            answer = function(*given)
        except BaseException as raising:  # noqa: BLE001 - whatever it was, the effect may have happened
            error = raising
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, error, answer)

    threading.Thread(target=call, name="amends-call", daemon=True).start()
    return future


def storable(outcome: Outcome) -> Outcome:
    """An outcome whose answer is as it will be read back.

    Raises:
        TypeError, ValueError: an answer that JSON cannot hold.
    """
    match outcome:
        case Done(answer) if answer is not None:
            return Done(plain(answer))
        case Refused(reason):
            return Refused(worded(reason))
        case Unknown(error):
            return replace(outcome, error=worded(error))
    return outcome
