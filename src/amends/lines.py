"""Lines of text in which each span has a look, and the signs, numbers and times in them.

What shows them decides what a look is: the command line has colours, pytest has its own, plain text has none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

Look = Literal["", "faint", "strong", "done", "refused", "unknown", "undone", "saga"]


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    look: Look = ""


Line = tuple[Span, ...]


class Signs(NamedTuple):
    """What a drawing is made with: one sign for each thing, one column wide but for `more` and the arrows (`ARROW`)."""

    # what became of a step, or of a check
    done: str
    refused: str
    unknown: str
    undone: str
    sent: str
    probing: str
    undoing: str
    stuck: str
    ahead: str
    cut: str
    fault: str
    end: str
    # lines between steps
    line: str
    back: str
    turn: str
    stop: str
    hang: str
    # figures
    times: str
    full: str
    empty: str
    more: str
    becomes: str
    # messages: requests to the right, answers to the left
    request: str
    request_late: str
    request_lost: str
    request_twice: str
    answer: str
    answer_late: str
    answer_lost: str
    answer_twice: str


ARROW: Final = 8
SECOND_MS: Final = 1000
UNITS_MS: Final = {"d": 86_400 * SECOND_MS, "h": 3600 * SECOND_MS, "min": 60 * SECOND_MS, "s": SECOND_MS}
LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999, which is where dates end here
WIDTH: Final = 80  # where it is not known how wide the paper is
UNICODE: Final = Signs(
    "✔", "✘", "?", "↩", "▸", "?", "◂", "!", "·", "◌", "↯", "■",
    "─", "←", "╯", "╰", "┤",
    "×", "█", "░", "…", "→",  # noqa: RUF001 - a real multiplication sign
    "───────▶", "· · · ·▶", "────✘   ", "══════▶▶", "◀───────", "◀· · · ·", "   ✘────", "◀◀══════",
)  # fmt: skip
ASCII: Final = Signs(
    "+", "x", "?", "~", ">", "?", "<", "!", ".", "~", "!", "#",
    "-", "<", "'", "`", "|",
    "x", "#", ".", "...", "->",
    "------->", ". . . .>", "----x   ", "======>>", "<-------", "<. . . .", "   x----", "<<======",
)  # fmt: skip


def counted(number: int, what: str) -> str:
    """A number of things: ``1 saga``, ``12 345 sagas``."""
    return f"{grouped(number)} {what}{'s' * (number != 1)}"


def grouped(number: int) -> str:
    """A number in groups of three digits."""
    return f"{number:,}".replace(",", " ")


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
    for name, unit_ms in UNITS_MS.items():
        if length_ms >= unit_ms:
            return f"{length_ms // unit_ms} {name}"
    return f"{max(length_ms, 0)} ms"


def width_of(text: str) -> int:
    """How many columns a text takes."""
    wide = sum(unicodedata.east_asian_width(mark) in "WF" for mark in text)
    return len(text) + wide - sum(bool(unicodedata.combining(mark)) for mark in text)


def wrapped(spans: Iterable[Span], first: Line, indent: int, width: int) -> Iterator[Line]:
    """Lines of words no wider than `width`, the later ones indented; a word that is wider stands alone.

    Args:
        spans: the words, by look.
        first: what the first line begins with.
        indent: where the others begin.
        width: of the paper.
    """
    line, column = list(first), sum(width_of(span.text) for span in first)
    begun = False
    for look, word in ((span.look, word) for span in spans for word in span.text.split(" ")):
        gap = " " if begun and word else ""
        if begun and column + len(gap) + width_of(word) > width:
            yield tuple(line)
            line, column, gap = [Span(" " * indent)], indent, ""
        last = line.pop() if line and line[-1].look == look else Span("", look)
        line.append(Span(last.text + gap + word, look))
        column += len(gap) + width_of(word)
        begun = True
    yield tuple(line)


def plain(lines: Iterable[Line]) -> str:
    """Lines as text without looks."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
