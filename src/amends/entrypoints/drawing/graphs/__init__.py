"""Diagrams of a definition. What leads where is asked of the core, so that a drawing cannot say something else."""

from __future__ import annotations

import sys

from amends.core.definition import Saga
from amends.entrypoints.drawing.graphs.chart import chart_of


def draw(saga: Saga, output: str) -> None:
    """Draw a definition on standard output.

    Args:
        saga: the definition.
        output: ``terminal``, ``mermaid`` or ``svg``.
    """
    chart = chart_of(saga)
    if output == "svg":
        from amends.entrypoints.drawing.graphs.svg import svg

        sys.stdout.write(svg(chart))
    elif output == "mermaid":
        from amends.entrypoints.drawing.graphs.mermaid import mermaid

        sys.stdout.write(mermaid(chart))
    else:
        from amends.entrypoints.drawing.graphs.terminal import draw_chart
        from amends.entrypoints.drawing.paper import paper

        draw_chart(paper(), chart)
