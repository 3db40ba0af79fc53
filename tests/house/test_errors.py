"""The tree in `errors.py` is the tree of the classes, and says of each error who must act on it."""

from __future__ import annotations

import ast
import re

import pytest

from amends import errors
from tests.house.source import modules, tree

ACTORS = {"the author of a saga", "the author of a participant", "the caller", "the loop", "the operator"}
LINE = re.compile(r"(?P<indent>[│ ]*)[├└]── (?P<name>\w+)(?: +(?P<actor>[a-z ]+)(?:, later)?: .+)?")
TOLD = [told for line in (errors.__doc__ or "").splitlines() if (told := LINE.fullmatch(line.removeprefix("    ")))]
CLASSES = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
BRANCHES = {value.__base__ for value in CLASSES.values()}


def _actor_of(name: str) -> str:
    return next(told["actor"] or "" for told in TOLD if told["name"] == name)


def _handled() -> set[str]:
    """The names of all errors that an engine's modules catch."""
    nodes = (node for path in modules("engine") for node in ast.walk(tree(path)))
    kinds = (node.type for node in nodes if isinstance(node, ast.ExceptHandler) and node.type)
    return {name.id for kind in kinds for name in ast.walk(kind) if isinstance(name, ast.Name)}


def test_every_error_has_its_line_below_its_base() -> None:
    """In the place that its class has."""
    above: list[str] = []
    for told in TOLD:
        depth = len(told["indent"]) // 4
        above[depth:] = [told["name"]]
        base = above[depth - 1] if depth else errors.AmendsError.__name__
        assert CLASSES[told["name"]].__mro__[1].__name__ == base
    assert sorted(told["name"] for told in TOLD) == sorted(CLASSES.keys() - {"AmendsError"})


@pytest.mark.parametrize("name", sorted(CLASSES.keys() - {"AmendsError"}))
def test_an_error_says_who_must_act(name: str) -> None:
    """One of five; what is never raised itself, as others are kinds of it, names nobody."""
    assert _actor_of(name) in ACTORS or CLASSES[name] in BRANCHES


def test_what_the_loop_must_act_on_it_catches() -> None:
    """And of the storage's errors nothing else, but for the end of an engine."""
    of_storage = {name for name, value in CLASSES.items() if issubclass(value, errors.StoreError)} - {"StoreError"}
    for_the_loop = {name for name in of_storage if _actor_of(name) == "the loop"}
    assert for_the_loop == (of_storage & _handled()) - {"LeaseLost"}
