"""Scenarios that would hold because nothing happens in them are refused, with what is wrong and what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from amends.checking.coverage_gaps import known_names
from amends.checking.models import Model
from amends.checking.running_sagas import definitions_of
from amends.core.definition import Saga
from amends.core.messages import Done, Kind, Refused
from amends.engine.round_trip import round_trip_of
from amends.errors import ParticipantError, UnusableInput
from amends.scenario import Scenario


def refuse_unusable(name: str, scenario: Scenario) -> None:
    """Refuse a scenario that names what its saga does not have, or in which no saga runs.

    Args:
        name: what to call it.
        scenario: to look at.

    Raises:
        UnusableInput: something is wrong with it; only the first thing is said.
    """
    for fault in _faults(scenario):
        raise UnusableInput(f"{name}: {fault}")


def _faults(scenario: Scenario) -> Iterator[str]:
    steps = [each for saga in definitions_of(scenario) for each in saga.every_step()]
    commanded = (command.service for command, _, _ in scenario.commands)
    local = dict.fromkeys([*(each.service for each in steps if each.is_local), *commanded])
    outside = dict.fromkeys(each.service for each in steps if not each.is_local and each.action is not None)
    count = len(scenario.requests) or len(scenario.asked if scenario.saga.prepare else ())
    if not count:
        yield "it has no requests, so nothing would run; give one for each saga"
    if scenario.ids and len(set(scenario.ids)) != count:
        yield f"it has {count} requests and ids={[*scenario.ids]!r}; give each request an id of its own, or none"
    yield from _of_another_kind(scenario.requests, scenario.models, scenario.never)
    for name in scenario.not_shown:
        if name not in (known := known_names(definitions_of(scenario))):
            yield f"not_shown names {name!r}, which is none of: {', '.join(known)}"
    read = dict.fromkeys(scenario.given) if scenario.asked and scenario.saga.prepare else {}  # what `prepare` reads
    yield from _unknown("given", scenario.given, {**local, **read}, "local step")
    yield from _unknown("models", scenario.models, outside, "external step")
    yield from _of_no_wait(scenario)


def _of_no_wait(scenario: Scenario) -> Iterator[str]:
    """Answers that no wait has, or that it could not take."""
    waits = {
        each.event: saga
        for saga in definitions_of(scenario)
        for each in saga.every_step()
        if each.wait and not each.wait.is_pause
    }
    for event, outcomes in scenario.answers.items():
        if event not in waits:
            there = f"those that do are: {', '.join(waits)}" if waits else "none does"
            yield f"answers names {event!r}, which is no step that waits for a person; {there}"
        elif isinstance(outcomes, str | Mapping | Done | Refused) or not outcomes:
            yield f"answers has {outcomes!r:.80} for {event}; give a list of Done(...) and Refused(...)"
        else:
            yield from (fault for outcome in outcomes if (fault := _not_taken(waits[event], event, outcome)))


def _not_taken(saga: Saga, event: str, outcome: Any) -> str:
    if not isinstance(outcome, Done | Refused):
        return f"answers has {outcome!r:.80} for {event}; give Done(...) or Refused(...)"
    try:
        round_trip_of(saga).outcome(event, Kind.DO, outcome)
    except ParticipantError as error:
        return f"answers has {outcome!r:.80} for {event}: {error}"
    return ""


def _of_another_kind(requests: Any, models: Mapping[str, Any], never: Sequence[Any]) -> Iterator[str]:
    """Values of a scenario that are of another type than they are to be."""
    if isinstance(requests, str | Mapping) or hasattr(requests, "_fields"):
        yield f"requests is {requests!r:.80}, one request; give a list of them"
    for service, model in models.items():
        if not isinstance(model, Model):
            yield f"models has {model!r:.80} for {service}, which is no model; give adapter(...) or a ready one"
    for rule in never:
        if not callable(rule):
            yield f"never has {rule!r:.80}, which is no function of the entities"


def _unknown(where: str, named: Collection[str], known: Collection[str], what: str) -> Iterator[str]:
    for service in named:
        if service not in known:
            there = f"those of its {what}s are: {', '.join(known)}" if known else f"it has no {what}"
            yield f"{where} names the service {service!r}, and the saga has no {what} of it; {there}"
