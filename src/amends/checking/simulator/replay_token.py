"""A failing schedule as a word to copy: what happens in it, listed. It holds as long as the definition does."""

from __future__ import annotations

import json
import zlib
from typing import Final, NamedTuple

from amends.checking.simulator.chance import Draws
from amends.checking.simulator.setting import Setting
from amends.checking.token_text import token_bytes, token_text
from amends.errors import UnusableInput

FORM: Final = "amends-s1-"  # the digit is the version of the form
SIZE_MAX: Final = 1_000_000  # bytes, unpacked; a shrunk schedule has some hundred


class ScheduleToken(NamedTuple):
    """What a token holds.

    Attributes:
        fingerprint: of the definition.
        name: of the scenario.
        hosts: see `Setting`.
        apart: whether services have stores of their own.
        draws: what happens.
    """

    fingerprint: str
    name: str
    hosts: int
    apart: bool
    draws: Draws


def token_of(setting: Setting, draws: Draws) -> str:
    """The token of a schedule."""
    labels: dict[str, dict[int, int]] = {}
    for (label, place), drawn in draws.items():
        labels.setdefault(label, {})[place] = drawn
    hosts = [setting.hosts] if setting.hosts > 1 or setting.apart else []
    text = json.dumps(
        [setting.saga.fingerprint, setting.name, labels, *hosts, *[True] * setting.apart], separators=(",", ":")
    )
    return token_text(FORM, zlib.compress(text.encode(), 9))


def read_token(text: str) -> ScheduleToken:
    """The token that a text is.

    Raises:
        UnusableInput: it is none.
    """
    word = text.strip()
    try:
        fingerprint, name, labels, *setting = json.loads(
            zlib.decompressobj().decompress(token_bytes(FORM, word), SIZE_MAX)
        )
        draws = {(label, int(place)): int(drawn) for label, draws in labels.items() for place, drawn in draws.items()}
    except (AttributeError, TypeError, ValueError, zlib.error) as error:
        raise UnusableInput(f"{word[:40]!r} is no token of a schedule; one begins with {FORM}") from error
    hosts, apart = int(setting[0]) if setting else 1, len(setting) > 1
    return ScheduleToken(str(fingerprint), str(name), hosts, apart, draws)
