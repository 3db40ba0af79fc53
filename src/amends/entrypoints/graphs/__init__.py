"""Diagrams of a definition. What leads where is asked of the core, so that a drawing cannot say something else."""

from __future__ import annotations

import sys

from amends.core.definition import Saga
from amends.entrypoints.graphs.chart import chart_of


def draw(saga: Saga, output: str) -> None:
    """Draw a definition on standard output.

    Args:
        saga: the definition.
        output: ``terminal``, ``mermaid`` or ``svg``.
    """
    chart = chart_of(saga)
    if output == "svg":
        from amends.entrypoints.graphs.svg import svg

        sys.stdout.write(svg(chart))
    elif output == "mermaid":
        from amends.entrypoints.graphs.mermaid import mermaid

        sys.stdout.write(mermaid(chart))
    else:
        from amends.entrypoints.graphs.terminal import draw_chart
        from amends.entrypoints.paper import paper

        draw_chart(paper(), chart)
