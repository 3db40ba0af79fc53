"""What clients and participants have the loop do in a turn: start sagas, deliver inputs, commands, transactions."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Any, ClassVar

import msgspec

from amends.core.definition import Command
from amends.core.effects import Decline
from amends.core.messages import Answered, Done, Input, Kind, Refused, worded
from amends.core.step import SagaInstance
from amends.engine.client_keys import REFUSED, SAGA, started_by
from amends.engine.entity_cache import entities_for
from amends.engine.outside import refuse_unasked
from amends.engine.task import Task, Unfinished
from amends.engine.transaction import Transaction
from amends.engine.turn_io import EntityName, NotAtHand
from amends.engine.unit_of_work import UnitOfWork
from amends.errors import ParticipantError, RequestRefused
from amends.exceptions import answerable
from amends.storage.codecs.digests import digest_by_position, digest_of
from amends.storage.codecs.entities import Unstorable
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import are_flat, shown


@dataclass(frozen=True, slots=True)
class StartSagas(Task):
    """Start sagas of one definition.

    Attributes:
        codec: of the definition.
        requests: what `Saga.prepare` gets, where there is one.
        keys: a client key for each; empty for none at all.
        before: the answers to those that were asked before these.
    """

    codec: SagaCodec
    requests: Sequence[Any]
    keys: Sequence[str] = ()
    before: Sequence[Any] = ()

    @property
    def size(self) -> int:  # type: ignore[override]  # it is read, and never written
        """How many sagas."""
        return len(self.requests)

    @property
    def entities(self) -> Iterable[EntityName]:  # type: ignore[override]  # it is read, and never written
        """Those that the requests name."""
        return (name for request in self.requests for name in entities_for(self.codec, request))

    def carry_out(self, work: UnitOfWork) -> list[Any]:
        """For each a `SagaInstance`, the id of the saga that its key started before, or what refused it.

        Raises:
            Overloaded: the engine has no shard yet, and starts none of them.
        """
        work.committed.new_id.expect_shard()
        begun, is_flat = [*self.before], self.codec.saga.prepare is not None and are_flat(self.requests)
        expect_room = work.room.expect
        for done, (request, key) in enumerate(zip_longest(self.requests, self.keys)):
            expect_room(done)
            try:
                begun.append(
                    work.begin(self.codec, request, is_flat=is_flat)
                    if key is None
                    else _begun(work, self.codec, request, key, is_flat=is_flat)
                )
            except (NotAtHand, RequestRefused) as error:
                work.overlay.take_back()
                begun.append(error.with_traceback(None))  # whose frames hold all of this turn, and it holds them
            except BaseException as error:  # noqa: BLE001 - it is the answer to this request, and no matter of the others
                work.overlay.take_back()
                begun.append(answerable(error))
        return begun

    def parts(self) -> Sequence[Task]:
        """One saga each."""
        keys: Sequence[Sequence[str]] = [[key] for key in self.keys] or [()] * len(self.requests)
        return [StartSagas(self.codec, [request], key) for request, key in zip(self.requests, keys, strict=True)]

    def joined(self, answers: Sequence[Any]) -> Any:
        """One list."""
        begun = [*self.before, *(answer if isinstance(answer, Exception) else answer[0] for answer in answers)]
        number = len(answers)
        if number == len(self.requests):
            return begun
        return Unfinished(replace(self, requests=self.requests[number:], keys=self.keys[number:], before=begun))

    def stopped(self, error: Exception) -> Any:
        """Why; with what became of the first ones, where some were begun."""
        return [*self.before, *[error] * len(self.requests)] if self.before else error


def _begun(
    work: UnitOfWork, codec: SagaCodec, request: Any, key: str, *, is_flat: bool
) -> SagaInstance | str | RequestRefused:
    """Where a new saga stands, the id of the one that the key started before, or why none was started."""
    digest = digest_of(codec.saga.name, request)
    answer = work.keys.recall(key, digest, partial(digest_by_position, codec.saga.name, request))
    if answer is not None:
        return started_by(answer)
    try:
        run = work.begin(codec, request, is_flat=is_flat)
    except RequestRefused as refused:
        work.overlay.take_back()
        work.keys.refuse(key, digest, worded(refused))
        return refused
    work.keys.remember(key, digest, {SAGA: run.saga_id}, run.saga_id)
    return run


@dataclass(frozen=True, slots=True)
class Deliver(Task):
    """Hand an input to a saga.

    Attributes:
        saga_id: of the saga.
        said: what happened, or an operator's or client's verb.
    """

    saga_id: str = field()
    said: Input = field()

    @property
    def goes_back(self) -> bool:
        """All but the answer of an action that is done: a verb of an operator, too."""
        return not (
            isinstance(self.said, Answered) and self.said.kind is Kind.DO and isinstance(self.said.outcome, Done)
        )

    def carry_out(self, work: UnitOfWork) -> SagaInstance | Decline:
        """Where the saga then stands; `Decline` when it is a verb that cannot be taken now.

        Raises:
            RequestRefused: there is no such saga, or it cannot be read.
        """
        loaded = work.found(self.saga_id)
        steps, named = loaded.codec.steps, getattr(self.said, "step", None)  # of those that are about a step
        if named is not None and named not in steps:
            raise RequestRefused(f"saga {self.saga_id!r} has no step {named!r:.200}; its steps are {', '.join(steps)}")
        if isinstance(self.said, Answered) and self.said.attempt is None:  # by its key: so it comes from outside
            refuse_unasked(loaded.run, self.said)
        return work.hear(loaded, self.said)


@dataclass(frozen=True, slots=True)
class ExecuteCommand(Task):
    """Carry out a command.

    Attributes:
        command: one of the engine's participants.
        entity_id: of the entity that it is about.
        body: what its function gets.
        keys: one client key, or none.
    """

    command: Command
    entity_id: str
    body: Any
    keys: Sequence[str] = ()

    @property
    def entities(self) -> Iterable[EntityName]:  # type: ignore[override]  # it is read, and never written
        """The one that it is about."""
        return ((self.command.service, self.entity_id),)

    def carry_out(self, work: UnitOfWork) -> Refused | None:
        """`Refused` when the participant refused.

        Raises:
            KeyReused: the client key stands for something else.
            Exception: what the command's function raises.
        """
        if not self.keys:
            return work.writes.execute(self.command, self.entity_id, self.body)
        key, name = self.keys[0], f"{self.command.event} of {self.command.service}/{self.entity_id}"
        digest = digest_of(name, self.body)
        answer = work.keys.recall(key, digest, partial(digest_by_position, name, self.body))
        if answer is not None:
            reason = msgspec.json.decode(answer)[REFUSED]
            return None if reason is None else Refused(reason)
        refused = work.writes.execute(self.command, self.entity_id, self.body)
        if refused:
            work.keys.refuse(key, digest, worded(refused.reason), name)
        else:
            work.keys.remember(key, digest, {REFUSED: None})
        return refused


@dataclass(frozen=True, slots=True)
class Transact(Task):
    """Run a function as a part of the turn's transaction."""

    is_whole: ClassVar[bool] = True

    function: Callable[[Transaction], Any]
    keys: Sequence[str] = ()

    def carry_out(self, work: UnitOfWork) -> Any:
        """What the function gave back.

        Raises:
            ParticipantError: that is something that would go on, or an exception; nothing is done then.
            Exception: what the function raises.
        """
        try:
            return self._answer(work)
        except Unstorable as error:
            raise ParticipantError(f"a transaction: {error}") from error

    def _answer(self, work: UnitOfWork) -> Any:
        answer = self.function(Transaction(work))
        if inspect.isawaitable(answer) or isinstance(answer, AsyncGenerator | Generator | BaseException):
            raise ParticipantError(
                f"a transaction gave back {shown(answer)}, and nothing of it is done; make it a plain function, which "
                "does all before it returns, and raises its exceptions"
            )
        work.writes.settle()
        return answer


@dataclass(frozen=True, slots=True)
class Read(Task):
    """Look at what the last commit left; nothing is written."""

    function: Callable[[UnitOfWork], Any]

    def carry_out(self, work: UnitOfWork) -> Any:
        """What the function gave back."""
        return self.function(work)
