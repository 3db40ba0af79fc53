"""There and back: what requests, entities and answers are once they are stored and read again.

For code that calls participants without a store, and is to call them as the engine does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache, partial, reduce
from typing import Any

from amends.core.definition import Saga
from amends.core.messages import Done, Kind, Outcome
from amends.engine.entity_cache import is_id
from amends.engine.overlay import NO_ID
from amends.errors import ParticipantError
from amends.storage.codecs.hints import answer_codec, answer_types
from amends.storage.codecs.sagas import EntityCodecs
from amends.storage.codecs.samples import sample_of
from amends.storage.codecs.values import (
    OF_AN_ANSWER,
    PLAIN,
    PLAIN_IS,
    Codec,
    codec_of,
    is_bare,
    kept_answer,
    of_a_request,
    opened,
    shown,
    storable,
    text_of,
)


class RoundTrip:
    """What the values of a definition become. What would become another value is refused."""

    def __init__(self, saga: Saga) -> None:
        """Look at the types of a definition.

        Raises:
            DefinitionError: values of one of them cannot be read back.
        """
        self._saga = saga
        self._requests = codec_of(saga.request, f"saga {saga.name!r}: its requests, {saga.request!r},")
        self._entities = EntityCodecs()
        self._entities.learn_saga(saga)
        self._entities.check()
        self._services = frozenset(self._entities.services())
        for step in saga.every_step():
            answer_codec(step)

    def request(self, request: Any) -> Any:
        """A request as the steps are asked with it.

        Raises:
            ParticipantError: it would come back as another one, or not at all.
        """
        remedy = of_a_request(self._saga.request, request)
        return _there_and_back(partial(_kept, self._requests, request), f"{self._saga.name}: the request", remedy)

    def entity(self, service: str, entity_id: Any, entity: Any) -> Any:
        """An entity as the next function gets it; ``None`` of none.

        One of a service that no step of the saga is of is not looked at: what its type is, the saga does not say.

        Raises:
            ParticipantError: it would come back as another one, or not at all, or its id is none.
        """
        if not is_id(entity_id):
            raise ParticipantError(f"{service}: the entity's id, {shown(entity_id)}, {NO_ID}")
        if entity is None or service not in self._services:
            return entity
        remedy = f"declare its type as the first parameter of {service}'s functions, or use {PLAIN_IS}"
        codec = self._entities.codec(service)
        return _there_and_back(partial(_kept, codec, entity), f"the entity {service}/{entity_id}", remedy)

    def answer_types(self, event: str) -> Sequence[Any]:
        """The types that a step's answers are read back as; none where they are plain JSON."""
        return answer_types(self._saga.step(event))

    def makes_up(self, event: str) -> bool:
        """Whether a ready model's answers can be of the types that a step declares, or are plain JSON as it is."""
        return answer_codec(self._saga.step(event)) is PLAIN or self._made_up(event, "") is not None

    def outcome(self, event: str, kind: Kind, outcome: Outcome, *, is_typed: bool = True) -> Outcome:
        """What a step said, as the saga hears it.

        Args:
            event: the step.
            kind: what it was asked.
            outcome: any.
            is_typed: whether its answer is of the type that the step's functions declare.

        Raises:
            ParticipantError: the answer would come back as another one, or not at all.
        """
        if not isinstance(outcome, Done):
            return storable(outcome, event)
        if is_bare(outcome):
            return outcome
        codec = answer_codec(self._saga.step(event), kind)
        if not is_typed and codec is not PLAIN:
            made_up = self._made_up(event, str(outcome.answer))
            codec, outcome = (PLAIN, outcome) if made_up is None else (codec, made_up)
        return Done(_there_and_back(partial(kept_answer, codec, outcome.answer), "the answer", OF_AN_ANSWER))

    def _made_up(self, event: str, receipt: str) -> Done | None:
        """What a ready model answers, as the type that the step declares; ``None`` where none can be made up."""
        try:
            return Done(sample_of(reduce(operator.or_, self.answer_types(event)), receipt))
        except LookupError:
            return None


round_trip_of = lru_cache(maxsize=1000)(RoundTrip)
"""The round trip of a definition, made once."""


def _kept(codec: Codec, value: Any) -> Any:
    return codec.keep(value, text_of(value))


def _there_and_back(keep: Callable[[], Any], what: str, remedy: str) -> Any:
    try:
        return opened(keep())
    except (TypeError, ValueError) as error:
        raise ParticipantError(f"{what} cannot be stored: {error}; {remedy}") from error
