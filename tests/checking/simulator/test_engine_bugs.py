"""A bug in the engine is found: each is planted in place, and looked for by seeds."""

from __future__ import annotations

import inspect
import sys
from functools import reduce
from importlib import import_module
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from amends.checking.simulator.schedule import by_seed
from amends.checking.simulator.setting import Setting
from tests.checking.simulator.engine_bugs import BUGS, Bug
from tests.checking.simulator.sagas import SCENARIOS

FUTURE = "from __future__ import annotations\n"


def owner_of(bug: Bug) -> tuple[ModuleType, Any, str]:
    """Return the module, what has the function in it, and the function's name."""
    module_name, _, path = bug.where.partition(":")
    module = import_module(module_name if module_name.startswith("amends.") else f"amends.engine.{module_name}")
    *owners, name = path.split(".")
    return module, reduce(getattr, owners, module), name


def planted(bug: Bug) -> Any:
    """Return the function with the bug, in the place of its own module."""
    module, owner, name = owner_of(bug)
    text = inspect.getsource(getattr(owner, name))
    assert text.count(bug.old) == 1, f"{bug.where} changed; plant {bug.name!r} anew"
    made: dict[str, Any] = {}
    wrong = compile(FUTURE + dedent(text.replace(bug.old, bug.new)), f"<{bug.name}>", "exec")
    exec(wrong, module.__dict__, made)  # noqa: S102 - our own text
    return made[name]


def plant(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the function with the bug wherever the right one is."""
    _, owner, name = owner_of(bug)
    right, wrong = getattr(owner, name), planted(bug)
    for place in [owner, *(module for path, module in [*sys.modules.items()] if path.startswith("amends.engine."))]:
        if getattr(place, name, None) is right:
            monkeypatch.setattr(place, name, wrong)


def expect_found(bug: Bug, monkeypatch: pytest.MonkeyPatch, hosts: int = 1, *, apart: bool = False) -> None:
    """See that a bug breaks its rule within so many seeds."""
    plant(bug, monkeypatch)
    setting = Setting(bug.scenario, SCENARIOS[bug.scenario], hosts, apart=apart)
    seeds = range(bug.first, bug.first + bug.seeds)
    found = next(((seed, broken) for seed in seeds if (broken := by_seed(setting, seed).broken)), None)
    assert found is not None, "it was not found"
    assert found[1].rule.split()[0] == bug.rule, found


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.rule}: {bug.name}")
def test_a_bug_in_the_engine_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks the rule that says so, within so many seeds."""
    expect_found(bug, monkeypatch)
