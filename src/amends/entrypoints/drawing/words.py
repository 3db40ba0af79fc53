"""Times and foreign text, as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from amends.errors import UnusableInput

SECOND_MS: Final = 1000
UNITS: Final = {"s": SECOND_MS, "m": 60 * SECOND_MS, "h": 3600 * SECOND_MS, "d": 86_400 * SECOND_MS}
NAMES: Final = {"d": "d", "h": "h", "m": "min", "s": "s"}
SPAN: Final = re.compile(r"(\d{1,9})([smhd])")
LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999, which is where dates end here


def moment(at_ms: int) -> str:
    """A moment, as ``2026-11-24 19:33:56.992Z``.

    Args:
        at_ms: milliseconds since 1970 (UTC); of a damaged row it may be anything.
    """
    if not 0 <= at_ms <= LATEST_MS:
        return f"{at_ms} ms"
    seconds, rest_ms = divmod(at_ms, SECOND_MS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest_ms:03}Z"


def span(length_ms: int) -> str:
    """A length of time in its largest whole unit: ``850 ms``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    for unit, name in NAMES.items():
        if length_ms >= UNITS[unit]:
            return f"{length_ms // UNITS[unit]} {name}"
    return f"{max(length_ms, 0)} ms"


def span_of(text: str) -> int:
    """Read a length of time from an argument, in milliseconds.

    Raises:
        UnusableInput: it is none.
    """
    found = SPAN.fullmatch(text)
    if found is None:
        raise UnusableInput(f"{text!r:.50} is no length of time: give a number with s, m, h or d, such as 90s or 15m")
    return int(found[1]) * UNITS[found[2]]


def moment_of(text: str, now_ms: int) -> int:
    """Read a moment from an argument: a day, a day and a time, or how long ago. Milliseconds since 1970 (UTC).

    Raises:
        UnusableInput: it is none.
    """
    if SPAN.fullmatch(text):
        return now_ms - span_of(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        forms = "2026-01-31, 2026-01-31T12:00Z, or an age such as 90d"
        raise UnusableInput(f"{text!r:.50} is no moment: give {forms}") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * SECOND_MS)


def one_line(text: str, most: int) -> str:
    """Text from outside on one line, without anything that a terminal would obey.

    Args:
        text: from outside, such as an error message of a participant.
        most: at most so many characters.
    """
    cut = text if len(text) <= most else f"{text[: most - 3]}..."
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in cut)


def _escaped(letter: str) -> str:
    return " " if letter.isspace() else letter.encode("unicode_escape", "backslashreplace").decode()
