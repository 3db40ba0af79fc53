"""A definition as SVG: readable on light and on dark paper, and without any script or font of its own."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from rich.cells import cell_len

from amends.core.definition import Step
from amends.entrypoints.drawing.graphs.chart import UNASKED, Beyond, Chart, ChartGroup, kind_of, legend_of, note_on

EDGE: Final = 24  # around it all
BOX_HEIGHT: Final = 46  # two lines of text, and air
STEP_GAP: Final = 8  # between the members of a group
STAGE_GAP: Final = 34  # room for an arrow
FRAME: Final = 8
WAYS_GAP: Final = 132  # between the way on and the way back; the arrows that turn back run there
LETTER: Final = 7.9  # the widest advance of 13 px in the usual monospaced fonts is 0.602 em
PADDING: Final = 28  # left and right of a text in its box, together
PILL_HEIGHT: Final = 26  # one line of text, and air
TOP: Final = 72  # below the title and the line under it
LINE: Final = 18  # of the legend
TURN_OFFSET: Final = 8  # so that arrows that begin or end at one box do not meet

STYLE: Final = """\
  svg { color-scheme: light dark; --ink: #1f2328; --paper: #ffffff; --faint: #656d76; --on: #1a7f37; --back: #9a6700;
        --stop: #cf222e; --box: #f6f8fa; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --paper: #0d1117; --faint: #8d96a0; --on: #3fb950; --back: #d29922; --stop: #f85149;
          --box: #161b22; }
  }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: var(--ink); }
  text.faint { font-size: 11px; fill: var(--faint); }
  text.name { font-size: 17px; font-weight: bold; }
  text.on-line { paint-order: stroke; stroke: var(--paper); stroke-width: 5; }
  text.center { text-anchor: middle; }
  .paper { fill: var(--paper); }
  .do, .undo, .frame { fill: var(--box); stroke-width: 1.5; }
  .do { stroke: var(--on); }
  .undo { stroke: var(--back); stroke-dasharray: 5 3; }
  .do.pivot { stroke-width: 4; }
  .pill { fill: none; stroke: var(--faint); stroke-width: 1.5; }
  .frame { fill: none; stroke: var(--faint); stroke-dasharray: 2 3; }
  .way { fill: none; stroke: var(--faint); stroke-width: 1.5; }
  .turn { fill: none; stroke: var(--stop); stroke-width: 1.5; stroke-dasharray: 5 3; }
  .head { fill: var(--faint); }
  .stop { fill: var(--stop); }"""


class Layout(NamedTuple):
    """Where things are.

    Attributes:
        chart: what is drawn.
        left: the way on: x and width of its boxes.
        right: the way back: x and width of its boxes.
        tops: y of each stage, and of what follows the last.
    """

    chart: Chart
    left: tuple[int, int]
    right: tuple[int, int]
    tops: tuple[int, ...]

    def middle(self, number: int) -> int:
        """The y of a stage's middle."""
        return self.tops[number] + _height(self.chart.stages[number]) // 2

    def boxes(self, number: int) -> Iterator[tuple[int, Step]]:
        """The y of each box of a stage, and the step in it."""
        for member, step in enumerate(self.chart.stages[number].steps):
            yield self.tops[number] + member * (BOX_HEIGHT + STEP_GAP), step


def svg(chart: Chart) -> str:
    """The chart as a document."""
    layout = _layout(chart)
    legend = legend_of(chart)
    width = max(sum(layout.right), *(EDGE + _width(line) for line in [chart.title, *legend])) + EDGE
    foot = layout.tops[-1] + PILL_HEIGHT + STAGE_GAP
    height = foot + len(legend) * LINE
    name = escape(chart.saga.name)
    size = f'width="{width}" height="{height}"'
    view = f'viewBox="0 0 {width} {height}" role="img" aria-label="Saga {name}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>',
        f"<style>\n{STYLE}\n</style>",
        f"<defs>{_arrow_head('head')}{_arrow_head('stop')}</defs>",
        f'<rect class="paper" {size}/>',
        _text(EDGE, 32, chart.saga.name, "name"),
        _text(EDGE, 52, chart.title, "faint"),
        *_way_on(layout),
        *_way_back(layout),
        *_turns(layout),
        *(_text(EDGE, foot + at * LINE, line, "faint") for at, line in enumerate(legend)),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _layout(chart: Chart) -> Layout:
    steps = [step for stage in chart.stages for step in stage.steps]
    left = max(_width(text) for step in steps for text in (step.event, _about(step))) + PADDING
    right = max(_width(text) for step in steps for text in ("compensated", step.undone or UNASKED)) + PADDING
    tops = [TOP + PILL_HEIGHT + STAGE_GAP]
    for stage in chart.stages:
        tops.append(tops[-1] + _height(stage) + STAGE_GAP)
    start = EDGE + FRAME
    return Layout(chart, (start, left), (start + left + WAYS_GAP, right), tuple(tops))


