"""A bug in a participant or a definition is found, and the same saga without it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amends.checking.explore import explore
from amends.engine.round_trip import RoundTrip
from tests.checking.drawn import drawn, same_as_drawn
from tests.checking.planted.participant_bugs import BUGS, Bug

TRACES = Path(__file__).parent / "traces"


def file_of(name: str) -> Path:
    """Return where a bug's trace is kept."""
    return TRACES / f"participant-{re.sub(r'[^a-z]+', '-', name.lower())}.txt"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_a_participant_is_found(bug: Bug) -> None:
    """It breaks the rule that says so, with as few faults as it can, and its shortest trace is the one on file."""
    found = explore(bug.written, faults=bug.faults, read_back=RoundTrip)
    assert found.counterexample is not None
    assert found.counterexample.broken.rule == bug.rule
    assert sum(seen.move.cost for seen in found.counterexample.trace) == bug.faults
    same_as_drawn(file_of(bug.name), f"{bug.name}\n\n{drawn(found)}")


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.faults], ids=lambda bug: bug.name)
def test_with_fewer_faults_it_hides(bug: Bug) -> None:
    """It takes that many faults: this is why nobody saw it."""
    assert explore(bug.written, faults=bug.faults - 1, read_back=RoundTrip).held


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_as_it_was_meant_it_holds(bug: Bug) -> None:
    """The same saga without the bug, with two faults; with one where two sagas run at the same time."""
    faults = 2 if len(bug.meant.requests) == 1 else 1
    assert explore(bug.meant, faults=faults, read_back=RoundTrip).held


def test_each_file_belongs_to_a_bug() -> None:
    """No trace is left over."""
    assert {file_of(bug.name) for bug in BUGS} == {*TRACES.glob("participant-*.txt")}
