"""Docstrings are plain sentences with nouns, and describe what there is."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from tests.house.source import AMENDS, modules, tree

AT_MOST = {
    "anybody": 1,
    "everybody": 1,
    "likewise": 1,
    "nobody": 1,
    "somebody": 1,
    "whatever": 9,
    "whichever": 1,
    "whoever": 3,
}
"""How often a word may stand in docstrings, where a noun could; these numbers only fall."""

RIDDLES = re.compile(
    r"^\s*(\w+: )?(itself|likewise|the same|all of them|one of them|both|which( one)?|whose|when|who)\.$", re.IGNORECASE
)
"""A docstring, or an entry of one, that says nothing without what is around it."""


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield each docstring with its place: of modules, classes, functions, attributes and constants."""
    for path in modules("."):
        for node in ast.walk(tree(path)):
            match node:
                case ast.Expr(ast.Constant(str(text))):
                    yield f"{path.relative_to(AMENDS)}:{node.lineno}", text


@cache
def counted() -> Counter[str]:
    """Count each word of all docstrings."""
    return Counter(word for _, text in docstrings() for word in re.findall(r"[a-z]+", text.lower()))


@pytest.mark.parametrize("word", AT_MOST)
def test_a_noun_stands_where_a_noun_would_do(word: str) -> None:
    """A client, an operator, a participant: who it is, a docstring says. Lower the number when a word becomes rarer."""
    assert counted()[word] <= AT_MOST[word]


def test_no_docstring_is_a_riddle() -> None:
    """Each entry says what its value is."""
    found = [
        f"{place} {line.strip()}" for place, text in docstrings() for line in text.splitlines() if RIDDLES.match(line)
    ]
    assert not found


def described(node: ast.ClassDef) -> set[str]:
    """Return the names that the section ``Attributes`` of a class has."""
    _, _, section = (ast.get_docstring(node) or "").partition("Attributes:\n")
    section = section.split("\n\n")[0]
    return {name for line in re.findall(r"^    (\w[\w, ]*): ", section, re.MULTILINE) for name in line.split(", ")}


def owned(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class has of its own: declared, assigned, computed, or slots."""
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    for each in ast.walk(node):
        match each:
            case ast.AnnAssign(target=ast.Name(name)) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Assign(targets=[ast.Name(name)]):
                names.add(name)
    return names


def test_docstrings_describe_attributes_that_there_are() -> None:
    """One that was renamed is renamed in its class's docstring, too."""
    found = {
        f"{path.relative_to(AMENDS)}:{node.lineno} {node.name}": strays
        for path in modules(".")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and (strays := described(node) - owned(node))
    }
    assert not found
