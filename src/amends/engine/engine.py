"""The engine: a thin asyncio shell around the turns.

Whatever arrives is queued; one thread takes one turn at a time on what has been queued meanwhile. So a batch is as
large as the store is slow, nothing waits for a batch to fill, and the loop stays free while a commit is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

from amends.core.definition import DURATION_MAX, Command, Saga
from amends.core.messages import Answered, Decline, Done, Kind, Outcome, Refused, Resolve, Undo, Verb
from amends.core.step import SagaInstance, in_words
from amends.engine.alarm import Alarm
from amends.engine.calls import Calls
from amends.engine.codec import SagaCodec
from amends.engine.coordinator import BatchResult, Coordinator
from amends.engine.ends import Ends, end_of
from amends.engine.exceptions import raised
from amends.engine.handle import Handle, Result
from amends.engine.late_undos import LateUndos
from amends.engine.limits import Limits
from amends.engine.logger import log
from amends.engine.outside import refuse_no_outcome, refuse_no_verb, request_of
from amends.engine.overlay import NO_ID, is_id
from amends.engine.stalls import Watch
from amends.engine.tasks import Deliver, ExecuteCommand, Read, StartSagas, Task, Transact, Unfinished
from amends.engine.thread import OneThread, settle
from amends.engine.unit_of_work import UnitOfWork
from amends.engine.values import from_outside, shown
from amends.engine.versions import NO_UPCASTS, Upcast
from amends.errors import (
    AmendsError,
    EngineMisused,
    EngineStopped,
    OperatorNeeded,
    Overloaded,
    RequestRefused,
    StoreBusy,
    StoreError,
    StoreFull,
)
from amends.generic import Wanted
from amends.storage.ports import REDUCED, Clock, Store

BATCH_MAX: Final = 3000  # sagas, commands or inputs in a turn: some 75 ms; a hot entity is read and written once in it
KEY_LENGTH_MAX: Final = 255  # of a client key; a longer one is no name (Idempotency-Key header, IETF draft-07)
SPACE_PAUSE_S: Final = 1.0  # before what must not be lost is tried again on a full disk
SECOND_MS: Final = 1000
SLICE_S: Final = 5.0  # a sleeping loop looks at the clock as often: timers stand still in a suspended machine
LOOK_S: Final = 5.0  # how long at least whoever asks for a result waits to be told how the saga stands: a slow turn

TURN_THREAD: Final = "amends-turn"
PARKED: Final = "saga %s waits for an operator: %s: %s"  # an entry of the log: which, what is outstanding, and why
FAILED: Final = "saga %s: %s/%s failed, attempt %d: %s"  # likewise: which request, which attempt, and how
CONTRADICTED: Final = "saga %s: %s"  # likewise: which, and what an answer contradicts
OTHER_PROCESS: Final = (
    "this engine was opened by process %d, and this is process %d, a child of it, in which nothing of it runs: ask "
    "process %d, or open an engine here, after the fork, on a store of its own"
)
OTHER_LOOP: Final = (
    "this engine was opened in another event loop, and would never be heard here: await it there, with "
    "asyncio.run_coroutine_threadsafe from another thread; open one in each asyncio.run; or use the blocking engine, "
    "a plain `with amends.open(...)`, from whatever thread"
)
CLOSED: Final = "the engine was closed; its sagas go on when it is opened again"


Held = TypeVar("Held")
Found = TypeVar("Found")


class QueuedTask(NamedTuple):
    """A task in the queue.

    Attributes:
        task: what is to be done.
        reply: who wants to know; ``None`` for nobody: then it must not be lost.
    """

    task: Task
    reply: asyncio.Future[Any] | None


class Engine:
    """Runs sagas on a store. Made by `amends.open`; used inside ``async with``."""

    def __init__(
        self,
        store: Callable[[], Store],
        clock: Callable[[int], Clock],
        prefix: str,
        *,
        sagas: Iterable[Saga],
        commands: Iterable[Command],
        clients: Mapping[str, Any],
        limits: Limits,
        upcasts: Mapping[str, Upcast] = NO_UPCASTS,
    ) -> None:
        self._open_store = store
        self._open_clock = clock
        self._prefix = prefix
        self._sagas = tuple(sagas)
        self._commands = tuple(commands)
        self._clients = clients
        self._limits = limits
        self._upcasts = upcasts
        self._queue: deque[QueuedTask] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._ends = Ends()
        self._late_undos = LateUndos()
        self._due_ms: int | None = None
        self._is_drained = False
        self._closing: asyncio.Task[None] | None = None
        self._returned: Future[None] | None = None
        self._pid = os.getpid()
        self._stopped: EngineStopped | None = EngineStopped("the engine is not running; use it inside `async with`")

    # Opening and closing --------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Take over the store, and go on with what waits in it.

        Raises:
            StoreUnusable: the store cannot be used; one line says why.
            DefinitionError: the definitions cannot be stored side by side, or what is stored would be read as something
                else; nothing is changed then.
        """
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._thread = OneThread(TURN_THREAD)
        try:
            await self._in_thread(self._take_over)
        except BaseException:
            self._thread.submit(self._give_up, lambda *_: None)  # also where nobody waited for it any more
            self._thread.shutdown()
            raise
        self._alarm = Alarm(self._clock)
        self._calls = Calls(
            self._clients, self._limits.concurrency, self._clock, self._turner.departed, self._must_be_done
        )
        self._stopped = None
        self._loop_task = asyncio.create_task(self._run(), name="amends-engine")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the calls that are under way, and give the store back; see `close`."""
        await self.close()

    async def close(self, drain_s: float | None = None) -> None:
        """As at the end of ``async with``: give the store back. Sagas go on when it is opened again.

        Nothing new is taken or sent from now on. The calls under way are waited for, so that their answers are stored,
        and none of them has to be repeated; those that are not over by then are cancelled: what became of them is
        unknown. Who stops waiting for this ends the wait for calls, and the store is given back all the same; whoever
        calls it again waits for that. It may also be called once the engine's own event loop has ended. In a forked
        child it does nothing: the store is the parent's.

        Args:
            drain_s: for how long to wait for calls; ``None`` for what the engine was opened with, 0 for not at all.

        Raises:
            EngineMisused: the engine's event loop runs, and is another one.
        """
        if os.getpid() != self._pid or not hasattr(self, "_loop_task"):
            return
        if self._stopped is None:
            self._stopped = EngineStopped(CLOSED)
        if self._loop is not asyncio.get_running_loop():
            await self._close_from_elsewhere()
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(self._limits.drain_s if drain_s is None else drain_s))
        elif drain_s == 0:
            self._calls.hurry()
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            self._calls.hurry()
            raise

    async def _close(self, drain_s: float) -> None:
        try:
            await self._calls.drain(drain_s)
            self._is_drained = True
            self._wake.set()
            await asyncio.wait([self._loop_task])
            await self._warn(self._alarm.sound({}))
            await self._calls.close()
        except BaseException:  # the event loop itself ends
            self._is_drained = True
            self._return_store()
            self._thread.shutdown()
            raise
        await asyncio.wrap_future(self._return_store())

    async def _close_from_elsewhere(self) -> None:
        """Give the store back once nothing runs any more that could."""
        if self._loop.is_running():
            raise EngineMisused(OTHER_LOOP)
        self._is_drained = True
        await asyncio.wrap_future(self._return_store())

    def _return_store(self) -> Future[None]:
        """Let the thread end, and close the store as the last thing that it does."""
        if self._returned is None:
            self._returned = Future()
            self._thread.submit(self._store.close, partial(settle, self._returned))
            self._thread.shutdown(wait=False)
        return self._returned

    def _give_up(self) -> None:
        store: Store | None = getattr(self, "_store", None)
        if store is not None:
            store.close()

    def _take_over(self) -> None:
        self._watch = Watch(threading.get_ident())
        self._store = self._open_store()
        if (durability := self._store.durability()).startswith(REDUCED):
            log.warning("what is answered may be lost: durability is %s", durability)
        self._clock = self._open_clock(self._store.head().at_ms)
        self._turner = Coordinator(
            self._store,
            self._sagas,
            self._commands,
            now_ms=self._clock.now_ms(),
            prefix=self._prefix,
            upcasts=self._upcasts,
            value_bytes_max=self._limits.value_bytes_max,
        )
        for definition, sagas in self._turner.strangers().items():
            log.warning("%d sagas run under %s, which is not known here: they are left alone", sagas, definition)

    # What clients ask -----------------------------------------------------------------------------------------

    async def submit(self, saga: Saga[Any, Wanted], asked: Wanted, *, key: str | None = None) -> Handle:
        """Start a saga. Once this returns, its start is on stable storage.

        Args:
            saga: its definition, one of those that the engine was opened with.
            asked: its request; where the definition has a `prepare`, what that gets.
            key: a client key: the same key and request give the same saga, however often and whenever they come.

        Raises:
            Overloaded: too much is waiting; nothing was started.
            RequestRefused: nothing was started, and why.
            KeyReused: the key stands for another request.
            StoreFull: there is no space; nothing was started.
            EngineStopped: it is not running, or its storage failed: whether the saga was started is not known.
        """
        return await self.begin(saga, asked, key, self._handle)

    async def begin(
        self, saga: Saga, asked: Any, key: str | None, handle: Callable[[SagaInstance | str], Held]
    ) -> Held:
        """`submit`, for another door to the engine.

        Args:
            saga: as for `submit`.
            asked: likewise.
            key: likewise.
            handle: makes what the caller holds of the saga, of where it stands or of its id alone.
        """
        form = self._form_of(saga)
        self._expect_places(saga)
        (begun,) = await self._call(StartSagas(form, [asked], _keys(key)))
        if isinstance(begun, Exception):
            raise begun
        return handle(begun)

    async def submit_many(
        self, saga: Saga[Any, Wanted], asked: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[Handle | AmendsError]:
        """Start many sagas of one definition, in order. Once this returns, all starts are on stable storage.

        Args:
            saga: as for `submit`.
            asked: one for each saga.
            keys: a client key for each; or none at all.

        Returns:
            For each its handle, or why it was not started: `RequestRefused` when it will not be, whenever it is asked;
            `StoreFull`, `Overloaded` or `EngineStopped` when others of the list had been started before there was no
            space, too much was waiting, or the engine stopped.

        Raises:
            RequestRefused: it is no list of requests, or there are not as many keys; nothing was started.
            Overloaded, StoreFull, EngineStopped: as for `submit`, and none of the list was started.
        """
        return await self.begin_many(saga, asked, keys, self._handle)

    async def begin_many(
        self, saga: Saga, asked: Sequence[Any], keys: Sequence[str] | None, handle: Callable[[SagaInstance | str], Held]
    ) -> list[Held | AmendsError]:
        """`submit_many`, for another door to the engine; see `begin`."""
        form, requests = self._form_of(saga), _listed(asked, "requests")
        names = [] if keys is None else _listed(keys, "keys")
        if keys is not None and len(names) != len(requests):
            raise RequestRefused(f"{len(requests)} requests came with {len(names)} keys; give each a key, or none")
        self._expect_places(saga)
        handles: list[Held | AmendsError] = []
        size = min(BATCH_MAX, self._limits.queue_max)
        for first in range(0, len(requests), size):
            part = slice(first, first + size)
            try:
                begun = await self._begun(form, requests[part], names[part], waits=first > 0)
            except AmendsError as error:
                if not first:
                    raise
                return [*handles, *[error] * (len(requests) - first)]
            handles += [self._refusal(one) if isinstance(one, Exception) else handle(one) for one in begun]
        return handles

    def _refusal(self, error: Exception) -> AmendsError:
        """Why one of many was not started: a bug of its `prepare` refuses it, as `prepare` itself may."""
        is_stopped = isinstance(error, EngineStopped) and self._stopped is not None
        if is_stopped or isinstance(error, RequestRefused | StoreError):
            return error  # type: ignore[return-value]  # it is one of these
        refused = RequestRefused(raised(error))
        refused.__cause__ = error
        return refused

    async def _begun(self, form: SagaCodec, asked: list[Any], keys: list[Any], *, waits: bool) -> list[Any]:
        """Start some sagas, but for those whose keys are none: for each where it stands, its id, or why not."""
        names = [_key_or_fault(key) for key in keys]
        faults = {place: fault for place, fault in enumerate(names) if isinstance(fault, RequestRefused)}
        for place in reversed(faults):
            del asked[place], names[place]
        begun = await self._call(StartSagas(form, asked, names), waits=waits) if asked else []
        for place, fault in faults.items():
            begun.insert(place, fault)
        return begun

    async def answer(self, key: str, outcome: Outcome) -> None:
        """Bring the answer to a request that a participant took with `Later`; a duplicate or late one is recorded.

        Args:
            key: `Call.key` of the request.
            outcome: what became of it.

        Raises:
            RequestRefused: the request was not asked yet (answer again later), no request has this key, or the outcome
                is none, or cannot be stored.
        """
        saga_id, event, kind = request_of(_name(key))
        refuse_no_outcome(outcome)
        await self._call(Deliver(saga_id, Answered(event, kind, _storable(outcome, event))))

    async def tell(self, saga_id: str, verb: Verb) -> None:
        """Hand a verb to a saga: a client's `Cancel`, an operator's `Retry`, `Resolve`, `Undo` or `Abandon`.

        `Undo` waits for what the participant says. Until that is `Done`, the step's effect is owed, and it may be asked
        again: the participant gets the same key.

        Args:
            saga_id: which.
            verb: what is wanted.

        Raises:
            RequestRefused: there is no such saga, or it cannot take this now, or its participant did not undo what is
                owed; the message says why.
        """
        refuse_no_verb(verb)
        if isinstance(verb, Resolve):
            verb = replace(verb, outcome=_storable(verb.outcome, verb.step))
        saga_id = _name(saga_id)
        with self._late_undos.waiter(saga_id, verb) as undone:
            said = await self._call(Deliver(saga_id, verb))
            if isinstance(said, Decline):
                raise RequestRefused(f"saga {saga_id!r}: {said.reason}")
            if isinstance(verb, Undo):
                await self._late_undo(said, verb.step, undone)

    async def _late_undo(self, run: SagaInstance, event: str, undone: asyncio.Future[Outcome]) -> None:
        """Wait until what is owed of a step is undone.

        Raises:
            RequestRefused: it is not; it is still owed.
        """
        what, timeout_s = f"saga {run.saga_id!r}: what is owed of {event} is not undone", run.saga.step(event).timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                outcome = await undone
        except TimeoutError:
            raise RequestRefused(f"{what}, as far as is known: no answer within {timeout_s} s; tell it again") from None
        finally:
            self._calls.drop((run.saga_id, event, Kind.UNDO_LATE.value, 1))
        if not isinstance(outcome, Done):
            raise RequestRefused(f"{what}: {in_words(Answered(event, Kind.UNDO_LATE, outcome))}")

    async def carry_out(self, command: Command, entity_id: str, body: Any, *, key: str | None = None) -> Refused | None:
        """Carry out a command on its entity; once this returns, that is on stable storage.

        Args:
            command: what.
            entity_id: on which entity.
            body: what its function gets.
            key: a client key, as for `submit`.

        Returns:
            `Refused` when the participant refused, and nothing changed.
        """
        if not isinstance(command, Command):
            raise RequestRefused(f"{shown(command)} is no Command")
        refused: Refused | None = await self._call(ExecuteCommand(command, _id(entity_id), body, _keys(key)))
        return refused

    async def transact(self, function: Callable[[UnitOfWork], Any], keys: Sequence[str] = ()) -> Any:
        """Run a function on a unit of work; whatever it does there is one transaction. For embedders.

        Args:
            function: called in the engine's thread; it may be called again when it raised or somebody else did.
            keys: client keys that it looks at.

        Raises:
            RequestRefused: it is no function, or one of the keys is none.
            ParticipantError: it gave back a coroutine, a generator or an exception; nothing is done then.
            Exception: whatever it raises; likewise.
        """
        if not callable(function):
            raise RequestRefused(f"{shown(function)} is no function of a unit of work")
        return await self._call(Transact(function, [_key(key) for key in _listed(keys, "keys")]))

    async def entity(self, service: str, entity_id: str) -> Any:
        """An entity of a participant whose state the engine keeps; ``None`` when it does not exist.

        What can be changed in place is a copy, which the caller owns.

        Args:
            service: the participant.
            entity_id: which of its entities.
        """
        owner, name = _id(service), _id(entity_id)
        return await self._call(Read(lambda work: work.entities[owner].get(name)), waits=True)

    async def result(self, saga_id: str, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end of a saga.

        Args:
            saga_id: which.
            timeout: how long to wait, in seconds, >= 0; ``None`` for as long as it takes. How the saga stands is told
                in any case, also with 0: of one that has ended its result, of one that waits for an operator that.

        Raises:
            RequestRefused: there is no such saga, it cannot be read, or `timeout` is none.
            OperatorNeeded: it waits for an operator, or does so from now on; a ``TimeoutError``, too.
            TimeoutError: it had not ended by then; it goes on.
            EngineStopped: the engine was closed before; the saga goes on when it is opened again.
        """
        self._expect_answers()
        saga_id, patience_s = _name(saga_id), _patience(timeout)
        until = None if timeout is None else self._loop.time() + patience_s  # without a limit there is no timer to set
        with self._ends.waiter(saga_id) as waiter:
            try:
                look = self._call(Read(lambda work: work.standing(saga_id)), waits=True)
                run: SagaInstance = await _by(until and max(until, self._loop.time() + LOOK_S), look)
                ended = end_of(run)
                return await _by(until, waiter) if ended is None else ended
            except OperatorNeeded:
                raise
            except TimeoutError as error:
                raise TimeoutError(f"saga {saga_id} has not ended within {timeout} s; it goes on") from error

    def _form_of(self, saga: Saga) -> SagaCodec:
        if self._stopped is not None:
            raise EngineStopped(str(self._stopped))
        return self._turner.definitions.codec_of(saga)

    def _handle(self, begun: SagaInstance | str) -> Handle:
        return Handle(begun, self)

    # The queue ------------------------------------------------------------------------------------------------

    def _expect_answers(self) -> None:
        """See that whoever asks here can be answered.

        Raises:
            EngineStopped: nobody is answered any more, or yet.
            EngineMisused: nobody is answered here.
        """
        if os.getpid() != self._pid:
            raise EngineMisused(OTHER_PROCESS % (self._pid, os.getpid(), self._pid))
        if self._stopped is not None:
            raise EngineStopped(str(self._stopped))
        if asyncio.get_running_loop() is not self._loop:
            raise EngineMisused(OTHER_LOOP)

    def _expect_places(self, saga: Saga) -> None:
        """Refuse a saga whose participants have no end of others before it: better now than once it has begun.

        Raises:
            Overloaded: one of them has.
        """
        for service, waiting in self._calls.crowded(self._limits.queue_max):
            if any(step.service == service and not step.is_local for step in saga.every_step()):
                raise Overloaded(
                    f"{waiting} requests wait for a place at {service}, which is as many as the engine takes for one "
                    "participant (queue_max); try again later, or allow it more calls at a time (concurrency)"
                )

    async def _call(self, task: Task, *, waits: bool = False) -> Any:
        """Queue a task, and wait for its answer; a caller that stops waiting does not stop it."""
        self._expect_answers()
        if not waits and self._queued + task.size > self._limits.queue_max:
            raise Overloaded(
                f"{self._queued} requests are waiting, which is as many as the engine takes; try again later"
            )
        reply = asyncio.get_running_loop().create_future()
        self._put(QueuedTask(task, reply))
        answer = await reply
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _put(self, waiting: QueuedTask) -> None:
        self._queue.append(waiting)
        self._queued += waiting.task.size
        self._wake.set()

    def _must_be_done(self, task: Task) -> None:
        """An answer came, or somebody found a place, or none: it must not be lost."""
        self._put(QueuedTask(task, None))

    def _gathered(self) -> list[QueuedTask]:
        batch: list[QueuedTask] = []
        size = 0
        while self._queue and (not batch or size + self._queue[0].task.size <= BATCH_MAX):
            batch.append(self._queue.popleft())
            size += batch[-1].task.size
        self._queued -= size
        return batch

    # The loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self._is_drained or self._queue:
                await self._take(self._gathered())
                await self._sleep()
        except StoreError as error:
            log.exception("the engine stopped")
            self._refuse(EngineStopped(f"the storage failed: {error}; nothing is answered before it is opened again"))
        except BaseException as error:
            self._refuse(EngineStopped(f"the engine stopped: {type(error).__name__}: {error}"))
            self._return_store()  # at the end of the event loop nobody may be left to close the engine
            self._thread.shutdown()
            raise
        else:
            self._refuse(EngineStopped(str(self._stopped)))

    async def _take(self, batch: list[QueuedTask]) -> None:
        tasks = [waiting.task for waiting in batch]
        try:
            with self._watch:
                turn = await self._in_thread(self._turn, tasks)
        except (StoreFull, StoreBusy) as full:
            await self._wait_for_space(batch, full)
            return
        except BaseException:
            self._queue.extendleft(reversed(batch))  # whoever waits for an answer is told
            raise
        self._due_ms = turn.due_ms
        self._give_back(batch, turn)
        await self._warn(self._alarm.sound(self._calls.blocked()))

    async def _warn(self, warning: str | None) -> None:
        """Tell whoever looks at the store what is wrong, if that changed."""
        if warning is not None:
            with contextlib.suppress(StoreFull, StoreBusy):  # the log has it
                await self._in_thread(self._store.warn, warning)

    def _turn(self, tasks: Sequence[Task]) -> BatchResult:
        """Take a turn without the garbage collector, which would look at every saga of it several times.

        What a turn makes is freed by reference counts; the collector goes on where it was right after.
        """
        was_on = gc.isenabled()
        gc.disable()
        try:
            return self._turner.turn(tasks, self._clock.now_ms())
        finally:
            if was_on:
                gc.enable()

    async def _sleep(self) -> None:
        """Until something arrives or is due, by the clock: timers stand still while the machine is suspended."""
        self._wake.clear()
        while not (self._is_drained or self._queue or self._wake.is_set() or self._is_due()):
            pause_s = SLICE_S if self._due_ms is None else (self._due_ms - self._clock.now_ms()) / SECOND_MS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause_s, SLICE_S)):  # `wait_for` of Python 3.11 may lose a cancellation
                    await self._wake.wait()

    def _is_due(self) -> bool:
        return self._due_ms is not None and self._due_ms <= self._clock.now_ms()

    def _give_back(self, batch: Sequence[QueuedTask], turn: BatchResult) -> None:
        self._calls.take(turn)
        for failure in turn.failures:
            saga_id, step, kind, attempt, error, cause = failure
            log.warning(FAILED, saga_id, step, kind.value, attempt, error, exc_info=cause)
        for park in turn.parked:
            log.error(PARKED, park.saga_id, ", ".join(park.outstanding), park.trouble)
        self._ends.tell(turn)
        for saga_id, words in turn.contradicted:
            log.error(CONTRADICTED, saga_id, words)
        left: list[QueuedTask] = []
        for waiting, answer in zip(batch, turn.replies, strict=True):
            if isinstance(answer, Unfinished):
                left.append(waiting._replace(task=answer.task))
            else:
                self._late_undos.tell(waiting.task)
                self._reply(waiting, answer)
        self._queue.extendleft(reversed(left))
        self._queued += sum(waiting.task.size for waiting in left)

    def _reply(self, waiting: QueuedTask, answer: Any) -> None:
        if waiting.reply is not None:
            if not waiting.reply.done():
                waiting.reply.set_result(answer)
        elif isinstance(answer, StoreError):  # there was no space for it, though there was for what came before
            self._put(waiting)
        elif isinstance(answer, Exception):
            log.warning("%s", raised(answer))

    async def _wait_for_space(self, batch: Sequence[QueuedTask], full: StoreFull | StoreBusy) -> None:
        """Refuse what clients ask; keep what participants answered until it can be written."""
        kept = [waiting for waiting in batch if waiting.reply is None]
        looks = [waiting for waiting in batch if isinstance(waiting.task, Read)]
        for waiting in batch:
            if not isinstance(waiting.task, Read) and waiting.reply is not None and not waiting.reply.done():
                waiting.reply.set_result(waiting.task.stopped(full))
        seen = await self._in_thread(self._turner.look, [waiting.task for waiting in looks], self._clock.now_ms())
        for waiting, answer in zip(looks, seen, strict=True):
            self._reply(waiting, answer)
        self._queue.extendleft(reversed(kept))
        self._queued += len(kept)
        self._due_ms = self._clock.now_ms()
        if self._stopped is not None:  # it is to end now: what is kept is asked again at the next start
            raise full
        if kept or not batch:  # else everybody who asked was told
            log.error("%s; what participants answered is kept, and tried again", full)
        await asyncio.sleep(SPACE_PAUSE_S)

    def _refuse(self, reason: EngineStopped) -> None:
        """Nobody will be answered any more."""
        self._stopped = reason
        for waiting in self._queue:
            self._reply(waiting, waiting.task.stopped(EngineStopped(str(reason))))
        self._queue.clear()
        for future in self._ends.everybody():
            if not future.done():
                future.set_exception(EngineStopped(str(reason)))
                future.exception()  # who waits is told; that nobody waits any more is no error

    async def _in_thread(self, function: Callable[..., Any], *given: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._thread.submit(partial(function, *given), partial(loop.call_soon_threadsafe, partial(settle, future)))
        return await future


def _listed(given: Any, what: str) -> list[Any]:
    """What is to be a list of requests, or of keys: nothing that was meant as one of them.

    Raises:
        RequestRefused: it is no such list.
    """
    is_one = hasattr(given, "_fields")  # a named tuple
    if is_one or isinstance(given, str | bytes | Mapping | AbstractSet) or not isinstance(given, Iterable):
        raise RequestRefused(f"the {what} are {shown(given)}, a {type(given).__name__}; give a list of {what}")
    return list(given)


def _key_or_fault(key: object) -> Any:
    try:
        return _key(key)
    except RequestRefused as fault:
        return fault


def _key(key: object) -> str:
    name = _text(key)
    if not name or len(name) > KEY_LENGTH_MAX:
        raise RequestRefused(f"client key {shown(key)} is not printable text of 1 to {KEY_LENGTH_MAX} characters")
    return name


def _text(name: object) -> str:
    """Printable text, without what a class of its own may make of it; empty for anything else."""
    text = str.__str__(name) if isinstance(name, str) else ""
    return text if text.isprintable() else ""


def _keys(key: object) -> Sequence[str]:
    return () if key is None else [_key(key)]


def _patience(timeout: object) -> float:
    """How long to wait, in seconds; without end for ``None``."""
    if timeout is None:
        return DURATION_MAX
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise RequestRefused(f"timeout is {shown(timeout)}; give seconds, 0 or more, or None for as long as it takes")
    return float(min(timeout, DURATION_MAX))


def _name(name: object) -> str:
    """A saga's id, or a request's key; one that cannot be one is nobody's."""
    text = _text(name)
    if not text:
        raise RequestRefused(f"there is no saga {shown(name)}")
    return text


def _id(name: object) -> str:
    """An entity's id, or its service's name, without what a class of its own may make of it."""
    text = str.__str__(name) if isinstance(name, str) else ""
    if not isinstance(name, str) or not is_id(text):
        raise RequestRefused(f"{shown(name)} {NO_ID}")
    return text


def _storable(outcome: Any, step: str) -> Any:
    try:
        return from_outside(outcome, step)
    except ValueError as error:
        raise RequestRefused(str(error)) from error


async def _by(until: float | None, answer: Awaitable[Found]) -> Found:
    """Wait for an answer until a time of the loop's clock; ``None`` for as long as it takes, which needs no timer."""
    if until is None:
        return await answer
    async with asyncio.timeout_at(until):
        return await answer
