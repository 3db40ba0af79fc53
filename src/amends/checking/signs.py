"""What drawings of an answer are made of: spans of text, each with a look, and the signs that an encoding has.

Who shows them decides what a look is: `amends.entrypoints` has colours, pytest its own, plain text none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

Look = Literal["", "faint", "strong", "done", "refused", "unknown", "undone", "saga"]


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    look: Look = ""


Line = tuple[Span, ...]


class Signs(NamedTuple):
    """What a drawing is made with; arrows are `ARROW` wide."""

    done: str
    refused: str
    cut: str
    fault: str
    turn: str
    end: str
    line: str
    becomes: str
    to: str
    to_late: str
    to_lost: str
    to_twice: str
    back: str
    back_late: str
    back_lost: str
    back_twice: str
    slow: str


ARROW: Final = 8
WIDTH: Final = 80  # where nobody says how wide the paper is
UNICODE: Final = Signs(
    "✔", "✘", "◌", "↯", "↩", "■", "─", "→",
    "───────▶", "· · · ·▶", "────✘   ", "══════▶▶", "◀───────", "◀· · · ·", "   ✘────", "◀◀══════", "· · · · ",
)  # fmt: skip
ASCII: Final = Signs(
    "+", "x", "~", "!", "~", "#", "-", "->",
    "------->", ". . . .>", "----x   ", "======>>", "<-------", "<. . . .", "   x----", "<<======", ". . . . ",
)  # fmt: skip


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
