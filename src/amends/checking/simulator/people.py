"""The people whom waits ask: each says yes, no, or nothing; some twice, or otherwise the second time, some too late.

What a person was told is true: an answer that was taken counts, and one that was refused has left nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.invariants import broken
from amends.checking.world import Broken
from amends.core.messages import Answered, Done, Kind, Outcome, Refused
from amends.errors import AmendsError, RequestRefused
from amends.storage.rows import SagaRow

ASKED: Final = ("sent", "resent", "stuck")
WORDS: Final = ((True,), (False,), (), (True, True), (True, False), (False, True), (True,), (True,))
"""What a person says, in order; the first where all is healed."""
THINKS_MS: Final = (1_000, 20_000, 5 * 60_000, 60 * 60_000)
AGAIN_MS: Final = 2_000  # within which a second word follows the first, and a word is said again that may be lost


class People:
    """The people of a schedule: each wait of each saga asks one."""

    def __init__(self, world: Environment) -> None:
        self._world = world
        self._asked: set[tuple[str, str]] = set()
        self._taken: dict[tuple[str, str], list[bool]] = {}

    def look(self, row: SagaRow) -> None:
        """Let whom a saga asks now for the first time make up their minds."""
        body = self._world.view.bodies[row.saga_id]
        for event, asked in body.get("waiting", {}).items():
            about = row.saga_id, event
            if asked.get("assignee") and body["members"][event] in ASKED and about not in self._asked:
                self._asked.add(about)
                self._make_up(*about)

    def _make_up(self, saga_id: str, event: str) -> None:
        world, label = self._world, f"{saga_id}/{event}/word"
        words = WORDS[world.chance.below(label, len(WORDS))]
        at_ms = THINKS_MS[world.chance.below(label, len(THINKS_MS))]
        for is_yes in words:
            world.after(at_ms, self._say, saga_id, event, is_yes)
            at_ms += world.chance.below(label, AGAIN_MS)

    def _say(self, saga_id: str, event: str, is_yes: bool) -> None:
        world = self._world
        world.tell("person", f"{saga_id} {event}: {'yes' if is_yes else 'no'}")
        said = Answered(event, Kind.DO, self._outcome(event, is_yes))
        if not world.gateway.deliver(saga_id, said, partial(self._told, saga_id, event, is_yes)):
            world.when_up(self._say, saga_id, event, is_yes)

    def _outcome(self, event: str, is_yes: bool) -> Outcome:
        yes: Outcome = Done(f"answer of {self._world.setting.steps[event].service}")
        return self._world.setting.trip.outcome(event, Kind.DO, yes, is_typed=False) if is_yes else Refused("no")

    def _told(self, saga_id: str, event: str, is_yes: bool, answer: Any) -> None:
        world = self._world
        if isinstance(answer, RequestRefused):
            world.saw("a person came too late")
        elif isinstance(answer, AmendsError):  # whether the word was taken is not known
            world.after(AGAIN_MS, self._say, saga_id, event, is_yes)
        else:
            world.saw("a person answered")
            self._taken.setdefault((saga_id, event), []).append(is_yes)

    def first_broken(self) -> Iterator[Broken]:
        """At rest: what was taken of the people's words is what their sagas went by."""
        for (saga_id, event), words in self._taken.items():
            told = self._world.view.bodies[saga_id]["trail"]
            if f"{event} {'done' if words[0] else 'refused'}" not in told or len({*words}) > 1:
                said = ", ".join("yes" if is_yes else "no" for is_yes in words)
                yield broken("V27", f"{saga_id}: of {event} was taken: {said}; and its saga went by {told}")
