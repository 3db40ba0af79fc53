"""Local steps, carried out at once: pure functions on entities, one after the other, by the table.

Nothing is sent, so nothing can come twice: what guards a local step is that saga and entities are written together.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from amends.core.decide import Said
from amends.core.definition import Command, Step
from amends.core.messages import GONE, NO_ANSWERS, Call, Changed, Done, Gone, Kind, Later, Refused, Unknown
from amends.core.table import Path
from amends.errors import ParticipantError

Entities = Mapping[str, MutableMapping[str, Any]]
"""The unit of work: service, then id, to entity. A dict of dicts serves; an adapter's overlay can."""

SPECIAL: Final = frozenset((Refused, Changed, Gone, type(None), Done, Unknown, Later))


class Walk:
    """What travels along a walk.

    Attributes:
        saga_id: whose walk it is.
        request: the saga's request.
        entities: read and written.
        answers: of the steps done so far; replaced, never changed, when a step adds one.
        reason: why a participant refused last; empty while none did.
    """

    __slots__ = ("answers", "entities", "reason", "request", "saga_id")

    def __init__(
        self, saga_id: str, request: Any, entities: Entities, answers: Mapping[str, Any] = NO_ANSWERS
    ) -> None:
        self.saga_id = saga_id
        self.request = request
        self.entities = entities
        self.answers = answers
        self.reason = ""

    def along(self, path: Path) -> Path:
        """Carry out local steps from `path` on, until the saga ends or asks something else.

        Args:
            path: where to start; a node's own `path`.

        Returns:
            The way that was taken.

        Raises:
            ParticipantError: a function gave back what none may.
            Exception: whatever a participant's function raises. The entities are then to be thrown away.
        """
        request = self.request
        entities = self.entities
        while path.step is not None:
            owned = entities[path.service]
            entity_id = path.entity(request)
            before = owned.get(entity_id)
            if path.takes_call:
                after = path.function(before, request, self._call(path))
            else:
                after = path.function(before, request)
            if after.__class__ in SPECIAL:
                path = self._special(path, owned, entity_id, after)
            else:
                owned[entity_id] = after
                path = path.done or path.follow(Said.DONE)
        return path

    def _call(self, path: Path) -> Call:
        step = path.step
        assert step is not None, "a way that ends asks nobody"
        answer = self.answers.get(step.event) if path.kind is Kind.UNDO else None
        return Call(key_of(self.saga_id, step, path.kind), 1, self.answers, answer)

    def _special(self, path: Path, owned: MutableMapping[str, Any], entity_id: str, after: Any) -> Path:
        assert path.step is not None, "a way that ends asks nobody"
        if isinstance(after, Refused):
            self.reason = after.reason
            return path.refused or path.follow(Said.REFUSED)
        answer = put(owned, entity_id, after, path.step.event, path.function)
        if answer is not None and path.kind is Kind.DO:
            self.answers = {**self.answers, path.step.event: answer}
        return path.done or path.follow(Said.DONE)


def put(owned: MutableMapping[str, Any], entity_id: str, after: Any, what: str, function: Any) -> Any:
    """Write what a pure function gave back, anything but `Refused`, and give its answer.

    Args:
        owned: the entities of the service.
        entity_id: which one.
        after: the entity, `Changed` or `GONE`.
        what: step or command, for the error.
        function: the function, for the error.

    Raises:
        ParticipantError: `after` is no entity.
    """
    answer = None
    if isinstance(after, Changed):
        after, answer = after.entity, after.answer
    if after is GONE:
        owned.pop(entity_id, None)
    elif after.__class__ in SPECIAL:
        name = getattr(function, "__name__", repr(function))
        raise ParticipantError(
            f"{what}: {name} gave back {after!r}; return the entity, Changed(entity, answer), GONE or Refused(reason)"
        )
    else:
        owned[entity_id] = after
    return answer


def command(entities: Entities, order: Command, entity_id: str, body: Any) -> Refused | None:
    """Carry out a command on its entity.

    Args:
        entities: read and written.
        order: the command.
        entity_id: which entity.
        body: what the command's function gets.

    Returns:
        `Refused` when the participant refused, and nothing changed; else ``None``.

    Raises:
        ParticipantError: the function gave back what none may.
    """
    owned = entities[order.service]
    after = order.apply(owned.get(entity_id), body)
    if isinstance(after, Refused):
        return after
    put(owned, entity_id, after, order.event, order.apply)
    return None


def key_of(saga_id: str, step: Step, kind: Kind) -> str:
    """The idempotency key of a request, the same at every attempt; a probe looks for its action's key."""
    return f"{saga_id}/{step.event}/{'undo' if kind is Kind.UNDO else 'do'}"
