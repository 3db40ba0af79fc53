"""The participants whose entities the engine keeps: their functions are called within a batch, on its entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from amends.core.definition import Step
from amends.core.effects import Effect
from amends.core.inbox import Inbox, receive
from amends.core.messages import Answered, Done, Halt, Input, Kind, Outcome, Refused, Request, Unknown, worded
from amends.core.participant import apply_step, put_entity
from amends.core.step import SagaInstance, step
from amends.engine.effects import BatchEffects, FailedAttempt
from amends.engine.entity_cache import EntityDamaged
from amends.engine.intake import refuse_large_answer, refuse_large_entity
from amends.engine.overlay import Overlay, Touched
from amends.engine.turn_io import NotAtHand
from amends.engine.unreadable import UnreadableRows
from amends.errors import ParticipantError
from amends.exceptions import is_interrupt, raised
from amends.storage.codecs.entities import Unstorable, kept_text, raw, settle
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec
from amends.storage.codecs.values import Sealed, opened, opened_request, storable

Stepped = tuple[SagaInstance, Sequence[Effect]]
"""A saga after a step, and the effects of that."""


class LocalParticipants:
    """Carries out the local steps of sagas on the entities of one batch."""

    def __init__(
        self,
        overlay: Overlay,
        codecs: EntityCodecs,
        effects: BatchEffects,
        unreadable: UnreadableRows,
        now_ms: int,
        value_bytes_max: int,
        *,
        is_careful: bool,
    ) -> None:
        """Call no function yet.

        Args:
            overlay: the entities as the batch sees them.
            codecs: of which types they are.
            effects: gets the attempts that failed.
            unreadable: gets an entity that cannot be read.
            now_ms: the time of the batch.
            value_bytes_max: of one answer or entity, as JSON.
            is_careful: whether each participant is called by itself, and what it leaves is looked at at once.
        """
        self._overlay = overlay
        self._codecs = codecs
        self._effects = effects
        self._unreadable = unreadable
        self._now_ms = now_ms
        self._value_bytes_max = value_bytes_max
        self._is_careful = is_careful

    def step(self, codec: SagaCodec, request: Any, given: Sequence[Any], take: Callable[[Any], Stepped]) -> Stepped:
        """Take a step with the entities at hand; where that is not safe, or a participant raises, one at a time.

        It is safe where the request, the answers given and those that come are closed: what one participant does to
        them none of the others can see. The entities see to themselves.

        Args:
            codec: of the saga's definition.
            request: the saga's.
            given: the answers that participants are given.
            take: takes the step, with entities by service, or with ``None``: then it stops at each local step.
        """
        if not codec.asks:
            return take(None)
        if self._is_careful or not codec.walks or type(request) is Sealed or (given and Sealed in map(type, given)):
            return self.call_each(codec, *take(None))
        overlay = self._overlay
        touched: list[Touched] = []
        try:
            touched = overlay.touch(overlay.places.get(codec) or overlay.places_of(codec), request)
            run, effects = take(overlay.values)
            if not (self._codecs.looks.get(codec) or self._codecs.look_of(codec))(touched):
                overlay.settle(touched)
            if run.answers:
                codec.walks = codec.are_closed(run.answers)
            if codec.walks and type(run.reason) is str:
                return run, effects
        except BaseException as error:
            if is_interrupt(error) or isinstance(error, NotAtHand):
                raise
        overlay.restore(touched)
        return self.call_each(codec, *take(None))

    def call_each(self, codec: SagaCodec, run: SagaInstance, effects: Sequence[Effect] = ()) -> Stepped:
        """Call the participants that a saga waits for, each request by itself, and each once."""
        tried: set[tuple[str, Kind]] = set()
        while request := next(self._requests(codec, run, tried), None):
            tried.add((request.step, request.kind))
            run, more = step(run, self._answer(codec.saga.step(request.step), request), self._now_ms)
            effects = (*effects, *more)
        return run, effects

    def _requests(self, codec: SagaCodec, run: SagaInstance, tried: set[tuple[str, Kind]]) -> Iterator[Request]:
        for send in run.requests():
            request = send.request
            is_new = (request.step, request.kind) not in tried
            if is_new and send.at_ms <= self._now_ms and codec.saga.step(request.step).is_local:
                yield request

    def receive(self, inbox: Inbox, local: Step, request: Request) -> tuple[str, Done | Refused]:
        """Answer a request of a saga that is elsewhere, once; see `amends.core.inbox.receive`.

        Args:
            inbox: what was answered to this step of the saga before, but for this.
            local: the step.
            request: `Kind.DO` or `Kind.UNDO`.

        Returns:
            The id of the entity that it is about, and the answer.

        Raises:
            NotAtHand: something has to be read first.
            Exception: what the participant raised, or why what it left cannot be stored; nothing has changed then.
        """
        touched: list[Touched] = []
        try:
            assert local.entity is not None, "a local step has an entity"
            touched = self._overlay.touch([self._overlay.place(local.service, local.entity)], request.body)
            owned, entity_id, _ = touched[0]
            _, after, outcome = receive(inbox, owned.get(entity_id), request, local)
            return entity_id, self._kept(local, request.kind, touched[0], after, outcome)
        except EntityDamaged as error:
            self._unreadable.add(error.row)
            raise
        except BaseException:
            self._overlay.restore(touched)
            raise

    def _answer(self, local: Step, request: Request) -> Input:
        touched: list[Touched] = []
        try:
            assert local.entity is not None, "a local step has an entity"
            touched = self._overlay.touch([self._overlay.place(local.service, local.entity)], opened(request.body))
            outcome = self._outcome(local, request, *touched)
        except EntityDamaged as error:
            self._unreadable.add(error.row)
            return Halt(request.step, str(error))
        except BaseException as error:
            if is_interrupt(error) or isinstance(error, NotAtHand):
                raise
            self._overlay.restore(touched)
            outcome = Unknown(raised(error), taken_back=True, cause=error)
            self._effects.failures.append(
                FailedAttempt(request.saga_id, request.step, request.kind, request.call.attempt, outcome.error, error)
            )
        return Answered(request.step, request.kind, outcome, request.call.attempt)

    def _outcome(self, local: Step, request: Request, touched: Touched) -> Outcome:
        owned, entity_id, _ = touched
        request = opened_request(request)
        after, outcome = apply_step(local, request.kind, owned.get(entity_id), request.body, request.call)
        return self._kept(local, request.kind, touched, after, outcome)

    def _kept(self, local: Step, kind: Kind, touched: Touched, after: Any, outcome: Done | Refused) -> Done | Refused:
        """What a participant answered, as it is kept, once what it left of its entity is."""
        owned, entity_id, _ = touched
        if isinstance(outcome, Refused):
            return Refused(worded(outcome.reason))
        codec = answer_codec(local, kind)
        try:
            put_entity(owned, entity_id, after)
            settle(owned, entity_id)
            if self._is_careful:
                text = kept_text(raw(owned, entity_id))
                refuse_large_entity(f"{local.service}/{entity_id}", text, self._value_bytes_max)
        except Unstorable as error:
            raise ParticipantError(f"{local.event}: {error}") from error
        done = storable(outcome, local.event, codec)
        refuse_large_answer(done, local.event, self._value_bytes_max)
        assert isinstance(done, Done), "what is done stays done"
        return done
