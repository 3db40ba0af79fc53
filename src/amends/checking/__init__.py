"""The checker: breaks a saga in every way there is, within a bound, and shows what is not put back.

`check` is for tests, ``amends check`` for the command line; docs/checking.md is the guide. `explore` under it needs the
standard library alone. `simulate` and ``amends simulate`` run a saga on the engine itself; docs/simulating.md is their
guide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from amends.checking.adapters import adapter
from amends.checking.answer import CheckCut, CheckFailed, CheckResult, CheckShowsTooLittle
from amends.checking.explore import Counterexample, Exploration, ExplorationProgress, explore
from amends.checking.models import (
    Model,
    SystemReply,
    answers_later,
    declines,
    forgets_keys,
    honours_keys,
    keeps_inbox,
    loses_replies,
    without_keys,
)
from amends.scenario import Scenario, Under

if TYPE_CHECKING:
    from amends.checking.api import check
    from amends.checking.simulator.answer import Simulated, SimulationFailed
    from amends.checking.simulator.api import simulate

_LAZY: Final = {  # they need the engine, and it needs a package
    "Simulated": "amends.checking.simulator.answer",
    "SimulationFailed": "amends.checking.simulator.answer",
    "check": "amends.checking.api",
    "simulate": "amends.checking.simulator.api",
}
__all__ = [
    "CheckCut",
    "CheckFailed",
    "CheckResult",
    "CheckShowsTooLittle",
    "Counterexample",
    "Exploration",
    "ExplorationProgress",
    "Model",
    "Scenario",
    "Simulated",
    "SimulationFailed",
    "SystemReply",
    "Under",
    "adapter",
    "answers_later",
    "check",
    "declines",
    "explore",
    "forgets_keys",
    "honours_keys",
    "keeps_inbox",
    "loses_replies",
    "simulate",
    "without_keys",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value
