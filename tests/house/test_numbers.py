"""A number that was chosen says where it comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import AMENDS, modules, tree

SELF_EVIDENT = 10
"""A whole number below it is a tag, an exit code or a margin, and its name says enough."""

UNIT = re.compile(r"^(NS|SECOND|MINUTE|HOUR|DAY|THOUSAND)(_|$)")
"""How the names of units begin: they hold by definition."""

ARITHMETIC = ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop


def is_chosen(value: ast.expr) -> bool:
    """Whether it is a number, or some written as a sum, a product or a power, and one of them could be another."""
    parts = list(ast.walk(value))
    numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
    return all(isinstance(part, ARITHMETIC) for part in parts) and any(
        isinstance(number, float) or (type(number) is int and number >= SELF_EVIDENT) for number in numbers
    )


def silent(path: Path) -> Iterator[str]:
    """Yield the constants of a module that are chosen numbers, with no comment beside or above and no docstring."""
    lines, body = path.read_text("utf-8").splitlines(), tree(path).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value) if is_chosen(value):
                is_told = isinstance(after, ast.Expr) or "#" in lines[node.lineno - 1] + lines[node.lineno - 2][:1]
                if not is_told and not UNIT.match(name):
                    yield f"{path}:{node.lineno} {name}"


def test_a_chosen_number_has_a_source() -> None:
    """A limit, a page, a pause or a width: what would be wrong with twice of it, or where it is laid down."""
    assert not [found.removeprefix(f"{AMENDS}/") for path in modules(".") for found in silent(path)]


def test_a_number_without_a_source_is_found(tmp_path: Path) -> None:
    """The count itself."""
    path = tmp_path / "example.py"
    path.write_text(
        "A: Final = 500\nB: Final = 0.5\nC: Final = 2**24\n"
        "D: Final = 500  # of a page\n# why\nE: Final = 500\nF: Final = 500\n'Why.'\n"
        "HOUR_S: Final = 3600\nG: Final = 3\nH: Final = 'text'\n"
    )
    assert [found.split()[-1] for found in silent(path)] == ["A", "B", "C"]
