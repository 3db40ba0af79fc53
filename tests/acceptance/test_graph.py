"""`amends graph`: diagrams of any definition, and how a definition is found."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from amends import Saga, local
from amends.entrypoints.drawing.graphs.chart import Beyond, chart_of
from amends.entrypoints.drawing.graphs.mermaid import mermaid
from amends.entrypoints.drawing.graphs.svg import svg
from tests.acceptance.command import amends, assert_drawn_as, process
from tests.acceptance.sagas import BOOKING, LINGERING, TRICKY, keep

HERE = Path(__file__).parent
SAGAS = HERE / "sagas.py"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("saga", ["shop", "BOOKING", "TRICKY", "LINGERING"])
@pytest.mark.parametrize("form", ["terminal", "mermaid", "svg"])
def test_definitions_are_drawn(saga: str, form: str) -> None:
    """The order saga; one with everything; one without a pivot, whose names are tricky; one whose keys die."""
    name = saga if saga == "shop" else f"{SAGAS}:{saga}"
    ran = amends("graph", name, "--format", form)
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as(f"graph-{saga.lower()}-{form}", ran.out)


def test_the_terminal_may_be_ascii() -> None:
    """All of the drawing has a second form."""
    ran = process("graph", f"{SAGAS}:BOOKING", PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as("graph-booking-ascii", ran.out)


def test_what_leads_where_is_what_the_core_decides() -> None:
    """A refusal goes to the compensations before, an unknown outcome to the own; behind the pivot to an operator."""
    stages = chart_of(BOOKING).stages
    assert [(stage.refused, stage.unknown) for stage in stages] == [
        (Beyond.COMPENSATED, None),
        (1, 1),
        (1, 2),
        (2, Beyond.AGAIN),
        (Beyond.OPERATOR, None),
        (Beyond.OPERATOR, Beyond.AGAIN),
    ]
    assert [stage.unknown for stage in chart_of(LINGERING).stages] == [Beyond.PROBED, Beyond.OPERATOR]


@pytest.mark.parametrize("saga", [BOOKING, TRICKY, LINGERING], ids=lambda saga: saga.name)
def test_svg_shows_every_name(saga: Saga) -> None:
    """It is XML, without a script, and nothing in it is outside of its frame."""
    root = ET.fromstring(svg(chart_of(saga)))  # noqa: S314 - our own text
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for step in saga.every_step():
        assert {step.event, step.undone} - {""} <= set(texts)
    assert not [*root.iter(f"{SVG}script")]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        where = {name: float(box.attrib.get(name, 0)) for name in ("x", "y", "width", "height")}
        assert 0 <= where["x"] <= where["x"] + where["width"] <= width
        assert 0 <= where["y"] <= where["y"] + where["height"] <= height


@pytest.mark.parametrize("saga", [BOOKING, TRICKY, LINGERING], ids=lambda saga: saga.name)
def test_mermaid_is_a_flowchart(saga: Saga) -> None:
    """Each end of an arrow is declared, frames are closed, and no label can end its quotes."""
    text = mermaid(chart_of(saga))
    header, *lines = [line.strip() for line in text.splitlines() if not line.startswith("%%")]
    assert header == "flowchart TD"
    declared = {found[1] for line in lines if (found := re.match(r"(?:subgraph )?(\w+) ?(?:\[|\(\[|\{\{)", line))}
    arrows = [re.fullmatch(r'(\w+)(?:\(\["start"\]\))? (?:-->|-\. "[\w ]+" \.->) (\w+)', line) for line in lines]
    assert {end for arrow in arrows if arrow for end in arrow.groups()} <= declared
    assert sum(line.startswith("subgraph") for line in lines) == lines.count("end")
    for label in re.findall(r'\["(.*?)"\]', text):
        assert re.fullmatch(r"(?:[\w ,.:()-]|#\d+;|<br/>)+", label)


def test_text_in_a_name_stays_text() -> None:
    """No name gets a tag into a drawing."""
    name = "<script>alert(1)<|script>"
    chart = chart_of(Saga(name, dict, [local(name, keep, entity=str, service="A", pivot=True)]))
    assert "<script" not in svg(chart) + mermaid(chart)


def test_a_definition_is_found_in_a_module(tmp_path: Path) -> None:
    """`module:name` looks in the present folder first, `path.py:name` beside the file too; prints go to stderr."""
    (tmp_path / "near.py").write_text("from amends.shop import CHECKOUT\n")
    (tmp_path / "far.py").write_text("from near import CHECKOUT as mine\nprint('hello')\n")
    for definition in ("far:mine", "far.py:mine", f"{tmp_path / 'far.py'}:mine"):
        ran = process("graph", definition, folder=tmp_path)
        assert (ran.code, ran.err) == (0, "hello\n")
        assert ran.out.startswith("checkout  version 1")


BROKEN = {
    "shops": "amends: 'shops': a DEFINITION is shop, module:name or path.py:name",
    "a.py:": "amends: 'a.py:': a DEFINITION is shop, module:name or path.py:name",
    ":name": "amends: ':name': a DEFINITION is shop, module:name or path.py:name",
    "none.py:x": "amends: none.py: cannot be loaded: FileNotFoundError: no such file",
    "no_such_module:x": "amends: no_such_module: cannot be loaded: ModuleNotFoundError: No module named",
    "exits.py:x": "amends: exits.py: cannot be loaded: SystemExit",
    "breaks.py:x": "amends: breaks.py: cannot be loaded: SyntaxError: ",
    "wrong.py:x": "amends: wrong.py: cannot be loaded: DefinitionError: saga 'x': it has no step; give it at least one",
    "plain.py:x": "amends: plain.py: 'x' is no saga: int; it has: y",
    "plain.py:z": "amends: plain.py: 'z' does not exist; it has: y",
    "empty.py:z": "amends: empty.py: 'z' does not exist; no name in it is a saga",
}


@pytest.mark.parametrize("definition", BROKEN)
def test_a_definition_that_cannot_be_had_is_one_line(
    definition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the command ends with 2; what is there is named."""
    (tmp_path / "exits.py").write_text("raise SystemExit")
    (tmp_path / "breaks.py").write_text("def")
    (tmp_path / "wrong.py").write_text("from amends import Saga\nx = Saga('x', dict, [])")
    (tmp_path / "plain.py").write_text("from amends.shop import CHECKOUT as y\nx = 5")
    (tmp_path / "empty.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ran = amends("graph", definition)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(BROKEN[definition])
    assert ran.err.count("\n") == 1


ODD_MODULES = {
    "late.py": 'def __getattr__(name):\n    raise RuntimeError("not today")\n',
    "mute.py": "class Mute(BaseException):\n    def __str__(self):\n        raise ValueError\n\n\nraise Mute\n",
}


@pytest.mark.parametrize("name", ODD_MODULES)
def test_whatever_a_module_raises_is_one_line(name: str, tmp_path: Path) -> None:
    """Also when it is asked for a name, and when what it raised cannot say what it is."""
    (tmp_path / name).write_text(ODD_MODULES[name], "utf-8")
    ran = amends("graph", f"{tmp_path / name}:saga")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"amends: {tmp_path / name}: cannot be loaded: ")


def test_a_file_may_be_called_as_a_module_is(tmp_path: Path) -> None:
    """A definition in ``re.py`` is not taken for Python's own module, which the drawing needs."""
    path = tmp_path / "re.py"
    path.write_text(
        "from amends import Saga, local\n"
        "saga = Saga('odd', str, [local('A_DONE', lambda a, b: 1, entity=str, pivot=True)])\n",
        "utf-8",
    )
    assert process("graph", f"{path}:saga", "--format", "svg").code == 0
