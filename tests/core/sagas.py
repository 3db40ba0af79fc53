"""Definitions that the tests of the core share. Whoever takes part is played by the test."""

from __future__ import annotations

from typing import Any

from amends.core.definition import Saga, Step, external, local, parallel
from amends.core.messages import Call


def nobody(client: Any, request: Any, call: Call) -> None:
    """Stand in for a participant that is never called."""
    raise AssertionError("a dialogue calls nobody")


def step(event: str, **options: Any) -> Step:
    """Return a step before the pivot, with an undo."""
    return external(event, nobody, **{"undo": nobody, "undone": f"{event}_UNDONE", **options})


def pivot(event: str = "PIVOT", **options: Any) -> Step:
    """Return a pivot."""
    return external(event, nobody, pivot=True, **options)


def last(event: str = "LAST", **options: Any) -> Step:
    """Return a step that has no undo, for after the pivot."""
    return external(event, nobody, **options)


def ours(event: str, **options: Any) -> Step:
    """Return a local step; its participant is played by the test like any other."""
    undo = {"undo": nobody, "undone": f"{event}_UNDONE"}
    return local(event, nobody, **{"entity": str, **undo, **options})


def saga(*steps: Any, **options: Any) -> Saga:
    """Return a saga of these steps."""
    return Saga("test", Any, list(steps), **options)


LINE = saga(step("A"), step("B"), pivot(), last())
"""Two steps, a pivot, and one that is only retried."""

GROUP = saga(step("A"), parallel(step("B"), step("C")), pivot(), last())
"""A group in the middle."""
