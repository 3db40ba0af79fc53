"""Times as people give them, and foreign text as people read it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from amends.errors import UnusableInput
from amends.lines import SECOND_MS, UNITS_MS

UNITS: Final = {name[0]: unit_ms for name, unit_ms in UNITS_MS.items()}
SPAN: Final = re.compile(r"(\d{1,9})([smhd])")


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


def name_of(text: str) -> str:
    """Read a name from an argument.

    Raises:
        UnusableInput: it is none.
    """
    if not text.isprintable():  # such as bytes that are no text, which no store has
        raise UnusableInput(f"{text!r:.50} is no name: give printable text")
    return text


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
