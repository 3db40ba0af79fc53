"""The calls of participants outside: those of each are apart, so that a slow one does not hold up the others.

A participant has a bounded number of calls at a time; a request that waits for a slot goes out in order, and not after
it is due. A call whose saga waits for it no longer gives its slot free and is still listened to, since its late answer
may be worth recording; so many of these are kept, and the oldest is ended when there are more.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
import time
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any, Final

from amends.core.definition import Saga, Step
from amends.core.effects import Send
from amends.core.messages import Answered, Call, Outcome, Request, Unknown
from amends.core.run import outcome_of
from amends.engine.batch import BatchResult
from amends.engine.budgets import Budget
from amends.engine.in_flight import AttemptId, Outgoing
from amends.engine.limits import ALONE, Limits
from amends.engine.logger import log
from amends.engine.measures import EngineMeasures, PlacesSeen, places_families
from amends.engine.posting import Posting
from amends.engine.slots import LATE_MAX, Slots
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.thread import NoThread, begin, called
from amends.engine.tracing import Traces, spanned
from amends.errors import Overloaded
from amends.exceptions import is_interrupt, raised
from amends.metrics import MetricFamily
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.values import storable
from amends.storage.ports import Clock

DRAIN_LOOK_S: Final = 0.02  # how often the end of an engine looks whether all calls are over: what no person notices
CLOSE_S: Final = 5.0  # how long the end waits for calls that were cancelled: half of what one may take by default
STRETCH_S: Final = 1.0  # a call that keeps the loop for longer is named in the log: meanwhile nothing else is heard
LEASE_OVER: Final = "it was not asked: the time in which its answer counts here was over, and another engine may ask it"
BLOCKED: Final = (
    "saga %s: %s/%s kept the event loop for itself for %.1f s (time %d of this step), and nothing else went on: "
    "await what it waits for, or make it a plain function, which gets a thread"
)


class Calls:
    """All calls under way.

    Attributes:
        traces: in which they are.
        measures: how many there were, and how long they took.
    """

    def __init__(
        self,
        clients: Mapping[str, Any],
        limits: Limits,
        clock: Clock,
        departed: dict[AttemptId, int],
        tell: Callable[[Task], None],
        lease_left_s: Callable[[], float],
        posting: Posting | None = None,
    ) -> None:
        """Nothing is called yet.

        Args:
            clients: by service; what a participant's function gets first; ``None`` where there is none.
            limits: how much is asked of a participant, and how many requests may wait.
            clock: the engine's.
            departed: when each attempt was really sent; see `amends.engine.in_flight.InFlight`.
            tell: gets the tasks that are to be committed: answers, and which requests found a slot, or none.
            lease_left_s: for how many seconds answers count here; nothing is called where that is not above 0.
            posting: asks the participants that are elsewhere, where there are any.
        """
        self._clients = clients
        self._limits = limits
        self._clock = clock
        self._departed = departed
        self._tell = tell
        self._lease_left_s = lease_left_s
        self._posting = posting
        self.traces = Traces()
        self.measures = EngineMeasures()
        self._services: dict[str, ServiceCalls] = {}
        self._is_open = True
        self._hurries = asyncio.Event()

    def take(self, turn: BatchResult) -> None:
        """Do about requests what is to be done after a turn."""
        if self._posting:
            turn = self._posting.take(turn, self.traces)
        for attempt_id in turn.dropped:
            self.drop(attempt_id)
        for attempt_id in turn.moved:
            if not self._dropped_elsewhere(attempt_id):
                any(calls.leave(attempt_id) for calls in self._services.values())
        for attempt_id in turn.recalled:
            for calls in self._services.values():
                calls.slots.recall(attempt_id)
        for step, attempt_id in turn.held:
            self._calls_of(step.service).slots.hold(attempt_id)
        for step, send in turn.sends:
            self.send(step, send)
        self.traces.end(turn.ended)

    def send(self, step: Step, send: Send) -> None:
        """Call a participant as soon as there is a slot for it."""
        self._calls_of(step.service).slots.send((step, send))

    def drop(self, attempt_id: AttemptId) -> None:
        """Give the slot of an attempt free for which no saga waits any more."""
        if self._dropped_elsewhere(attempt_id):
            return
        for calls in self._services.values():
            if calls.drop(attempt_id):
                return

    def _dropped_elsewhere(self, attempt_id: AttemptId) -> bool:
        return self._posting is not None and self._posting.drop(attempt_id)

    def fill(self) -> None:
        """Send what the rate of its participant let nothing go of before."""
        for calls in self._services.values():
            calls.slots.fill()

    @property
    def next_ms(self) -> int | None:
        """When a rate lets a request go that waits; milliseconds since 1970 (UTC), ``None`` where none waits for it."""
        return min((at_ms for calls in self._services.values() if (at_ms := calls.slots.next_ms)), default=None)

    def budgets(self) -> list[Budget]:
        """Those of participants whose limit is for all engines together; none has a place yet."""
        fleet = ((service, limit) for service, limit in self._limits.concurrency.items() if limit.fleet)
        return [Budget(service, limit, self._calls_of(service).slots) for service, limit in fleet]

    def expect_slots(self, saga: Saga) -> None:
        """Refuse a saga at whose participants too many others wait: better now than once it has begun.

        Raises:
            Overloaded: so many wait at one of them.
        """
        if self._posting:
            self._posting.expect_room(saga, self._limits.queue_max)
        for service, waiting in self.crowded(self._limits.queue_max):
            if any(step.service == service and not step.is_local for step in saga.every_step()):
                raise Overloaded(
                    f"{waiting} requests wait for a place at {service}, which is as many as the engine takes for one "
                    "participant (queue_max); try again later, or allow it more calls (concurrency)"
                )

    def crowded(self, limit: int) -> list[tuple[str, int]]:
        """The participants at which so many requests wait for a slot, or more, with how many there are."""
        return [(name, len(calls.slots)) for name, calls in self._services.items() if len(calls.slots) >= limit]

    def figures(self, queued: int) -> Iterator[MetricFamily]:
        """What there was of them, and how they stand.

        Args:
            queued: how many tasks wait for a turn.
        """
        seen = [
            PlacesSeen(service, calls.slots.limit, calls.slots.taken, len(calls.slots), calls.slots.late)
            for service, calls in [*self._services.items()]
        ]
        yield from self.measures.families()
        yield from places_families(seen, self._posting.under_way if self._posting else {}, queued)

    def blocked(self) -> dict[str, int]:
        """The participants at which calls that do not end take every slot, with how many requests wait for one."""
        return {service: len(calls.slots) for service, calls in self._services.items() if calls.slots.is_blocked}

    @property
    def are_under_way(self) -> bool:
        """Whether a call is, that is within its time."""
        is_elsewhere = self._posting is not None and self._posting.are_under_way
        return is_elsewhere or any(calls.slots.taken for calls in self._services.values())

    def hurry(self) -> None:
        """Let `drain` wait no longer."""
        self._hurries.set()

    async def drain(self, seconds: float) -> None:
        """Send nothing more, and wait for the calls that are within their time.

        Args:
            seconds: for how long.
        """
        self._is_open = False
        if self._posting:
            self._posting.stop()
        for calls in self._services.values():
            calls.slots.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.are_under_way and not self._hurries.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(DRAIN_LOOK_S):
                            await self._hurries.wait()

    async def close(self) -> None:
        """End every call that can be ended; what their outcome is stays unknown."""
        ended = [call for calls in self._services.values() for call in calls.close()]
        if ended:
            await asyncio.wait(ended, timeout=CLOSE_S)  # not for one that will not be ended

    def _calls_of(self, service: str) -> ServiceCalls:
        calls = self._services.get(service)
        if calls is None:
            limit = self._limits.concurrency.get(service, ALONE)
            at_once, per_s = (0, 0.0) if limit.fleet else (limit.at_once, limit.per_s)
            slots = partial(Slots, at_once, self._clock, self._departed, per_s=per_s)
            client, watched = self._clients.get(service), (self.traces, self.measures)
            calls = ServiceCalls(client, slots, self._tell, self._lease_left_s, *watched)
            self._services[service] = calls
            if not self._is_open:
                calls.slots.stop()
        return calls


class ServiceCalls:
    """The calls of one participant.

    Attributes:
        slots: which requests have one, and which wait for one.
    """

    def __init__(
        self,
        client: Any,
        slots: Callable[[Callable[[AttemptId, Outgoing], None], Callable[[Task], None]], Slots],
        tell: Callable[[Task], None],
        lease_left_s: Callable[[], float],
        traces: Traces,
        measures: EngineMeasures,
    ) -> None:
        self._traces = traces
        self._measures = measures
        self.slots = slots(self._start, tell)
        self._client = client
        self._tell = tell
        self._lease_left_s = lease_left_s
        self._is_coroutine: dict[int, bool] = {}  # by the function's id: its step keeps it, and it need not be hashable
        self._calls: dict[AttemptId, asyncio.Task[None]] = {}  # that are within their time
        self._late: dict[asyncio.Task[None], None] = {}  # whose sagas wait for them no longer
        self._ended: dict[asyncio.Task[None], None] = {}  # that we cancelled, and that have not come to an end yet
        self._orphans = 0  # threads whose call was cancelled: a thread cannot be ended
        self._blocked: Counter[str] = Counter()

    def drop(self, attempt_id: AttemptId) -> bool:
        """Give the slot of an attempt free; one that waits for a slot is not sent. Whether it is one of these."""
        return self.slots.drop(attempt_id) and self._heard_no_more(attempt_id)

    def leave(self, attempt_id: AttemptId) -> bool:
        """Hear an attempt no more whose saga another engine has. Whether it is one of these."""
        return self.slots.leave(attempt_id) and self._heard_no_more(attempt_id)

    def _heard_no_more(self, attempt_id: AttemptId) -> bool:
        call = self._calls.pop(attempt_id, None)
        if call is not None:
            self._late[call] = None
            if len(self._late) > LATE_MAX:
                self._end(next(iter(self._late)))
            self._fill()
        return True

    def close(self) -> list[asyncio.Task[None]]:
        """End every call that can be ended; these come to an end soon, if they let themselves be ended."""
        for call in [*self._calls.values(), *self._late]:
            self._end(call)
        return [*self._ended]

    def _fill(self) -> None:
        self.slots.late = len(self._late) + len(self._ended) + self._orphans
        self.slots.fill()

    def _start(self, attempt_id: AttemptId, asking: Outgoing) -> None:
        self._calls[attempt_id] = asyncio.create_task(self._call(attempt_id, *asking))

    def _end(self, call: asyncio.Task[None]) -> None:
        self._late.pop(call, None)
        call.cancel()
        if inspect.getcoroutinestate(call.get_coro()) != inspect.CORO_CREATED:  # type: ignore[arg-type]  # else it never runs
            self._ended[call] = None

    def _returned(self) -> None:
        self._orphans -= 1
        self._fill()

    async def _call(self, attempt_id: AttemptId, step: Step, send: Send) -> None:
        request, call, began_s = send.request, asyncio.current_task(), time.monotonic()
        assert call is not None, "it runs"
        try:
            with spanned(self._traces.of(attempt_id), step.service, request) as tell:
                outcome = await self._outcome(step, request, call)
                tell(outcome)
        except BaseException:
            if is_current(call):
                self._over(attempt_id, call)
            raise
        self._measures.called(step.service, request.kind, outcome, time.monotonic() - began_s)
        if isinstance(outcome, Unknown) and outcome.taken_back:
            self.slots.unsent(attempt_id)
        self._tell(Deliver(request.saga_id, Answered(request.step, request.kind, outcome, request.call.attempt)))
        self._over(attempt_id, call)

    def _over(self, attempt_id: AttemptId, call: asyncio.Task[None]) -> None:
        """However a call ends, it gives its slot back."""
        if self._calls.get(attempt_id) is call:
            del self._calls[attempt_id]
            self.slots.give_back(attempt_id)
        else:
            self._late.pop(call, None)
            self._ended.pop(call, None)
            self.slots.release(attempt_id)
            self._fill()

    async def _outcome(self, step: Step, request: Request, call: asyncio.Task[None]) -> Outcome:
        """The outcome of a call; an exception is `Unknown`, never a refusal (docs/promises.md, P5)."""
        function = step.function(request.kind)
        assert function is not None, "a request is for a function that its step has"
        left_s = min(self._lease_left_s(), request.call.deadline - time.time())  # one from elsewhere has a deadline
        if left_s <= 0:
            return Unknown(LEASE_OVER, taken_back=True)
        given = self._client, request.body, with_deadline(request.call, min(left_s, step.timeout_s))
        is_coroutine = self._is_coroutine.get(id(function))
        if is_coroutine is None:
            is_coroutine = self._is_coroutine[id(function)] = inspect.iscoroutinefunction(function)
        try:
            if is_coroutine:
                answer = await in_stretches(function(*given), partial(self._blocks, request))
            else:
                error, answer = await self._in_thread(function, *given)
                if error is not None:
                    return Unknown(self._in_words(error, step), cause=error)
                if inspect.isawaitable(answer):
                    answer = await in_stretches(answer, partial(self._blocks, request))
            codec = answer_codec(step, request.kind)
            return storable(outcome_of(answer, request, step), f"{request.step}/{request.kind.value}", codec)
        except NoThread as error:
            return Unknown(f"it was not asked: {error.strerror}", taken_back=True, cause=error)
        except BaseException as error:
            if is_interrupt(error) or call in self._ended or not is_current(call):
                raise
            return Unknown(self._in_words(error, step), cause=error)

    def _in_words(self, error: BaseException, step: Step) -> str:
        """What a call raised, in words; what a missing client leads to looks like a bug of the function."""
        is_without = self._client is None and isinstance(error, AttributeError | TypeError)
        more = f"; open(clients=...) gave no client for {step.service!r}, so that it was called with None"
        return raised(error) + (more if is_without else "")

    async def _in_thread(self, function: Callable[..., Any], *given: Any) -> tuple[BaseException | None, Any]:
        future = in_thread(self._returned, function, *given)
        try:
            return await future
        except asyncio.CancelledError:
            self._orphans += future.cancelled()  # else it had returned by then
            raise

    def _blocks(self, request: Request, seconds: float) -> None:
        """Name a call that keeps the loop for itself: the first one of a step, and then ever rarer ones."""
        self._blocked[request.step] += 1
        times = self._blocked[request.step]
        if times & (times - 1) == 0:
            log.warning(BLOCKED, request.saga_id, request.step, request.kind.value, seconds, times)


def with_deadline(call: Call, seconds: float) -> Call:
    """What a participant gets of a call that is made now, and whose answer counts for so long."""
    return Call(call.key, call.attempt, call.answers, call.answer, call.reason, time.time() + seconds)


def is_current(call: asyncio.Task[None]) -> bool:
    """Whether a call runs: its coroutine may also be closed, once its loop has ended."""
    try:
        return asyncio.current_task() is call
    except RuntimeError:
        return False


@types.coroutine
def in_stretches(call: Awaitable[Any], blocks: Callable[[float], None]) -> Generator[Any, None, Any]:
    """Await a call, and look how long each stretch of it, from one await to the next, keeps the loop for itself.

    Args:
        call: what to await.
        blocks: called with the seconds of each stretch that took longer than `STRETCH_S`.
    """
    steps, error = call.__await__(), None
    while True:
        began = time.monotonic()
        try:
            waits_for = next(steps) if error is None else steps.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            seconds = time.monotonic() - began
            if seconds > STRETCH_S:
                blocks(seconds)
        error = None
        try:
            yield waits_for
        except BaseException as thrown:  # noqa: BLE001 - the call's to handle
            error = thrown


def in_thread(
    returned: Callable[[], None], function: Callable[..., Any], *given: Any
) -> asyncio.Future[tuple[BaseException | None, Any]]:
    """Call a function in a thread of its own. A process ends without waiting for it.

    What it raises is handed on as a value, as it was: a future takes no StopIteration, and SystemExit is no order to
    us.

    Args:
        returned: called in the loop once the function has returned, when its answer is not waited for any more.
        function: called with `given`.
        given: its arguments.

    Raises:
        NoThread: it was not called.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    future: asyncio.Future[tuple[BaseException | None, Any]] = loop.create_future()

    def tell(error: BaseException | None, answer: Any) -> None:
        if future.done():
            returned()
        else:
            future.set_result((error, answer))

    def call() -> None:
        error, answer = context.run(called, function, *given)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and no answer is waited for
            loop.call_soon_threadsafe(tell, error, answer)

    begin(threading.Thread(target=call, name="amends-call", daemon=True))
    return future
