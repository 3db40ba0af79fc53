"""`check`: one line in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from amends.checking.another_process import checked_in_another_process
from amends.checking.answer import CheckCut, CheckFailed, CheckResult, CheckShowsTooLittle
from amends.checking.explore import STATES_MAX, Exploration, ExplorationProgress, explore
from amends.checking.models import Model
from amends.checking.replay_token import REPLAY, follow, read_token
from amends.checking.usable import refuse_unusable
from amends.core.definition import Saga
from amends.engine.round_trip import RoundTrip
from amends.errors import UnusableInput
from amends.scenario import Given, Scenario


def check(
    what: Saga | Scenario,
    *,
    given: Given | None = None,
    requests: Sequence[Any] | None = None,
    models: Mapping[str, Model] | None = None,
    never: Sequence[Callable[[Given], object]] = (),
    faults: int | None = None,
    max_states: int = STATES_MAX,
    timeout_s: float | None = None,
    name: str = "",
    replay: str = "",
    operators: bool | None = None,
) -> CheckResult:
    """Look at everything that can happen to a saga within a bound, and raise when something is not put back.

    Args:
        what: a scenario alone, or a saga with `given` and `requests`.
        given: entities that exist at the start: service, then id, to entity.
        requests: one saga runs for each, all at the same time.
        models: of the outside worlds, by service; `honours_keys` where none is named.
        never: what must not be, at any moment: functions of the entities that give true, or what is wrong.
        faults: how many faults may happen, of any kind. By default 2 for a saga alone, 1 for several.
        max_states: stop after so many distinct worlds.
        timeout_s: stop after so many seconds; ``None`` for never.
        name: what to call it in the answer; by default the saga's name.
        operators: whether steps may be halted, and operators say what they may; by default as the scenario says.
        replay: a token of a counterexample to look at first, which is quick; one that no longer fits is passed over.

    Returns:
        The answer: it holds within its bound, which it names.

    Raises:
        CheckFailed: there is a counterexample, which it carries.
        CheckCut: a limit cut the search; that it found nothing so far says nothing.
        CheckShowsTooLittle: everything held in a scenario in which no saga completes, none is compensated, or a
            function is never asked, and which does not say that this is meant.
        UnusableInput: the scenario names what its saga does not have, or has no requests.
    """
    scenario = scenario_of(what, given, requests, models, never)
    if operators is not None:
        scenario = replace(scenario, operators=operators)
    name = name or scenario.saga.name
    refuse_unusable(name, scenario)
    found = None
    with suppress(UnusableInput):  # a token of what has changed since
        found = replayed(scenario, replay) if replay else None
    if found is None:
        bound = default_faults(scenario) if faults is None else faults
        explored = explore(scenario, faults=bound, max_states=max_states, timeout_s=timeout_s, read_back=RoundTrip)
        found = checked_in_another_process(explored)
    answer = CheckResult(name, scenario, found)
    if answer.verdict == "counterexample":
        raise CheckFailed(answer)
    if answer.verdict == "cut":
        raise CheckCut(answer)
    if answer.verdict == "shows too little":
        raise CheckShowsTooLittle(answer)
    return answer


def default_faults(scenario: Scenario) -> int:
    """How many faults a check looks at by default: each saga more takes some twenty times the worlds."""
    return 2 if len(scenario.requests or scenario.asked) + len(scenario.commands) == 1 else 1


def scenario_of(
    what: Saga | Scenario,
    given: Given | None,
    requests: Sequence[Any] | None,
    models: Mapping[str, Model] | None,
    never: Sequence[Callable[[Given], object]],
) -> Scenario:
    """The scenario that the arguments of `check` describe.

    Raises:
        TypeError: they describe none, or two.
    """
    if isinstance(what, Scenario):
        if given is not None or requests is not None or models is not None or never:
            raise TypeError("check: a Scenario has its given, requests, models and never; give it alone")
        return what
    if not isinstance(what, Saga):
        raise TypeError(f"check: {what!r} is neither a Saga nor a Scenario")
    return Scenario(what, given or {}, requests or (), models or {}, never)


def replayed(scenario: Scenario, text: str) -> Exploration | None:
    """What the way of a token finds; ``None`` when nothing is broken at its end any more.

    Raises:
        UnusableInput: the text is no token, or there is no such way any more.
    """
    token = read_token(text)
    moves, shown = follow(scenario, token, RoundTrip)
    if shown is None:
        return None
    length = len(token.moves)
    return Exploration(moves, token.faults, ExplorationProgress(length + 1, 0, length, 0.0), False, REPLAY, shown)
