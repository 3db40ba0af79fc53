"""What the cases are made of."""

from __future__ import annotations

from typing import NamedTuple

from amends.scenario import Scenario


class Case(NamedTuple):
    """A saga with a bug, and its twin.

    Attributes:
        name: what the author did.
        buggy: with the bug.
        twin: without it.
        rule: the rule that the bug breaks.
        faults: the least number at which it is found.
    """

    name: str
    buggy: Scenario
    twin: Scenario
    rule: str
    faults: int = 1
