"""Which function of a scenario raised what, and at which line of its own file."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from amends.checking.world import Broken
from amends.errors import UnusableInput

OURS: Final = str(Path(__file__).parents[1])


class Raised(Exception):
    """A function of a scenario raised where it must not.

    Attributes:
        broken: the rule that it broke, with who raised what, where.
    """

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.text)
        self.broken = broken


OF_A_LIST: Final = "an answer that nobody typed is a list once it was stored: say `-> Done[Receipt]`"


@contextmanager
def breaks_rule(rule: str, who: str, about: str = "") -> Iterator[None]:
    """An exception inside breaks a rule.

    Args:
        rule: the rule that it breaks.
        who: the function, as it is named in the answer.
        about: more, for a person: what it was asked with.

    Raises:
        Raised: the exception, with the function and its place in their own file.
    """
    try:
        yield
    except (Raised, UnusableInput):
        raise
    except Exception as error:
        raise Raised(Broken(rule, f"{who} raised {what_was_raised(error)}{about and f'; {about}'}")) from error


def what_was_raised(error: BaseException) -> str:
    """An exception as a person reads it: its type, its text, and where it comes from in their own code."""
    text, where = f"{type(error).__name__}: {error}".removesuffix(": "), place_of(error)
    hint = f"; {OF_A_LIST}" if isinstance(error, AttributeError) and isinstance(error.obj, list) else ""
    return f"{text} ({where}){hint}" if where else f"{text}{hint}"


def place_of(error: BaseException) -> str:
    """The file, line and function in which an exception was raised; empty when that is none of theirs."""
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(OURS)]
    return f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno}, in {theirs[-1].name}" if theirs else ""


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called, within its partials; one without a name, its text."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or repr(function)
