"""Tables: lines of columns that are as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from amends.entrypoints.drawing.paper import FAINT

BETWEEN_COLUMNS: Final = 2

Rows = list[tuple[Text, ...]]


def table(titles: Sequence[str], rows: Rows) -> list[Text]:
    """The lines of a table; a title that begins with ``>`` puts its column to the right. Without rows, no lines."""
    if not rows:
        return []
    to_the_right = [title.startswith(">") for title in titles]
    cells: Rows = [tuple(Text(title.removeprefix(">"), FAINT) for title in titles), *rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    return [_line(row, widths, to_the_right) for row in cells]


def _line(row: Sequence[Text], widths: Sequence[int], to_the_right: Sequence[bool]) -> Text:
    line = Text()
    column = 0
    for cell, width, right in zip(row, widths, to_the_right, strict=True):
        line.append(" " * (column + (width - cell.cell_len) * right - line.cell_len)).append_text(cell)
        column += width + BETWEEN_COLUMNS
    return line
