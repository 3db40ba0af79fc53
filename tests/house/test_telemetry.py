"""What docs/telemetry.md says of figures: each one that there is, with its labels, and no other."""

from __future__ import annotations

import re

from tests.house.source import AMENDS, ROOT, modules

NAMED = re.compile(r'"(amends_[a-z_]+)"')
ROW = re.compile(r"^\| `(amends_\w+)` \|", re.MULTILINE)


def figures() -> set[str]:
    """Return the names of all figures that the source has."""
    texts = [path.read_text("utf-8") for path in modules(".") if path.name in ("store_metrics.py", "measures.py")]
    return {name for text in texts for name in NAMED.findall(text)}


def test_each_figure_is_documented() -> None:
    """Once, under its full name."""
    told = ROW.findall((ROOT / "docs" / "telemetry.md").read_text("utf-8"))
    assert sorted(told) == sorted(figures())


def test_figures_have_names_in_these_files_alone() -> None:
    """So that the tests which hold documents to them see all of them."""
    others = [path for path in modules(".") if path.name not in ("store_metrics.py", "measures.py")]
    assert not [path.relative_to(AMENDS) for path in others if ' MetricFamily("' in path.read_text("utf-8")]
