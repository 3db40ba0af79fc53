"""The guides to check and simulation say of every rule, move, model and verdict what it is, and of no other."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Final, get_args

from amends import checking
from amends.checking import bound, models
from amends.checking.answer import Verdict
from amends.checking.simulator import answer as simulated
from amends.checking.world import What
from amends.scenario import Scenario
from tests.house.source import ROOT, modules, tree

GUIDE: Final = (ROOT / "docs" / "checking.md").read_text("utf-8")
SIMULATING: Final = (ROOT / "docs" / "simulating.md").read_text("utf-8")
TELLING: Final = {"Broken", "breaks_rule"}  # who names a rule, first of all


def rows(heading: str, guide: str = GUIDE) -> list[str]:
    """Return the first cells of the tables under a heading, up to the next one; several in a cell are several."""
    section = re.split(r"^#", guide.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    tables = re.findall(r"^\| .*?\n\|[-|]+\n((?:\|.*\n)+)", section, re.MULTILINE)
    cells = [line.split("|")[1].strip() for table in tables for line in table.splitlines()]
    return [name.strip("`") for cell in cells for name in re.split(r"(?<=`), (?=`)", cell)]


def rules() -> set[str]:
    """Return the name of every rule that the source of the checker names."""
    paths = [path for path in modules("checking") if "simulator" not in path.parts]
    return {name for path in paths for name in rules_of(path)}


def rules_of(path: Path) -> Iterator[str]:
    """The names of the rules of a module: each a text, or a constant."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TELLING:
            match node.args[0]:
                case ast.Constant(str(name)):
                    yield name
                case ast.JoinedStr([ast.Constant("never: "), *_]):
                    yield "never: NAME"
                case ast.Name("rule"):  # what `breaks_rule` was given, which is looked at where it is
                    assert path.name == "exceptions.py"
                case ast.Name(constant):
                    yield getattr(import_module(f"amends.checking.{path.stem}"), constant)
                case other:
                    raise AssertionError(f"{path.name}: a rule is named by {ast.unparse(other)}; name it by a text")


def test_every_rule_is_described() -> None:
    """Once each; and none that there is no more."""
    described = rows("The rules")
    assert sorted(described) == sorted(rules())


def test_every_kind_of_move_is_described() -> None:
    """And that a message is doubled, which is no move of its own."""
    assert sorted(rows("What happens, and goes wrong")) == sorted([*get_args(What), "a double"])


def test_every_verdict_is_described() -> None:
    """With what it comes to in a test, and for the command."""
    assert sorted(rows("What an answer is")) == sorted(get_args(Verdict))


def test_every_line_of_a_green_answer_is_described() -> None:
    """By its label."""
    (told,) = (node for node in ast.walk(tree(Path(bound.__file__))) if getattr(node, "name", "") == "bound_of")
    labels = [node.elts[0] for node in ast.walk(told) if isinstance(node, ast.Tuple) and len(node.elts) == 2]
    assert rows("Reading a green answer") == [label.value for label in labels if isinstance(label, ast.Constant)]


def test_whatever_is_not_covered_has_a_remedy() -> None:
    """Or at least a word on it."""
    assert rows("What is not covered") == [*bound.NOT_COVERED, bound.OPERATORS]


def test_every_model_is_described() -> None:
    """Those that are public."""
    public = {name for name in checking.__all__ if inspect.getmodule(getattr(checking, name)) is models}
    named = {cell.split("(")[0] for cell in rows("The world outside")}
    assert named == public - {"Model", "SystemReply"} | {"adapter"}


def test_every_field_of_a_scenario_is_described() -> None:
    """Somewhere in the guide."""
    left_out = [each.name for each in fields(Scenario) if not re.search(rf"\b{each.name}=|`{each.name}`", GUIDE)]
    assert left_out == []


def test_every_rule_of_the_simulator_is_described() -> None:
    """By its number; and every verdict."""
    source = "".join(path.read_text("utf-8") for path in modules("checking/simulator"))
    described = [number for cell in rows("What must hold", SIMULATING) for number in cell.split(", ")]
    assert sorted(described) == sorted(set(re.findall(r'"(V\d\d|P\d+)"', source)))
    assert all(f"`{verdict}`" in SIMULATING for verdict in get_args(simulated.Verdict))
