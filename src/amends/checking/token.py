"""A counterexample as a word to copy, and the way back: `amends check --replay`.

It holds which of the possible moves each was, and a byte of each move, so that a saga that became another since is
noticed where it leaves the way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from amends.checking.explore import Counterexample, Found, Seen
from amends.checking.moves import Moves
from amends.checking.rest import Rest
from amends.checking.stage import Stage
from amends.checking.world import Broken, Move, World
from amends.core.scenario import Scenario
from amends.errors import UnusableInput

FORM: Final = "amends1-"  # the digit is the version of the form
NAME_BYTES: Final = 4
FINGERPRINT_BYTES: Final = 8
NEVER_ENDS: Final = "every saga ends"


class Token(NamedTuple):
    """What a token holds.

    Attributes:
        fingerprint: of the definition.
        name: a digest of the scenario's name.
        faults: how many might happen.
        places: which of the possible moves each was.
        checks: a byte of each move.
    """

    fingerprint: str
    name: bytes
    faults: int
    places: tuple[int, ...]
    checks: bytes


def token_of(name: str, found: Found) -> str:
    """The token of a counterexample."""
    assert found.counterexample is not None, "only a counterexample has a token"
    head = bytes.fromhex(found.moves.stage.saga.fingerprint) + _digest(name)
    places = found.counterexample.places
    body = b"".join(map(_packed, (found.faults, len(places), *places)))
    checks = bytes(_check(seen.move) for seen in found.counterexample.trace)
    text = base64.urlsafe_b64encode(head + body + checks).decode()
    return FORM + text.rstrip("=")


def read_token(text: str) -> Token:
    """The token that a text is.

    Raises:
        UnusableInput: it is none.
    """
    word = text.strip()
    try:
        data = base64.b64decode(word.removeprefix(FORM) + "=" * (-len(word.removeprefix(FORM)) % 4), b"-_", True)
        numbers = _unpacked(data[FINGERPRINT_BYTES + NAME_BYTES :])
        faults, count = next(numbers)[0], next(numbers)[0]
        pairs = [next(numbers) for _ in range(count)]
    except (binascii.Error, StopIteration, ValueError):
        raise UnusableInput(f"{word[:40]!r}: no token; one begins with {FORM}") from None
    used = FINGERPRINT_BYTES + NAME_BYTES + (pairs[-1][1] if pairs else 0)
    checks = data[used:] if pairs else b""
    if not word.startswith(FORM) or len(checks) != count:
        raise UnusableInput(f"{word[:40]!r}: no token; one begins with {FORM}")
    head = data[:FINGERPRINT_BYTES].hex()
    name = data[FINGERPRINT_BYTES : FINGERPRINT_BYTES + NAME_BYTES]
    return Token(head, name, faults, tuple(number for number, _ in pairs), checks)


def is_about(token: Token, name: str) -> bool:
    """Whether a token is about the scenario of that name."""
    return token.name == _digest(name)


def follow(scenario: Scenario, token: Token) -> tuple[Moves, Counterexample | None]:
    """Go the way of a token, and see whether a rule is still broken at its end.

    Args:
        scenario: that the token is about.
        token: the way.

    Returns:
        The relation, and the counterexample; ``None`` when nothing is broken there any more.

    Raises:
        UnusableInput: the definition, its participants or its models changed since, so that there is no such way.
    """
    saga = scenario.saga
    if token.fingerprint != saga.fingerprint:
        raise UnusableInput(
            f"the token is about {saga.name} as it was ({token.fingerprint}); the definition changed since "
            f"({saga.fingerprint}): check it anew"
        )
    moves = Moves(Stage(scenario))
    world, trace, broken = moves.stage.first(token.faults), list[Seen](), None
    for number, (place, check) in enumerate(zip(token.places, token.checks, strict=True), 1):
        following = next((each for at, each in enumerate(moves.after(world)) if at == place), None)
        if following is None or _check(following.move) != check:
            raise UnusableInput(
                f"the token cannot be followed beyond move {number - 1} of {len(token.places)}: participants, models "
                f"or entities of {saga.name} changed since: check it anew"
            )
        trace.append(Seen(following.move, world, following.world))
        world, broken = following.world, following.broken
    rest = Rest(moves.stage)
    broken = broken or rest.broken(world) or _never_ends(moves, rest, world)
    return moves, Counterexample(broken, tuple(trace), token.places) if broken else None


def _never_ends(moves: Moves, rest: Rest, world: World) -> Broken | None:
    """Whether no rest can be reached from a world without a fault."""
    met, todo = {world}, [world]
    while todo:
        here = todo.pop()
        if rest.is_at_rest(here):
            return None
        new = {each.world for each in moves.after(here) if each.move.cost == 0} - met
        met |= new
        todo += new
    return Broken(NEVER_ENDS, "from here on it never ends, though nothing else goes wrong")


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:NAME_BYTES]


def _check(move: Move) -> int:
    text = f"{move.what}/{move.saga}/{move.step}/{move.kind.value}/{move.note}/{move.aside}"
    return hashlib.sha256(text.encode()).digest()[0]


def _packed(number: int) -> bytes:
    """A number in seven bits a byte, the high ones later."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _packed(rest) if rest else bytes([low])


def _unpacked(data: bytes) -> Iterator[tuple[int, int]]:
    """The numbers in some bytes, each with where it ends."""
    number, shift = 0, 0
    for end, byte in enumerate(data, 1):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follow
            yield number, end
            number, shift = 0, 0
