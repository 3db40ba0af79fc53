"""A definition as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.entrypoints.drawing.graphs.chart import UNASKED, Beyond, Chart, ChartGroup, Target, kind_of, note_on

PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ,.:()-")
CLASSES: Final = (
    "classDef pivot stroke-width:4px",
    "classDef undo stroke-dasharray:4 3",
)


def mermaid(chart: Chart) -> str:
    """The chart as the text of a flowchart."""
    lines = ["flowchart TD", *(f"  {line}" for line in _lines(chart))]
    return "\n".join([f"%% {_escaped(chart.saga.name)}: {chart.title}", *lines, ""])


def _lines(chart: Chart) -> Iterator[str]:
    stages = chart.stages
    yield 'start(["start"]) --> ' + _id("do", 0)
    for number, stage in enumerate(stages):
        note = note_on(stage)
        yield from _box("do", number, stage, [_label(s.event, f"{s.service}: {kind_of(s)}", note) for s in stage.steps])
        yield f"{_id('do', number)} --> " + (_id("do", number + 1) if number + 1 < len(stages) else "completed")
    yield 'completed(["completed"])'
    for number, child in enumerate(chart.saga.starts):
        yield f'completed -. "starts" .-> child{number}(["{_escaped(child.saga.name)}"])'
    for number, stage in enumerate(stages):
        yield from _ways_back(number, stage)
    yield 'compensated(["compensated"])'
    if any(stage.refused is Beyond.OPERATOR for stage in stages):
        yield 'operator{{"an operator decides"}}'
    yield from CLASSES


def _ways_back(number: int, stage: ChartGroup) -> Iterator[str]:
    if stage.turns_back:
        yield from _box("undo", number, stage, [_label(step.undone or UNASKED, step.service) for step in stage.steps])
        yield f"{_id('undo', number)} --> " + (_id("undo", number - 1) if number else "compensated")
    for to, words in stage.ways(" or "):
        yield f'{_id("do", number)} -. "{words}" .-> {_end(number, to)}'


def _end(number: int, to: Target) -> str:
    if to is Beyond.COMPENSATED:
        return "compensated"
    if to is Beyond.OPERATOR:
        return "operator"
    return _id("undo", to) if isinstance(to, int) else _id("do", number)


def _box(way: str, number: int, stage: ChartGroup, labels: list[str]) -> Iterator[str]:
    """A group: its step, or a frame around its steps."""
    name = _id(way, number)
    style = ":::undo" if way == "undo" else ":::pivot" if stage.pivot else ""
    if len(labels) == 1:
        yield f'{name}["{labels[0]}"]{style}'
        return
    yield f'subgraph {name} ["at the same time"]'
    yield from (f'  {name}_{member}["{label}"]{style}' for member, label in enumerate(labels))
    yield "end"


def _label(*lines: str) -> str:
    return "<br/>".join(_escaped(line) for line in lines if line)


def _escaped(text: str) -> str:
    """Everything that Mermaid or HTML might read as more than text, as its number."""
    return "".join(letter if letter in PLAIN else f"#{ord(letter)};" for letter in text)


def _id(way: str, number: int) -> str:
    return f"{way}{number}"
