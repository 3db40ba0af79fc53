"""Print the parameters of our public functions and classes, as their docstrings tell them: docs/reference.md shows it.

Usage: python -m tools.reference NAME ...    such as Saga, or Engine.submit
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, Final

import amends
from amends.engine.engine import Engine

WIDTH: Final = 100
SECTION: Final = re.compile(r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
ENTRY: Final = re.compile(r"^    (\w+): (.*?)(?=^    \S|\Z)", re.MULTILINE | re.DOTALL)


def named(name: str) -> Callable[..., Any]:
    """Return what a name stands for: one of `amends`, or a method of the engine that `amends.open` gives."""
    first, *rest = name.split(".")
    found: Callable[..., Any] = reduce(getattr, rest, Engine if first == "Engine" else getattr(amends, first))
    return found


def parameters(found: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return its parameters, without the object that a method is of."""
    return [each for each in inspect.signature(found).parameters.values() if each.name != "self"]


def told(found: Callable[..., Any]) -> dict[str, str]:
    """Return what its docstring says of each name."""
    sections = SECTION.findall(inspect.getdoc(found) or "")
    return {name: " ".join(words.split()) for section in sections for name, words in ENTRY.findall(section)}


def lines(name: str) -> Iterator[str]:
    """Yield a name's summary, and its parameters with their defaults."""
    found = named(name)
    words = told(found)
    yield f"{name}: {(inspect.getdoc(found) or '').partition(chr(10))[0]}"
    for each in parameters(found):
        default = "" if each.default is each.empty or repr(each.default).startswith("<") else f" = {each.default!r}"
        yield f"  {'*' if each.kind is each.VAR_POSITIONAL else ''}{each.name}{default}"
        yield from textwrap.wrap(words.get(each.name, ""), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    yield ""


if __name__ == "__main__":
    print("\n".join(line for name in sys.argv[1:] for line in lines(name)))
