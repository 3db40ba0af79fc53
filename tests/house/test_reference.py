"""docs/reference.md says of every parameter what it is."""

from __future__ import annotations

import inspect
import re

import pytest

from amends.client.client import Client
from amends.client.handle import ClientHandle
from amends.core import definition
from amends.core.messages import Done, Later, Refused, Unknown, Verb
from amends.engine.engine import Engine
from amends.engine.transaction import Transaction
from tests.house.source import ROOT
from tools.reference import named, parameters, told

REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
SHOWN = [
    name for names in re.findall(r"<!-- \$ python -m tools.reference (.*?) -->", REFERENCE) for name in names.split()
]
WRITTEN = {
    "Saga",
    "Command",
    "Backoff",
    "Scenario",
    definition.local.__name__,
    "external",
    "parallel",
    "open",
    "Limit",
    "connect",
}
ANOTHER_VALUE = re.compile(
    r"\b(give|set|raise|lower)\b[^.]*\b(to|when|where|wherever|with|for|those|above)\b", re.IGNORECASE
)
DOORS = {"of"}  # of a handle, for the blocking one, which asks by whichever client its process has


@pytest.mark.parametrize("name", SHOWN)
def test_every_parameter_is_told(name: str) -> None:
    """In words, which are where its name is."""
    words = told(named(name))
    for parameter in parameters(named(name)):
        assert words.get(parameter.name), f"{name}: {parameter.name} has no words in the docstring"
        assert re.search(rf"^  \*?{parameter.name}\b", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_default_says_when_to_choose_another_value(name: str) -> None:
    """In a sentence that says what to do, such as "Raise it where ..."."""
    words = told(named(name))
    for parameter in parameters(named(name)):
        if parameter.default is not parameter.empty:
            assert ANOTHER_VALUE.search(words[parameter.name]), f"{name}: when is {parameter.name} another value?"


def test_nothing_is_left_out() -> None:
    """What sagas are written with, what participants say, what operators want, what engines and clients are asked."""
    said = {kind.__name__ for kind in (Done, Refused, Unknown, Later, *Verb.__args__)} | {"Changed"}
    asked = {
        f"{kind.__name__}.{name}"
        for kind in (Engine, Transaction, Client, ClientHandle)
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and not name.startswith("_") and name not in DOORS
    }
    assert set(SHOWN) == WRITTEN | said | asked
