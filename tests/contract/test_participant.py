"""Every runtime calls a pure participant, and reads what it returns, in `amends.core.participant`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from amends import GONE, Call, Changed, Kind, Refused, Request, Saga, Scenario, local, run
from amends.adapters.memory import MemoryStore
from amends.checking import check, simulate
from amends.core.definition import Command
from amends.core.inbox import receive
from amends.core.participant import apply_step, read_result
from amends.core.walk import execute
from tests.engine.world import Life

CODE = {apply_step.__code__, read_result.__code__}


def take(left: int | None, wanted: str, call: Call) -> Changed[int, str] | Refused:
    """Take one of those that are left, of two at first."""
    left = 2 if left is None else left
    return Changed(left - 1, "taken") if left else Refused("none left")


def give(left: int, wanted: str, call: Call) -> int:
    """Give it back."""
    return left + 1


def give_plainly(left: int, wanted: str) -> int | Refused:
    """Give it back, by a function without a call; it is written out, but for a refusal."""
    return left + 1 if left < 1 else Refused("there is one already")


def fail(left: int, wanted: str) -> int:
    """Fail, so that the engine carries out one local step at a time."""
    raise ArithmeticError(left)


TAKEN = local("TAKEN", take, undo=give, undone="GIVEN", entity=str)
BUY = Saga("buy", str, [TAKEN])
FILLED = local("FILLED", give_plainly, entity=str, pivot=True)
FAILED = local("FAILED", fail, entity=str, pivot=True)
STOCKED = Command("STOCKED", "STOCK", lambda *_: GONE)
SCENARIO = Scenario(BUY, {"TAKEN": {"x": 2}}, ["x", "x"])


@contextmanager
def callers() -> Iterator[set[str]]:
    """Find the modules that call one of the two functions meanwhile; what is yielded is filled as they do."""
    found: set[str] = set()

    def look(frame: FrameType, what: str, _: Any) -> None:
        if what == "call" and frame.f_code in CODE and frame.f_back is not None:
            found.add(frame.f_back.f_globals.get("__name__", "written out"))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)


def answer_a_request() -> object:
    """Answer by the inbox rule."""
    return receive({}, 2, Request("s", "TAKEN", Kind.DO, "x", Call("s/TAKEN/do")), TAKEN)


def run_on_an_engine() -> object:
    """Run a saga on the engine's coordinator, where a participant raises."""
    life = Life(MemoryStore(), Saga("fails", str, [TAKEN, FAILED]))
    return life.begin("x").replies


SHOWN: dict[str, tuple[Callable[[], object], str]] = {
    "walk": (lambda: run(BUY, "x", entities={"TAKEN": {"x": 2}}), "amends.core.walk"),
    "straight": (lambda: run(Saga("fill", str, [FILLED]), "x", entities={"FILLED": {"x": 1}}), "written out"),
    "command": (lambda: execute({"STOCK": {}}, STOCKED, "x", None), "amends.core.walk"),
    "inbox": (answer_a_request, "amends.core.inbox"),
    "engine": (run_on_an_engine, "amends.engine.local_participants"),
}
RUNTIMES: dict[str, tuple[Callable[[], object], str]] = {
    **SHOWN,
    "checker, exploring": (lambda: check(SCENARIO), "amends.core.inbox"),
    "checker, one saga after the other": (lambda: check(SCENARIO), "amends.checking.serial"),
    "simulator, at rest": (lambda: simulate(SCENARIO, seeds=1), "amends.checking.simulator.rest"),
}
"""What goes, and which module calls the participant then."""


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_goes_through_one_function(name: str) -> None:
    """So that none has a reading of its own of what a pure function may return."""
    go, module = RUNTIMES[name]
    with callers() as found:
        go()
    assert module in found


def broken(function: Any, event: str, entity: Any, returned: Any) -> Any:
    """Read anything as a refusal."""
    return entity, Refused(f"broken: {event}")


@pytest.mark.parametrize("name", SHOWN)
def test_broken_once_it_is_broken_everywhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No runtime looks at what was returned but through that function."""
    go, _ = SHOWN[name]
    assert "broken" not in repr(go())
    with monkeypatch.context() as patch:
        patch.setattr(read_result, "__code__", broken.__code__)
        after = repr(go())
    assert "broken" in after
