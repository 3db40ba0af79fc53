"""A whole saga at once, without a store, whose participants are asked as the engine asks them.

What they are given is a copy of their own, and what they give is what would be read back of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, wraps
from typing import Any

from amends.core.definition import Saga, Step, parallel
from amends.core.messages import Call, Changed, Done, Kind
from amends.core.participant import SPECIAL
from amends.core.run import HORIZON_MS
from amends.core.run import run as carried_out
from amends.core.step import SagaInstance
from amends.core.straight import Entities
from amends.engine.round_trip import RoundTrip, round_trip_of
from amends.errors import ParticipantError
from amends.generic import Wanted
from amends.storage.codecs.values import own


def run(
    saga: Saga[Wanted, Any],
    request: Wanted,
    *,
    saga_id: str = "saga-1",
    entities: Entities | None = None,
    clients: Mapping[str, Any] | None = None,
    horizon_ms: int = HORIZON_MS,
) -> SagaInstance:
    """Run a saga to its end, or as far as it gets.

    Participants are asked as the engine asks them: with a copy of what would be read back from a store. A value that
    would come back as another one is refused where it is met.

    Args:
        saga: the definition.
        request: what it is to do.
        saga_id: goes into the idempotency keys.
        entities: of the local participants: service, then id, to entity; changed in place. By default none exist yet.
        clients: of the external participants, by service; what their functions get first. By default ``None`` each.
        horizon_ms: where the run's own clock stops: a saga that still waits then is given back as it stands.

    Returns:
        The run: final, waiting for an operator, or waiting with a due time beyond the horizon.

    Raises:
        UnusableInput: entities or clients lack a service that the saga has.
        ParticipantError: a request, an entity or an answer would come back as another value, and as which; a function
            is async (an engine runs those), or gave back what none may.
        Exception: what a local participant's function raises: a pure function has no excuse.
    """
    trip = round_trip_of(saga)
    for service, owned in (entities or {}).items():
        for entity_id, entity in [*owned.items()]:
            owned[entity_id] = trip.entity(service, entity_id, entity)
    request = trip.request(request)
    ended = carried_out(
        _with_copies(saga), request, saga_id=saga_id, entities=entities, clients=clients, horizon_ms=horizon_ms
    )
    return ended._replace(saga=saga)


@lru_cache(maxsize=1000)  # of tests, which run the same definition again and again
def _with_copies(saga: Saga) -> Saga:
    """The same saga, whose functions take copies, and give what would be read back."""
    trip = round_trip_of(saga)
    return replace(saga, steps=[parallel(*(_step(trip, step) for step in group)) for group in saga.groups])


def _step(trip: RoundTrip, step: Step) -> Step:
    return replace(
        step,
        action=step.action and _function(trip, step, Kind.DO, step.action),
        undo=step.undo and _function(trip, step, Kind.UNDO, step.undo),
        probe=step.probe and _function(trip, step, Kind.PROBE, step.probe),
    )


def _function(trip: RoundTrip, step: Step, kind: Kind, function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):
        return function

    @wraps(function)
    def called(first: Any, body: Any, *calls: Call) -> Any:
        given = own(first) if step.is_local else first
        said = function(given, own(body), *map(_own_call, calls))
        try:
            return _entity(trip, step, kind, body, said) if step.is_local else _outcome(trip, step, kind, said)
        except ParticipantError as error:
            name = getattr(function, "__name__", repr(function))
            raise ParticipantError(f"{step.event}/{kind.value} ({name}): {error}") from error

    return called


def _own_call(call: Call) -> Call:
    return replace(call, answers=own(dict(call.answers)), answer=own(call.answer))


def _entity(trip: RoundTrip, step: Step, kind: Kind, body: Any, said: Any) -> Any:
    """What a function of ours gave back, as it would be read back; what is none, as it is: the core refuses it."""
    if isinstance(said, Changed):
        answer = trip.outcome(step.event, kind, Done(said.answer))
        assert isinstance(answer, Done), "a round trip leaves an outcome what it is"
        return Changed(_entity(trip, step, kind, body, said.entity), answer.answer)
    assert step.entity is not None, "a local step has an entity"
    return said if said.__class__ in SPECIAL else trip.entity(step.service, step.entity(body), said)


def _outcome(trip: RoundTrip, step: Step, kind: Kind, said: Any) -> Any:
    return trip.outcome(step.event, kind, said) if isinstance(said, Done) else said
