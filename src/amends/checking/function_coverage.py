"""Which of the definition's own functions ran, and which of them raised each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from amends.checking.world import Broken
from amends.core.messages import Kind


@dataclass(slots=True)
class CallCounts:
    """How often a function was called with something else.

    Attributes:
        calls: with how many different values.
        raised: of these, how many times it raised.
        text: what it raised first, and where; empty when it never did.
    """

    calls: int = 0
    raised: int = 0
    text: str = ""


class DeciderCall(NamedTuple):
    """One call of a decider.

    Attributes:
        name: of the step and what it was asked, as ``STEP/do (function)``.
        function: that was called.
        given: what with; it left it as it was.
        said: what it gave back.
    """

    name: str
    function: Callable[..., Any]
    given: tuple[Any, ...]
    said: Any


class FunctionCoverage:
    """What ran, by step and what was asked."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[str, Kind], CallCounts] = {}
        self.calls: list[DeciderCall] = []

    def note(self, step: str, kind: Kind, raised: str = "") -> None:
        """A step's function was asked; `raised` says what it raised."""
        tally = self.tallies.setdefault((step, kind), CallCounts())
        tally.calls += 1
        if raised:
            tally.raised += 1
            tally.text = tally.text or raised

    def broken(self, step: str = "", kind: Kind = Kind.DO) -> Broken | None:
        """That a function, or the function of a step, raised whenever it was asked."""
        for about, tally in self.tallies.items():
            if tally.raised == tally.calls and (not step or about == (step, kind)):
                text = f"{about[0]}/{about[1].value} raised {tally.text}; and so it does whatever it is asked with"
                return Broken("a function does not always raise", text)
        return None
