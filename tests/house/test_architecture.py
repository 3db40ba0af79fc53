"""What ARCHITECTURE.md says of where things are, and what holds of the table and of `decide`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.source import AMENDS, ROOT, modules, tree

ROWS = re.findall(r"^\|([^|]+)\|([^|]+)\|$", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE)
TABLED = [(what.strip(), where.strip()) for what, where in ROWS if "`" in where]
QUOTED = re.compile(r"`([^`]+)`")
DEFINING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def names_in(path: Path) -> set[str]:
    """Return the functions, methods and classes that a module defines."""
    return {node.name for node in ast.walk(tree(path)) if isinstance(node, DEFINING)}


@pytest.mark.parametrize(("what", "where"), TABLED, ids=[what for what, _ in TABLED])
def test_what_the_tables_name_exists(what: str, where: str) -> None:
    """Each path, from the root or beside the one before it, and each function, in the file before it."""
    path = ROOT
    for name in QUOTED.findall(where):
        if name.isidentifier():
            assert name in names_in(path), f"{name} is not in {path.relative_to(ROOT)}"
        else:
            found = [place / name for place in (ROOT, path, path.parent, path.parent.parent) if (place / name).exists()]
            assert found, f"{name} does not exist, neither from the root nor beside {path.relative_to(ROOT)}"
            path = found[0]


def test_a_compensation_is_found() -> None:
    """What a newcomer asks first is in the table."""
    found = dict(TABLED)["when a compensation is asked, and of which steps"]
    assert found.startswith("`src/amends/core/decide.py`")


def test_the_table_alone_calls_decide() -> None:
    """So that whatever runs, draws or checks sagas follows the same remembered decisions."""
    callers = {
        path.relative_to(AMENDS).as_posix()
        for path in modules(".")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "decide"
    }
    assert callers == {"core/table.py"}


def test_the_order_saga_fits_on_a_screen() -> None:
    """Its definition, with every service, event and compensation, in at most 40 lines; the module in at most 90."""
    path = AMENDS / "shop" / "checkout.py"
    (saga,) = (
        node
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") == "Saga"
    )
    assert (saga.end_lineno or 0) - saga.lineno < 40
    assert len(path.read_text("utf-8").splitlines()) <= 90
