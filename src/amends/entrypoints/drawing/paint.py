"""Painting what the checker draws: a colour for each look, and the signs that the paper's encoding has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.text import Text

from amends.checking.answer import CheckResult
from amends.checking.signs import ASCII, UNICODE, Line
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper
from amends.entrypoints.drawing.paper import UNICODE as UNICODE_MARKS

LOOKS: Final = {**STYLES, "": "", "faint": FAINT, "strong": "bold", "saga": "cyan"}


def paint(out: Paper, answer: CheckResult) -> None:
    """Write an answer."""
    out.write(*painted(answer.lines(UNICODE if out.marks == UNICODE_MARKS else ASCII, out.width)))


def painted(lines: Iterable[Line]) -> list[Text]:
    """Lines with their colours."""
    return [Text.assemble(*((span.text, LOOKS[span.look]) for span in line)) for line in lines]
