"""What a check starts from: the entities that there are, and the requests that come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amends.core.definition import Command, Saga

Given = Mapping[str, Mapping[str, Any]]
"""Service, then id, to entity."""


@dataclass(frozen=True, slots=True, eq=False)
class Under:
    """A request of a scenario that runs under a definition of its own: another saga, or another version.

    Attributes:
        saga: the definition.
        request: what it is to do.
    """

    saga: Saga
    request: Any


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A saga in a small world, to be explored by ``amends check`` and `amends.check`.

    Attributes:
        saga: the definition.
        given: entities that exist at the start: service, then id, to entity.
        requests: one saga runs for each, all at the same time; `Under` names another definition. Where there are none,
            `prepare` builds one for each that is `asked`, from the entities of the start.
        models: of the outside worlds, by service; `amends.checking.honours_keys` where none is named. Give one where a
            participant honours no keys, remembers less, or is your own client on a model of yours.
        never: what must not be, at any moment: functions of the entities that give true, or a text that says what is
            wrong, when it is. Give those for what your business forbids and no rule of sagas knows: a seat sold twice.
        ids: the sagas' ids; ``s1``, ``s2``, ... by default. Give them where a function reads them, or to name sagas in
            a picture.
        asked: what clients ask for when the saga is simulated: what its `prepare` gets. By default the requests; each
            is asked for any number of times, where they have no ids. Give it when the definition has a `prepare`.
        alike: where any of several will do, what is compared instead: by service a view of its entities, by event a
            view of a step's answer. ``{"SEAT_TAKEN": lambda seat: "a seat"}``: any free seat. By default all of both.
            Give it where a check reports two sagas as different that are equally good.
        operators: whether a step may be halted (an entity that cannot be read), and an operator says all that may be
            said to a saga that waits for one. Set it to check what is left after an operator's decisions, at the cost
            of more worlds.
        not_shown: what is not meant to happen in it, so that a check is green without: ``completed``, ``compensated``,
            or a function that is not called, as ``CARD_CHARGED/undo``. Give it where a green check would say that the
            scenario shows too little, and that is meant.
        commands: changes that come at any moment, once each, and are no steps: command, entity's id, body. Give those
            that run beside your sagas, such as a restock.
        answers: by event of a `wait_for`, what the person whom it asks may say: ``[Done(Approval(250)),
            Done(Approval(9)), Refused("too dear")]``. Each of them comes at any moment. By default a yes, with an
            answer of the type that is made up, and a no. Give it where a later step goes by what the answer says.
    """

    saga: Saga
    given: Given
    requests: Sequence[Any]
    models: Mapping[str, Any] = field(default_factory=dict)
    never: Sequence[Callable[[Given], object]] = ()
    ids: Sequence[str] = ()
    asked: Sequence[Any] = ()
    alike: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    operators: bool = False
    not_shown: Sequence[str] = ()
    commands: Sequence[tuple[Command, str, Any]] = ()
    answers: Mapping[str, Sequence[Any]] = field(default_factory=dict)
