"""A counterexample as a word to copy, and the way back: `amends check --replay`.

It holds a digest of each move, not its place: places depend on the order in which an exploration met its messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from amends.checking.another_process import ask_another_process
from amends.checking.explore import Counterexample, Exploration, Seen
from amends.checking.layout import WorldLayout
from amends.checking.livelock import livelock_from
from amends.checking.read_back import ReadBack
from amends.checking.rest import Rest
from amends.checking.successors import Successors
from amends.checking.token_text import token_bytes, token_text
from amends.checking.world import Broken, Move, World
from amends.core.definition import Saga
from amends.errors import UnusableInput
from amends.scenario import Scenario

FORM: Final = "amends1-"  # the digit is the version of the form
FINGERPRINT: Final = 8  # bytes
NAME: Final = 4
MOVE: Final = 2
OPERATORS: Final = 1 << 15  # in the two bytes of the faults
REPLAY: Final = "--replay"  # what cut the search: there was none


class TraceToken(NamedTuple):
    """What a token holds.

    Attributes:
        fingerprint: of the definition.
        name: a digest of the scenario's name.
        faults: how many might happen.
        moves: a digest of each.
        operators: whether an operator may say something.
    """

    fingerprint: str
    name: bytes
    faults: int
    moves: tuple[bytes, ...]
    operators: bool = False


def token_of(name: str, found: Exploration) -> str:
    """The token of a counterexample."""
    assert found.counterexample is not None, "only a counterexample has a token"
    head = bytes.fromhex(found.moves.layout.saga.fingerprint) + _digest(name, NAME)
    moves = b"".join(_digest_of(seen.move) for seen in found.counterexample.trace)
    faults = found.faults | OPERATORS * found.moves.layout.scenario.operators
    return token_text(FORM, head + faults.to_bytes(2, "big") + moves)


def read_token(text: str) -> TraceToken:
    """The token that a text is.

    Raises:
        UnusableInput: it is none.
    """
    word = text.strip()
    data = token_bytes(FORM, word)
    head = FINGERPRINT + NAME + 2
    if len(data) < head or (len(data) - head) % MOVE:
        raise UnusableInput(f"{word[:40]!r} is no token; one begins with {FORM}")
    moves = tuple(data[at : at + MOVE] for at in range(head, len(data), MOVE))
    faults = int.from_bytes(data[FINGERPRINT + NAME : head], "big")
    name = data[FINGERPRINT : FINGERPRINT + NAME]
    return TraceToken(data[:FINGERPRINT].hex(), name, faults & ~OPERATORS, moves, bool(faults & OPERATORS))


def is_about(token: TraceToken, name: str) -> bool:
    """Whether a token is about the scenario of that name."""
    return token.name == _digest(name, NAME)


def follow(
    scenario: Scenario, token: TraceToken, read_back: Callable[[Saga], ReadBack]
) -> tuple[Successors, Counterexample | None]:
    """Go the way of a token, and see whether a rule is still broken at its end.

    Args:
        scenario: that the token is about.
        token: the way.
        read_back: as for `amends.checking.explore`.

    Returns:
        The relation, and the counterexample; ``None`` when nothing is broken there any more.

    Raises:
        UnusableInput: the definition, its participants or its models changed since, so that there is no such way.
    """
    saga = scenario.saga
    if token.fingerprint != saga.fingerprint:
        raise UnusableInput(
            f"the token is about saga {saga.name} as it was, {token.fingerprint}; its definition changed since, to "
            f"{saga.fingerprint}: check it anew"
        )
    way = _Way(Successors(WorldLayout(replace(scenario, operators=token.operators), read_back)), token)
    shown = way.go()
    if shown is None and way.longest < len(token.moves):
        raise UnusableInput(
            f"the token leads no further than move {way.longest} of {len(token.moves)}; participants, models or "
            f"entities of saga {saga.name} changed since: check it anew"
        )
    return way.moves, shown


class _Way:
    """The way of a token: at each world every move of the digest is tried, since two may share one."""

    def __init__(self, moves: Successors, token: TraceToken) -> None:
        self.moves = moves
        self.rest = Rest(moves.layout)
        self.token = token
        self.longest = 0

    def go(self) -> Counterexample | None:
        """The first way whose end is broken; ``None`` when there is none."""
        todo: list[tuple[World, tuple[Seen, ...], tuple[int, ...], Broken | None]]
        todo = [(self.moves.layout.first(self.token.faults), (), (), None)]
        while todo:
            world, trace, places, broken = todo.pop()
            self.longest = max(self.longest, len(trace))
            if len(trace) == len(self.token.moves):
                if broken := broken or self.rest.broken(world) or self._broken_at_last(trace, world):
                    return Counterexample(broken, trace, places)
                continue
            for place, (move, after, wrong) in enumerate(self.moves.after(world)):
                if _digest_of(move) == self.token.moves[len(trace)]:
                    todo.append((after, (*trace, Seen(move, world, after)), (*places, place), wrong))
        return None

    def _broken_at_last(self, trace: tuple[Seen, ...], world: World) -> Broken | None:
        """What is broken only in the light of more than one world."""
        last = trace[-1].move if trace else None
        raises = self.moves.layout.coverage.broken(last.step, last.kind) if last and last.step else None
        return (
            _never_ends(self.moves, self.rest, world)
            or raises
            or ask_another_process(self.moves.layout.coverage.calls).broken
        )


def _never_ends(moves: Successors, rest: Rest, world: World) -> Broken | None:
    """Whether no rest can be reached from a world without a fault."""
    met, todo = {world}, [world]
    while todo:
        here = todo.pop()
        if rest.is_at_rest(here):
            return None
        new = {each.world for each in moves.after(here) if each.move.cost == 0} - met
        met |= new
        todo += new
    return livelock_from(moves, world).broken()


def _digest(text: str, length: int) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:length]


def _digest_of(move: Move) -> bytes:
    what = f"{move.what}/{move.saga}/{move.step}/{move.kind.value}/{move.note}/{move.aside}/{move.cost}"
    return _digest(what, MOVE)
