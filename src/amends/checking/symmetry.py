"""Worlds that are one to every rule: they differ only by which of several equal sagas is which."""

from __future__ import annotations

from itertools import permutations

from amends.checking.layout import WorldLayout
from amends.checking.values import frozen
from amends.checking.world import Message, World
from amends.core.definition import Step, takes_call


class Symmetry:
    """The renamings of sagas that change nothing.

    Attributes:
        swaps: to each place, from which it is taken; without the one that leaves all as they are.
    """

    def __init__(self, layout: WorldLayout) -> None:
        self.swaps = _all_swaps(layout)
        self._layout = layout

    def canonical(self, world: World) -> World:
        """The same world for all that differ by the names of equal sagas."""
        return min([world, *(self._renamed(world, way) for way in self.swaps)]) if self.swaps else world

    def _renamed(self, world: World, way: tuple[int, ...]) -> World:
        layout, messages = self._layout, self._layout.messages
        return world._replace(
            runs=tuple(world.runs[old] for old in way),
            flight=tuple(sorted(messages.number(_as(messages[number], way)) for number in world.flight)),
            inboxes=tuple(
                world.inboxes[layout.inbox_at[old, each.event]] for old in way for each in layout.local_steps[old]
            ),
        )


def _all_swaps(layout: WorldLayout) -> list[tuple[int, ...]]:
    """Those of equal requests, where no function tells sagas by id."""
    if not all(each.is_local and not _knows_names(each) for each in layout.steps):
        return []
    same = [(saga, frozen(request)) for saga, request in zip(layout.sagas, layout.requests, strict=True)]
    renamings = permutations(range(len(same)))
    return [way for way in renamings if all(same[old] == same[new] for old, new in enumerate(way))][1:]


def _knows_names(each: Step) -> bool:
    return takes_call(each.action) or (each.undo is not None and takes_call(each.undo))


def _as(message: Message, way: tuple[int, ...]) -> Message:
    return message._replace(saga=way.index(message.saga))
