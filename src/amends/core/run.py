"""A whole saga at once: `step` in a loop, with participants that answer immediately, on a clock of its own.

For tests, for trying things out, and for sagas that need no engine. Nothing is stored: an end of the process is the
end of the saga.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from amends.core.definition import Saga, Step, is_duration
from amends.core.effects import Effect, Send
from amends.core.messages import Answered, Done, Kind, Later, Outcome, Refused, Request, Unknown
from amends.core.step import SagaInstance, start, step
from amends.core.straight import Entities
from amends.errors import ParticipantError, UnusableInput

HORIZON_MS: Final = 3_600_000  # an hour of the run's own clock: a dozen attempts at the default backoff


def run(
    saga: Saga,
    request: Any,
    *,
    saga_id: str = "saga-1",
    entities: Entities | None = None,
    clients: Mapping[str, Any] | None = None,
    horizon_ms: int = HORIZON_MS,
) -> SagaInstance:
    """Run a saga to its end, or as far as it gets.

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
        ParticipantError: a function is async (an engine runs those), or gave back what none may.
        Exception: an exception of a local participant's function; those are pure and have no excuse.
    """
    owned = entities if entities is not None else {member.service: {} for member in saga.every_step()}
    for member in saga.every_step():
        name, given = ("entities", owned) if member.is_local else ("clients", clients)
        if given is not None and member.action is not None and member.service not in given:
            raise UnusableInput(f"{member.event}: {name} has no {member.service!r}; it has: {', '.join(sorted(given))}")
    current, effects = start(saga, saga_id, request, 0, owned)
    now_ms, held = 0, _sends(effects)
    while moments := [send.at_ms for send in held] + [due for due in [current.due_ms()] if due is not None]:
        now_ms = max(now_ms, min(moments))
        if now_ms > horizon_ms:
            break
        inputs = current.overdue(now_ms)
        if not inputs:
            send = held.pop(min(range(len(held)), key=lambda place: held[place].at_ms))
            due, outcome = send.request, perform(saga, send.request, clients or {})
            inputs = (Answered(due.step, due.kind, outcome, due.call.attempt),)
        for said in inputs:
            current, effects = step(current, said, now_ms, owned)
            held = [send for send in held + _sends(effects) if current.wants(send)]
    return current


def perform(saga: Saga, request: Request, clients: Mapping[str, Any]) -> Outcome:
    """Call an external participant's plain function; raising means unknown.

    Args:
        saga: the definition.
        request: what is asked.
        clients: of the outside systems, by service.

    Raises:
        ParticipantError: the function is async, or raised this itself: it gave back what none may.
    """
    called = saga.step(request.step)
    function = called.function(request.kind)
    assert function is not None, "only what a step has is asked"
    if inspect.iscoroutinefunction(function):
        raise ParticipantError(f"{request.step}: {function.__name__} is async; run() calls plain functions alone")
    try:
        return outcome_of(function(clients.get(called.service), request.body, request.call), request, called)
    except ParticipantError:
        raise
    except Exception as error:  # noqa: BLE001 - in spite of it, the effect may have happened: docs/promises.md, P5
        return Unknown(f"{type(error).__name__}: {error}")


def outcome_of(answer: object, request: Request, called: Step) -> Outcome:
    """What a participant's answer says; one that is no outcome at all is unknown (docs/promises.md, P13).

    An action or undo that gives nothing back is done: it returned, and did not raise. A probe must say what it found.
    What notifies a person says no more than that it did: the answer comes from outside.
    """
    if called.wait is not None:
        return answer if isinstance(answer, Unknown) else Later(called.wait.remind_every_s)
    if isinstance(answer, Done | Refused | Unknown) or (isinstance(answer, Later) and is_duration(answer.within_s)):
        return answer
    if answer is None and request.kind is not Kind.PROBE:
        return Done()
    return Unknown(f"{request.step}/{request.kind.value} gave back {answer!r:.200}; give Done(...), Refused or Later")


def _sends(effects: tuple[Effect, ...]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]
