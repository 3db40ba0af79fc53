"""The engine, as clients use it: it starts sagas, brings them answers and verbs, and waits for their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self, TypeVar

from amends.core.definition import Command, Saga
from amends.core.effects import Decline
from amends.core.messages import Answered, Done, Kind, Later, Outcome, Refused, Resolve, Undo, Verb
from amends.core.step import SagaInstance, in_words
from amends.engine.arguments import take_id, take_key, take_keys, take_list, take_name, take_outcome
from amends.engine.ends import end_of
from amends.engine.handle import Handle, Result
from amends.engine.health import Health
from amends.engine.looking import Look, Looks
from amends.engine.loop import CLOSED, EngineLoop
from amends.engine.outside import refuse_no_origin, refuse_no_outcome, refuse_no_verb, request_of
from amends.engine.patience import Patience
from amends.engine.starter import SagaStarter
from amends.engine.tasks import Deliver, ExecuteCommand, Read, Transact
from amends.engine.telling import Tells
from amends.engine.transaction import Transaction
from amends.errors import AmendsError, OperatorNeeded, RequestRefused
from amends.generic import Wanted
from amends.metrics import exposed
from amends.storage.codecs.values import shown
from amends.storage.ports import Records
from amends.views.children import letter_to_start
from amends.views.sagas import AsOf

Found = TypeVar("Found")
START_LOOK_S: Final = 0.01  # between two looks whether a saga has started whose letter waits: some turns


class Engine(Looks, Tells):
    """Runs sagas on a store. Made by `amends.open`; used inside ``async with``."""

    def __init__(self, loop: EngineLoop) -> None:
        """Use a loop, which opens the store when this is entered."""
        self.starter = SagaStarter(loop)
        self._loop = loop

    async def __aenter__(self) -> Self:
        """Take over the store, and go on with what waits in it.

        Raises:
            StoreUnusable: the store cannot be used; one line says why.
            WireUnusable: the wire cannot; where it is only away, it is waited for by what goes over it.
            DefinitionError: the definitions cannot be stored side by side, or what is stored would be read as something
                else; nothing is changed then.
        """
        await self._loop.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for the calls that are under way, and give the store back; see `close`."""
        await self.close()

    async def close(self, drain_s: float | None = None) -> None:
        """As at the end of ``async with``: give the store back. Sagas go on when it is opened again.

        Nothing new is taken or sent from now on. The calls under way are waited for, so that their answers are stored,
        and none of them has to be repeated; those that are not over by then are cancelled: what became of them is
        unknown. A caller that stops waiting for this ends the wait for calls, and the store is given back all the same;
        one that calls it again waits for that. It may also be called once the engine's own event loop has ended. In a
        forked child it does nothing: the store is the parent's.

        Args:
            drain_s: for how long to wait for calls; ``None`` for what the engine was opened with, 0 for not at all.

        Raises:
            EngineMisused: the engine's event loop runs, and is another one.
        """
        await self._loop.close(drain_s)

    @property
    def wire_durability(self) -> str:
        """What a message on the wire survives, as its broker said last: ``full``, or ``reduced: `` and why.

        Empty where there is no wire, or nothing is known yet.
        """
        return self._loop.spread.durability

    async def stopped(self) -> str:
        """Wait until nothing is taken any more: the engine was closed, or stopped by itself. Gives why, in words."""
        return await self._loop.end()

    async def health(self) -> Health:
        """How it does, for a page of yours: whether it has its lease, and its store and its wire answer.

        It answers within some seconds, also where nothing else does. For a file or a port, see ``health=`` of
        `amends.open`.
        """
        reason = self._loop.stopped
        return await self._loop.health.look() if reason is None else _halted(str(reason))

    def metrics(self) -> str:
        """What it did since it was opened, as text for Prometheus (docs/telemetry.md), for a page of yours.

        Any thread may ask. For a port, see ``health=`` of `amends.open`.
        """
        return exposed(self._loop.figures())

    async def submit(self, saga: Saga[Any, Wanted], request: Wanted, *, key: str | None = None) -> Handle:
        """Start a saga. Once this returns, its start is on stable storage.

        Args:
            saga: its definition, one of those that the engine was opened with.
            request: what it is to do; where the definition has a `prepare`, what that gets.
            key: a client key: the same key and request give the same saga, however often and whenever they come.

        Raises:
            Overloaded: too much is waiting; nothing was started.
            RequestRefused: nothing was started, and why.
            KeyReused: the key stands for another request.
            StoreFull: there is no space; nothing was started.
            EngineStopped: it is not running, or its storage failed: whether the saga was started is not known.
        """
        return Handle(await self.starter.start(saga, request, key), self)

    async def submit_many(
        self, saga: Saga[Any, Wanted], requests: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[Handle | AmendsError]:
        """Start many sagas of one definition, in order. Once this returns, all starts are on stable storage.

        Args:
            saga: as for `submit`.
            requests: one for each saga.
            keys: a client key for each; or none at all.

        Returns:
            For each its handle, or why it was not started: `RequestRefused` when it will not be, however often it is
            submitted; `StoreFull`, `Overloaded` or `EngineStopped` when others of the list had been started before
            there was no space, too much was waiting, or the engine stopped.

        Raises:
            RequestRefused: it is no list of requests, or there are not as many keys; nothing was started.
            Overloaded, StoreFull, EngineStopped: as for `submit`, and none of the list was started.
        """
        begun = await self.starter.start_many(saga, requests, keys)
        return [one if isinstance(one, AmendsError) else Handle(one, self) for one in begun]

    async def answer(self, key: str, outcome: Outcome, *, by: str = "", reason: str = "") -> None:
        """Bring the answer to a request that a participant took with `Later`; a duplicate or late one is recorded.

        Args:
            key: `Call.key` of the request.
            outcome: what became of it.
            by: who brings it, for the record.
            reason: why, for the record.

        Raises:
            RequestRefused: the request was not sent yet (answer again later), no request has this key, or the outcome
                is none, or cannot be stored.
        """
        saga_id, event, kind = request_of(take_name(key))
        refuse_no_outcome(outcome)
        refuse_no_origin(by, reason)
        await self._loop.call(Deliver(saga_id, Answered(event, kind, take_outcome(outcome, event), by=by, why=reason)))

    async def tell(self, saga_id: str, verb: Verb) -> None:
        """Hand a verb to a saga: a client's `Cancel`, an operator's `Retry`, `Resolve`, `Undo` or `Abandon`.

        `Undo` waits for what the participant says. Until that is `Done`, the step's effect is owed, and it may be asked
        again: the participant gets the same key.

        Args:
            saga_id: of the saga.
            verb: what it is to do.

        Raises:
            RequestRefused: there is no such saga, or it cannot take the verb now, or its participant did not undo what
                is owed; the message says why.
        """
        refuse_no_verb(verb)
        if isinstance(verb, Resolve):
            verb = replace(verb, outcome=take_outcome(verb.outcome, verb.step))
        saga_id = take_name(saga_id)
        owed = saga_id, verb.step if isinstance(verb, Undo) else ""  # of no step where nothing is waited for
        with self._loop.late_undos.waiter(owed) as undone:
            standing = await self._loop.call(Deliver(saga_id, verb))
            if isinstance(standing, Decline):
                raise RequestRefused(f"saga {saga_id!r}: {standing.reason}")
            if isinstance(verb, Undo):
                await self._late_undo(standing, verb.step, undone)

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
            self._loop.calls.drop((run.saga_id, event, Kind.UNDO_LATE.value, 1))
        if isinstance(outcome, Later):
            service = run.saga.step(event).service
            raise RequestRefused(f"{what} yet: {service} took it and answers later, under the key that pending() lists")
        if not isinstance(outcome, Done):
            raise RequestRefused(f"{what}: {in_words(Answered(event, Kind.UNDO_LATE, outcome))}")

    async def carry_out(self, command: Command, entity_id: str, body: Any, *, key: str | None = None) -> Refused | None:
        """Carry out a command on its entity; once this returns, that is on stable storage.

        Args:
            command: one of the engine's participants.
            entity_id: of the entity that it is about; it need not exist yet.
            body: what its function gets.
            key: a client key, as for `submit`.

        Returns:
            `Refused` when the participant refused, and nothing changed.
        """
        if not isinstance(command, Command):
            raise RequestRefused(f"{shown(command)} is no Command")
        task = ExecuteCommand(command, take_id(entity_id), body, take_keys(key))
        refused: Refused | None = await self._loop.call(task)
        return refused

    async def transact(self, function: Callable[[Transaction], Any], keys: Sequence[str] = ()) -> Any:
        """Run a function as one transaction: what it does to entities, sagas and client keys is stored at once.

        Args:
            function: called in the engine's thread; it may be called again when it raised, or another task of its turn
                did.
            keys: client keys that it looks at.

        Raises:
            RequestRefused: it is no function, or one of the keys is none.
            ParticipantError: it gave back a coroutine, a generator or an exception; nothing is done then.
            Exception: what the function raises; nothing is done then.
        """
        if not callable(function):
            raise RequestRefused(f"{shown(function)} is no function of a transaction")
        return await self._loop.call(Transact(function, [take_key(key) for key in take_list(keys, "keys")]))

    async def entity(self, service: str, entity_id: str) -> Any:
        """An entity of a participant whose state the engine keeps; ``None`` when it does not exist.

        What can be changed in place is a copy, which the caller owns.

        Args:
            service: of the participant.
            entity_id: of the entity.
        """
        owner, name = take_id(service), take_id(entity_id)
        return await self._loop.call(Read(lambda work: work.entities[owner].get(name)), waits=True)

    async def _look(self, look: Look[Found]) -> Found:
        return await self._loop.look(look)

    def _sagas(self) -> Mapping[str, Saga]:
        return self._loop.coordinator.definitions.sagas

    async def result(self, saga_id: str, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end of a saga.

        Args:
            saga_id: of the saga.
            timeout: how long to wait, in seconds, >= 0; ``None`` for as long as it takes. How the saga stands is told
                in any case, also with 0: of one that has ended its result, of one that waits for an operator that.

        Raises:
            RequestRefused: there is no such saga, it cannot be read, or `timeout` is none.
            OperatorNeeded: it waits for an operator, or does so from now on; a ``TimeoutError``, too.
            TimeoutError: it had not ended by then; it goes on.
            EngineStopped: the engine was closed before; the saga goes on when it is opened again.
        """
        self._loop.expect_caller()
        saga_id, patience = take_name(saga_id), Patience(timeout)
        with self._loop.ends.waiter(saga_id) as waiter:
            try:
                run = await patience.look(_standing(self._loop, saga_id))
                ended = end_of(run)
                return await patience.end_with(waiter) if ended is None else ended
            except OperatorNeeded:
                raise
            except TimeoutError as error:
                raise TimeoutError(f"saga {saga_id} has not ended within {timeout} s; it goes on") from error


async def _standing(loop: EngineLoop, saga_id: str) -> SagaInstance:
    """How a saga stands; one that follows from another is waited for while its letter is acted on."""
    look, is_over = Read(lambda work: work.standing(saga_id)), False
    while True:
        try:
            run: SagaInstance = await loop.call(look, waits=True)
        except RequestRefused:
            if is_over:
                raise
            is_over = not await loop.look(partial(_is_to_start, saga_id))  # then it may have started since
            await asyncio.sleep(0 if is_over else START_LOOK_S)
        else:
            return run


def _is_to_start(saga_id: str, records: Records, _: AsOf) -> bool:
    return letter_to_start(records, saga_id) is not None


def _halted(reason: str) -> Health:
    return Health("ending" if reason == CLOSED else "stopped", reasons=(reason,))
