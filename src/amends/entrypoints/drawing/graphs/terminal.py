"""Drawing a definition in the terminal: on the left down and on, on the right up and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from amends.entrypoints.drawing.graphs.chart import Chart, ChartGroup, kind_of, legend_of, note_on
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper
from amends.lines import UNICODE

BACK_GAP: Final = 4


class Rails(NamedTuple):
    """What the two ways are drawn with: down and on at the left, up and back at the right."""

    down: str
    up: str
    station: str
    first: str
    middle: str
    last: str
    pivot: str
    start: str
    on: str
    back: str


IN_UNICODE: Final = Rails("│", "│", "├─", "├┬", "│├", "│╰", "◆─", "●", "▼", "▲")
IN_ASCII: Final = Rails("|", "|", "+-", "++", "||", "|`", "#-", "o", "v", "^")


def draw_chart(paper: Paper, chart: Chart) -> None:
    """Draw a definition on paper."""
    rails = IN_UNICODE if paper.signs == UNICODE else IN_ASCII
    steps = [step for stage in chart.stages for step in stage.steps]
    event = max(cell_len(step.event) for step in steps)
    service = max(cell_len(step.service) for step in steps)
    kind = max(cell_len(kind_of(step)) for step in steps)
    back = 5 + event + 2 + service + 2 + kind + BACK_GAP
    paper.write(Text.assemble((chart.saga.name, "bold"), (f"  {chart.title}", FAINT)), "")
    paper.write(*_lines(chart, rails, (event, service, back)), "")
    paper.write(*(Text(line, FAINT) for line in legend_of(chart)))


def _lines(chart: Chart, rails: Rails, columns: tuple[int, int, int]) -> Iterator[Text]:
    back = columns[2]
    yield _pair(f" {rails.start} start", back, f"{rails.back} compensated")
    for stage in chart.stages:
        yield _pair(f" {rails.down}", back, rails.up if stage.turns_back else "")
        yield from _stage_lines(stage, rails, columns)
    yield Text(f" {rails.down}", FAINT)
    yield Text(f" {rails.on} completed", STYLES["done"])


def _stage_lines(stage: ChartGroup, rails: Rails, columns: tuple[int, int, int]) -> Iterator[Text]:
    event, service, back = columns
    for number, step in enumerate(stage.steps):
        rail = _rail(stage, number, rails)
        line = Text.assemble((f" {rail} ", FAINT), (step.event, "bold" if stage.pivot else ""))
        line.append(" " * (5 + event - line.cell_len + 1)).append(step.service, "cyan")
        line.append(" " * (5 + event + 1 + service + 2 - line.cell_len)).append(kind_of(step), FAINT)
        line.append(" " * (back - line.cell_len))
        if step.undone:
            line.append(f"{rail} ", FAINT).append(step.undone, STYLES["undone"])
        elif number == 0:
            line.append(note_on(stage), FAINT)
        yield line


def _rail(stage: ChartGroup, number: int, rails: Rails) -> str:
    if len(stage.steps) == 1:
        return rails.pivot if stage.pivot else rails.station
    if number == 0:
        return rails.first
    return rails.last if number == len(stage.steps) - 1 else rails.middle


def _pair(left: str, back: int, right: str) -> Text:
    return Text(left + (" " * (back - len(left)) + right if right else ""), FAINT)
