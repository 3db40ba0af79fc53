"""What docs/telemetry.md says of figures: each one that there is, with its labels, and no other."""

from __future__ import annotations

import json
import re

import pytest

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


DASHBOARD = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text("utf-8"))
QUERIES = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())),
    *(variable["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"),
]
LABELS_OF = {
    name: {*re.findall(r"`(\w+)`", labels)} | {"job"} | ({"le"} if "histogram" in told else set())
    for name, labels, told in re.findall(
        r"^\| `(amends_\w+)` \|(.*?)\|(.*)\|$", (ROOT / "docs" / "telemetry.md").read_text("utf-8"), re.MULTILINE
    )
}


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_dashboard_names_a_figure_that_there_is(query: str) -> None:
    """And labels that it has."""
    named = [name.removesuffix("_bucket") for name in re.findall(r"amends_\w+", query)]
    assert named
    assert {*named} <= figures()
    grouped = re.findall(r"by \(([\w, ]+)\)", query)
    used = {label.strip() for group in grouped for label in group.split(",")} | {*re.findall(r"(\w+)=~?\"", query)}
    assert all(used <= LABELS_OF[name] for name in named), f"{used} are not labels of {named}"


def test_each_panel_of_the_dashboard_has_a_place_and_a_name_of_its_own() -> None:
    """None lies over another; a histogram is asked by its buckets, a counter by its rate."""
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (place["x"] + across, place["y"] + down)
        for place in places
        for across in range(place["w"])
        for down in range(place["h"])
    ]
    assert len(cells) == len({*cells})
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for each in ("id", "title"):
        assert len({panel[each] for panel in DASHBOARD["panels"]}) == len(places)
    for query in QUERIES:
        for counter in re.findall(r"amends_\w+_(?:total|bucket)", query):
            assert f"rate({counter}{{" in query


def test_what_alarms_see_the_dashboard_shows() -> None:
    """And the calls and places of participants."""
    shown = {name.removesuffix("_bucket") for query in QUERIES for name in re.findall(r"amends_\w+", query)}
    wanted = {name for name in figures() if name.startswith(("amends_engine_call", "amends_steps", "amends_oldest"))}
    assert wanted <= shown
