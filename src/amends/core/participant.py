"""A pure participant: where its function is called, and where what the function returns is read.

Every runtime comes through here: `amends.core.walk` for local steps and commands, `amends.core.inbox` behind a wire,
the engine's unit of work, the checker's serial orders and the simulator's last look at its entities.
`amends.core.straight` writes the call itself out, and hands what is no plain entity to `read_result`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

from amends.core.definition import Step, takes_call
from amends.core.messages import GONE, Call, Changed, Done, Gone, Kind, Later, Refused, Unknown
from amends.errors import ParticipantError

Applied = tuple[Any, Done[Any] | Refused]
"""The entity after, ``None`` when there is none, and the outcome. `Refused` leaves the entity as it was."""

SPECIAL: Final = frozenset((Refused, Changed, Gone, type(None), Done, Unknown, Later))
"""The classes that no entity has: what they say has to be read, or is an error."""

NO_ANSWER: Final[Done[Any] | Refused] = Done()


def apply_step(step: Step, kind: Kind, entity: Any, request: Any, call: Call) -> Applied:
    """Call the function of a local step, and read what it returns.

    Args:
        step: the step.
        kind: `Kind.DO` or `Kind.UNDO`.
        entity: the entity before; ``None`` when it does not exist.
        request: the saga's request.
        call: what goes with it; the function gets it when it has a third parameter.

    Raises:
        ParticipantError: the function returned something that is no answer.
        Exception: an exception of the function.
    """
    function = step.function(kind)
    assert function is not None, "only a step with an undo is undone"
    returned = function(entity, request, call) if takes_call(function) else function(entity, request)
    return read_result(function, step.event, entity, returned)


def read_result(function: Callable[..., Any], event: str, entity: Any, returned: Any) -> Applied:
    """Read what a pure function returned: the entity, `Changed`, `GONE` or `Refused`.

    Args:
        function: the function, for the error.
        event: of the step or the command, for the error.
        entity: the entity before.
        returned: what the function returned.

    Raises:
        ParticipantError: it is something else; above all ``None``, so that a forgotten ``return`` deletes nothing.
    """
    if isinstance(returned, Refused):
        return entity, returned
    after, outcome = (
        (returned.entity, Done(returned.answer)) if isinstance(returned, Changed) else (returned, NO_ANSWER)
    )
    if after is GONE:
        return None, outcome
    if after.__class__ in SPECIAL:
        name = getattr(function, "__name__", repr(function))
        raise ParticipantError(
            f"{event}: {name} gave back {after!r}; return the entity, Changed(entity, answer), GONE or Refused(reason)"
        )
    return after, outcome


def put_entity(owned: MutableMapping[str, Any], entity_id: str, after: Any) -> None:
    """Write an entity as it is after a call; ``None`` deletes it."""
    if after is None:
        owned.pop(entity_id, None)
    else:
        owned[entity_id] = after
