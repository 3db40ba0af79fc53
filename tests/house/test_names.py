"""One name for one thing: class names are unique, and the glossary names what there is."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

import amends.errors
from tests.house.source import ROOT, modules, tree


def test_no_two_classes_have_one_name() -> None:
    """A reader who meets a class by its name finds one."""
    homes = defaultdict(list)
    for path in modules("."):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path))
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
ENTRIES = {entry.partition("\n")[0]: entry for entry in GLOSSARY.split("\n### ")[1:]}


@pytest.fixture(scope="module")
def defined() -> set[str]:
    """Return the names of all classes and functions."""
    nodes = (node for path in modules(".") for node in ast.walk(tree(path)))
    return {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("term", ENTRIES)
def test_what_the_glossary_calls_the_code_is_there(term: str, defined: set[str]) -> None:
    """Each concept has a class or function, found by its name."""
    named = re.search(r"^- Code: (`\w+`(?:, `\w+`)*)$", ENTRIES[term], re.MULTILINE)
    assert named, f"{term} names no code"
    assert {*re.findall(r"\w+", named[1])} <= defined


@pytest.mark.parametrize("term", ENTRIES)
def test_neighbours_are_defined_too(term: str) -> None:
    """A word in italics has an entry of its own, or stands in bold where another entry explains it."""
    for word in re.findall(r"(?<!\*)\*([\w ]+)\*(?!\*)", ENTRIES[term]):
        assert any(word in title for title in ENTRIES) or f"**{word}**" in GLOSSARY, f"{term}: {word}"


def test_every_public_name_is_in_the_glossary() -> None:
    """A name of `amends` belongs to a concept; errors are explained in a tree of their own."""
    known = {word for entry in ENTRIES.values() for word in re.findall(r"`(\w+)`", entry)}
    errors = {name for name, value in vars(amends.errors).items() if isinstance(value, type)}
    assert {*amends.__all__} <= errors | known
