"""The people whom waits ask: each says a word, or nothing; some twice, or otherwise the second time, some too late.

What a person was told is true: an answer that was taken counts, and one that was refused has left nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.invariants import broken
from amends.checking.world import Broken
from amends.core.messages import Answered, Done, Kind
from amends.errors import AmendsError, RequestRefused
from amends.storage.rows import SagaRow

ASKED: Final = ("sent", "resent", "stuck")
WORDS: Final = ((0,), (1,), (), (0, 0), (0, 1), (1, 0), (0,), (0,))
"""What a person says, in order, as places among what there is to say; the first where all is healed."""
THINKS_MS: Final = (1_000, 20_000, 5 * 60_000, 60 * 60_000)
AGAIN_MS: Final = 2_000  # within which a second word follows the first, and a word is said again that may be lost


class People:
    """The people of a schedule: each wait of each saga asks one."""

    def __init__(self, world: Environment) -> None:
        self._world = world
        self._asked: set[tuple[str, str]] = set()
        self._taken: dict[tuple[str, str], list[int]] = {}

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
        number = len(world.setting.words_of[event])
        favourite = world.chance.below(label, number)
        for place in words:
            world.after(at_ms, self._say, saga_id, event, (favourite + place) % number)
            at_ms += world.chance.below(label, AGAIN_MS)

    def _say(self, saga_id: str, event: str, place: int) -> None:
        world, outcome = self._world, self._world.setting.words_of[event][place]
        world.tell("person", f"{saga_id} {event}: {outcome}")
        said = Answered(event, Kind.DO, outcome)
        if not world.gateway.deliver(saga_id, said, partial(self._told, saga_id, event, place)):
            world.when_up(self._say, saga_id, event, place)

    def _told(self, saga_id: str, event: str, place: int, answer: Any) -> None:
        world = self._world
        if isinstance(answer, RequestRefused):
            world.saw("a person came too late")
        elif isinstance(answer, AmendsError):  # whether the word was taken is not known
            world.after(AGAIN_MS, self._say, saga_id, event, place)
        else:
            world.saw("a person answered")
            self._taken.setdefault((saga_id, event), []).append(place)

    def first_broken(self) -> Iterator[Broken]:
        """At rest: what was taken of the people's words is what their sagas went by."""
        for (saga_id, event), places in self._taken.items():
            told, words = self._world.view.bodies[saga_id]["trail"], self._world.setting.words_of[event]
            came = "done" if isinstance(words[places[0]], Done) else "refused"
            if f"{event} {came}" not in told or len({*places}) > 1:
                said = ", ".join(str(words[place]) for place in places)
                yield broken("V27", f"{saga_id}: of {event} was taken: {said}; and its saga went by {told}")