def _way_on(layout: Layout) -> Iterator[str]:
    """The way on, down at the left."""
    x, width = layout.left
    middle = x + width // 2
    yield _pill(x, TOP, width, "start")
    bottom = TOP + PILL_HEIGHT
    for number, stage in enumerate(layout.chart.stages):
        yield _arrow("way", f"M{middle} {bottom} V{layout.tops[number]}", "head")
        bottom = layout.tops[number] + _height(stage)
        yield from _frame(layout, number, x, width)
        for y, step in layout.boxes(number):
            yield _box(x, y, width, "do pivot" if stage.pivot else "do")
            yield _text(middle, y + 20, step.event, "center")
            yield _text(middle, y + 36, _about(step), "center faint")
    yield _arrow("way", f"M{middle} {bottom} V{layout.tops[-1]}", "head")
    yield _pill(x, layout.tops[-1], width, "completed")


def _way_back(layout: Layout) -> Iterator[str]:
    """Up on the right; beside a stage without compensations, what is special about it."""
    x, width = layout.right
    middle = x + width // 2
    yield _pill(x, TOP, width, "compensated")
    bottom = TOP + PILL_HEIGHT
    for number, stage in enumerate(layout.chart.stages):
        if not stage.turns_back:
            yield _text(layout.left[0] + layout.left[1] + FRAME, layout.middle(number) + 4, note_on(stage), "faint")
            continue
        yield _arrow("way", f"M{middle} {layout.tops[number]} V{bottom}", "head")
        bottom = layout.tops[number] + _height(stage)
        yield from _frame(layout, number, x, width)
        for y, step in layout.boxes(number):
            yield _box(x, y, width, "undo")
            yield _text(middle, y + 28, step.undone or UNASKED, "center")


def _turns(layout: Layout) -> Iterator[str]:
    """From the way on to the way back."""
    for number, stage in enumerate(layout.chart.stages):
        for to, words in stage.ways(", "):
            if isinstance(to, int) or to is Beyond.COMPENSATED:
                yield from _turn(layout, number, to if isinstance(to, int) else None, words)


def _turn(layout: Layout, number: int, to: int | None, words: str) -> Iterator[str]:
    """From a stage to compensations; to the end of the way back when `to` is ``None``."""
    start, end = sum(layout.left) + _margin(layout, number), layout.right[0] - _margin(layout, to)
    begin = layout.middle(number) + (-TURN_OFFSET if "refused" in words else TURN_OFFSET)
    target = TOP + PILL_HEIGHT // 2 if to is None else layout.middle(to) + TURN_OFFSET
    bend = (start + end) // 2
    yield _arrow("turn", f"M{start} {begin} C{bend} {begin} {bend} {target} {end} {target}", "stop")
    yield _text(bend, (begin + target) // 2 + 4, words, "center faint on-line")


def _margin(layout: Layout, number: int | None) -> int:
    return FRAME if number is not None and len(layout.chart.stages[number].steps) > 1 else 0


def _frame(layout: Layout, number: int, x: int, width: int) -> Iterator[str]:
    """Around steps that run at the same time."""
    stage = layout.chart.stages[number]
    if len(stage.steps) > 1:
        y = layout.tops[number]
        yield _rect("frame", x - FRAME, y - FRAME, width + 2 * FRAME, _height(stage) + 2 * FRAME, 12)


def _about(step: Step) -> str:
    return f"{step.service}: {kind_of(step)}"


def _height(stage: ChartGroup) -> int:
    return len(stage.steps) * (BOX_HEIGHT + STEP_GAP) - STEP_GAP


def _width(text: str) -> int:
    return round(cell_len(text) * LETTER)


def _box(x: int, y: int, width: int, kind: str) -> str:
    return _rect(kind, x, y, width, BOX_HEIGHT, 8)


def _pill(x: int, y: int, width: int, words: str) -> str:
    middle = x + width // 2
    frame = _rect("pill", x, y, width, PILL_HEIGHT, PILL_HEIGHT // 2)
    return frame + "\n" + _text(middle, y + 17, words, "center faint")


def _rect(kind: str, x: int, y: int, width: int, height: int, round_: int) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{round_}"/>'


def _text(x: int, y: int, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def _arrow(kind: str, path: str, head: str) -> str:
    return f'<path class="{kind}" d="{path}" marker-end="url(#{head})"/>'


def _arrow_head(kind: str) -> str:
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    return f'<marker id="{kind}" {size} orient="auto"><path class="{kind}" d="M0 0 L8 4 L0 8 z"/></marker>'
