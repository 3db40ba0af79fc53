"""The worlds that an exploration met: each packed into bytes, a tenth of what the numbers take as tuples of tuples.

How many faults may still happen is no part of a world here. What can follow with fewer, can follow with more; so a
world that was met with more of them left need not be looked at again.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Final

from amends.checking.world import World

NUMBER: Final = "I"  # four bytes: tables have fewer than 4 294 967 296 values


class VisitedWorlds:
    """Worlds by number, and how each was first come to.

    Attributes:
        parents: of each world the one that it was met from; -1 for the first.
        places: which of its parent's moves led there.
        moves: how many moves lead there.
        left: how many faults are left there.
    """

    def __init__(self, first: World) -> None:
        sizes = [len(first.runs), len(first.inboxes), len(first.cells), len(first.books)]
        self._ends = [sum(sizes[: count + 1]) for count in range(len(sizes))]
        self._worlds: list[bytes] = []
        self._numbers: dict[bytes, int] = {}
        self.parents = array("q")
        self.places = array("q")
        self.moves = array("q")
        self.left = array("q")

    def __len__(self) -> int:
        return len(self._worlds)

    def __getitem__(self, number: int) -> World:
        """The world of a number, with the faults that are left there."""
        numbers = tuple(array(NUMBER, self._worlds[number]))
        runs, inboxes, cells, books = self._ends
        return World(
            numbers[:runs],
            numbers[books:],
            numbers[runs:inboxes],
            numbers[inboxes:cells],
            numbers[cells:books],
            self.left[number],
        )

    def meet(self, world: World, canonical: World, parent: int, place: int, moves: int) -> tuple[int, bool]:
        """Note a world, and how it was come to.

        Args:
            world: as it was come to.
            canonical: one that stands for it, and for others.
            parent: the world that it was met from.
            place: which of its moves led here.
            moves: how many moves lead here.

        Returns:
            Its number, and whether it is to be looked at: it is new, or nearer than it seemed.
        """
        key = _packed(canonical)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._worlds)
            self._worlds.append(key if world is canonical else _packed(world))
            self.parents.append(parent)
            self.places.append(place)
            self.moves.append(moves)
            self.left.append(world.faults)
            return number, True
        if (self.left[number], -self.moves[number]) >= (world.faults, -moves):
            return number, False
        if world is not canonical:
            self._worlds[number] = _packed(world)
        self.parents[number], self.places[number] = parent, place
        self.moves[number], self.left[number] = moves, world.faults
        return number, True


def _packed(world: World) -> bytes:
    return array(NUMBER, chain(world.runs, world.inboxes, world.cells, world.books, world.flight)).tobytes()
