"""Which sagas run in a scenario: under which definition each, with which request, and under which id."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from amends.core.definition import Command, Saga, local
from amends.core.messages import Refused
from amends.errors import UnusableInput
from amends.scenario import Given, Scenario, Under


class RunningSaga(NamedTuple):
    """A saga that runs.

    Attributes:
        saga_id: its id.
        saga: its definition.
        request: what it is to do.
    """

    saga_id: str
    saga: Saga
    request: Any


def running_sagas(scenario: Scenario) -> tuple[RunningSaga, ...]:
    """Everything that runs: a saga for each request, or for what each client asks; and each command, as one step alone.

    Raises:
        UnusableInput: a saga's `prepare` raises, or refuses what a client asks.
    """
    requests = scenario.requests or (_prepared(scenario) if scenario.saga.prepare else [])
    ids = tuple(scenario.ids) or tuple(f"s{number}" for number in range(1, len(requests) + 1))
    named = [each if isinstance(each, Under) else Under(scenario.saga, each) for each in requests]
    sagas = [RunningSaga(name, each.saga, each.request) for name, each in zip(ids, named, strict=True)]
    return (*sagas, *_commands(scenario))


def definitions_of(scenario: Scenario) -> tuple[Saga, ...]:
    """The definitions that its requests name, the scenario's own first."""
    named = (each.saga for each in scenario.requests if isinstance(each, Under))
    return (*dict.fromkeys((scenario.saga, *named)),)


def prepared(scenario: Scenario, number: int, entities: Given) -> Any:
    """What `prepare` gives a client of a scenario, from some entities: a request, or `Refused`.

    Args:
        scenario: with a definition that has one, and what is asked.
        number: place among what is asked.
        entities: what it reads; it gets a copy.

    Raises:
        UnusableInput: `prepare` raises.
    """
    prepare, wanted = scenario.saga.prepare, scenario.asked[number]
    assert prepare is not None, "nothing is built without it"
    saga_id = scenario.ids[number] if scenario.ids else f"s{number + 1}"
    try:
        return prepare(deepcopy(entities), saga_id, deepcopy(wanted))
    except Exception as error:
        raise UnusableInput(f"prepare raised {type(error).__name__}: {error}, asked {wanted!r}") from error


def _prepared(scenario: Scenario) -> list[Any]:
    """The requests that `prepare` builds, from the entities of the start."""
    built = [prepared(scenario, number, scenario.given) for number in range(len(scenario.asked))]
    for wanted, request in zip(scenario.asked, built, strict=True):
        if isinstance(request, Refused):
            raise UnusableInput(f"prepare refused {wanted!r}: {request.reason}; ask for what can be started")
    return built


def _commands(scenario: Scenario) -> Iterator[RunningSaga]:
    for number, (command, entity_id, body) in enumerate(scenario.commands, start=1):
        yield RunningSaga(f"c{number}", _alone(command, entity_id, type(body)), body)


def _alone(command: Command, entity_id: str, body: type) -> Saga:
    """A command as a saga of one step: it comes at any moment, once, and is refused or not."""
    only = local(command.event, command.apply, service=command.service, entity=lambda _: entity_id, pivot=True)
    return Saga(command.event, body, [only])
