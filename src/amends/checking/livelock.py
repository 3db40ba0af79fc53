"""What a saga that never ends goes round in: who is asked again and again, and what they say each time."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.checking.successors import Successors
from amends.checking.world import Broken, Move, World

RULE: Final = "every saga ends"
ASKED: Final = ("acts", "acts outside")


class Livelock(NamedTuple):
    """A way on from a world, up to one that was met before.

    Attributes:
        places: which of the moves each was, in the order of `Successors.after`.
        moves: those that are made again and again.
    """

    places: tuple[int, ...]
    moves: tuple[Move, ...]

    def broken(self) -> Broken:
        """That it never ends, and at which steps."""
        said = {f"{move.step}/{move.kind.value}": move.note for move in self.moves if move.what in ASKED}
        idle = {f"{move.step}/{move.kind.value} {move.what} again and again" for move in self.moves if not said}
        rounds = [f"{name} is asked again and again, and each time {said[name]}" for name in sorted(said)]
        again = "; ".join(rounds or sorted(idle))
        text = "from here on it never ends, though nothing else goes wrong"
        return Broken(RULE, f"{text}: {again}" if again else text)


def livelock_from(moves: Successors, world: World) -> Livelock:
    """Go on from a world, without a fault, until it comes round."""
    places: list[int] = []
    made: list[Move] = []
    met = {world: 0}
    while True:
        free = ((place, each) for place, each in enumerate(moves.after(world)) if each.move.cost == 0)
        place, following = next(free, (-1, None))
        if following is None:
            return Livelock(tuple(places), ())
        places.append(place)
        made.append(following.move)
        world = following.world
        if world in met:
            return Livelock(tuple(places), tuple(made[met[world] :]))
        met[world] = len(made)
