"""`simulate`: one line in a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amends.checking.api import scenario_of
from amends.checking.models import Model
from amends.checking.simulator.answer import Simulated, SimulationFailed
from amends.checking.simulator.replay_token import read_token
from amends.checking.simulator.runs import BrokenSchedule, SimulationResult, of_list, simulated
from amends.checking.simulator.setting import Setting
from amends.checking.usable import refuse_unusable
from amends.core.definition import Saga
from amends.errors import UnusableInput
from amends.scenario import Given, Scenario


def simulate(
    what: Saga | Scenario,
    *,
    given: Given | None = None,
    requests: Sequence[Any] | None = None,
    models: Mapping[str, Model] | None = None,
    never: Sequence[Callable[[Given], object]] = (),
    seeds: int = 1000,
    first: int = 1,
    processes: int = 1,
    hosts: int = 1,
    apart: bool = False,
    name: str = "",
    replay: str = "",
) -> Simulated:
    """Run a saga on the engine's own loop in a simulated world, seed after seed, and raise when a promise is broken.

    Args:
        what: a scenario alone, or a saga with `given` and `requests`.
        given: entities that exist at the start: service, then id, to entity.
        requests: what clients ask for; each any number of times.
        models: of the outside worlds, by service; where none is named, one that has every mood that the step allows.
        never: what must not be, at any moment: functions of the entities that give true, or what is wrong.
        seeds: how many.
        first: the first of them.
        processes: among how many processes the seeds are divided; the answer is the same.
        hosts: on how many hosts engines share a database at most: each schedule has 2 or more then. One engine, with a
            database of its own, where it is 1.
        apart: whether each service has a store and engines of its own, behind a wire that loses, doubles and delays
            messages.
        name: what to call it in the answer; by default the saga's name.
        replay: a token of a failing schedule to play first, which is quick; one that no longer fits is passed over.

    Returns:
        The answer: all schedules held, and, of 1000 or more, everything that can happen did.

    Raises:
        SimulationFailed: a rule was broken, or something never happened.
        UnusableInput: the scenario names what its saga does not have, or has no requests.
    """
    scenario = scenario_of(what, given, requests, models, never)
    name = name or scenario.saga.name
    refuse_unusable(name, scenario)
    settings = [Setting(name, scenario, hosts, apart=apart)]
    failure = _replayed(settings, replay) if replay else None
    found = of_failure(failure) if failure else simulated(settings, seeds, first, processes)
    answer = Simulated(name, settings, found)
    if not answer.holds:
        raise SimulationFailed(answer)
    return answer


def of_failure(failure: BrokenSchedule) -> SimulationResult:
    """What a run came to that played one listed schedule alone."""
    return SimulationResult(failure.seed, 1, 1, 0, 0, Counter(), "", 0.0, failure)


def replayed(settings: Sequence[Setting], text: str) -> BrokenSchedule | None:
    """What the schedule of a token comes to; ``None`` when nothing is broken in it any more.

    Raises:
        UnusableInput: the text is no token, or of no such scenario, definition or setting.
    """
    token = read_token(text)
    names = [setting.name for setting in settings]
    if token.name not in names:
        raise UnusableInput(f"the token is about scenario {token.name!r}, and there are: {', '.join(names)}")
    place = names.index(token.name)
    if settings[place].saga.fingerprint != token.fingerprint:
        raise UnusableInput(f"the token is about the saga as it was, {token.fingerprint}: simulate it anew")
    if settings[place].hosts != token.hosts:
        raise UnusableInput(f"the token is about up to {token.hosts} hosts: give --hosts {token.hosts}")
    if settings[place].apart != token.apart:
        raise UnusableInput(
            "the token is about services apart: give --apart"
            if token.apart
            else "the token is about one store: leave out --apart"
        )
    return of_list(settings, place, token.draws)


def _replayed(settings: Sequence[Setting], text: str) -> BrokenSchedule | None:
    try:
        return replayed(settings, text)
    except UnusableInput:
        return None
