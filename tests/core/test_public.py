"""What the package exports: every name is there, is documented, and is the same for the type checker."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import amends
import amends.testing
from tests.house.source import AMENDS, tree


def stubs() -> dict[str, str]:
    """Return the block for type checkers: name, and where it comes from."""
    block = next(node for node in tree(AMENDS / "__init__.py").body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for node in imports for alias in node.names), "exported by `as`"
    return {alias.name: node.module or "" for node in imports for alias in node.names}


@pytest.mark.parametrize("name", amends.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    """A value documents itself with its type; everything else has a docstring of its own."""
    value = getattr(amends, name)
    assert value is getattr(import_module(amends._HOME_OF[name]), name)
    doc = inspect.getdoc(value) or ""
    assert doc
    if inspect.isclass(value):
        assert not doc.startswith(f"{name}("), "a dataclass's own text is no documentation"


def test_the_type_checker_sees_the_same_names() -> None:
    """The block under ``TYPE_CHECKING`` and the table of homes say the same."""
    assert stubs() == amends._HOME_OF
    assert list(amends._HOME_OF) == sorted(amends._HOME_OF, key=list(amends._HOME_OF).index)
    assert amends.__all__ == sorted(amends._HOME_OF)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'amends' has no attribute 'nothing'"):
        amends.nothing  # noqa: B018
    assert set(amends.__all__) <= set(dir(amends))


def test_names_are_loaded_when_they_are_used() -> None:
    """Importing the package alone loads no other module of it."""
    loaded = "[name for name in sys.modules if name.startswith('amends.')]"
    code = f"import sys, amends; print({loaded}); print(amends.run)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[0] == "[]"
    assert "function run" in ran.stdout.splitlines()[1]


def test_all_that_a_dialogue_offers_is_documented() -> None:
    """`amends.testing` is public too."""
    public = {name: value for name, value in vars(amends.testing).items() if not name.startswith("_")}
    ours = {name: value for name, value in public.items() if getattr(value, "__module__", "") == "amends.testing"}
    assert {"given", "do", "undo", "probe", "Dialogue", "Ask"} <= set(ours)
    methods = {name: value for name, value in vars(amends.testing.Dialogue).items() if inspect.isfunction(value)}
    for name, value in {**ours, **methods}.items():
        assert name.startswith("_") or inspect.getdoc(value), name
