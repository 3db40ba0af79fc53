"""A way through the table as one straight function: what makes local steps cost little more than their deciders.

From a path on, as long as everybody is done, it is known in advance who is asked what. So the lookups that a loop
would make at every step are made once, by writing the steps out, one after the other, as Python. Whoever answers
anything but a plain entity ends the straight way; `amends.core.walk` takes it from there. Why, and what it brought:
docs/adr/0006-straight-ways.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, cast

from amends.core.decide import ReportedOutcome
from amends.core.messages import Changed, Done, Gone, Later, Refused, Unknown
from amends.core.table import LocalAsk, Way

Entities = Mapping[str, MutableMapping[str, Any]]
"""The unit of work: service, then id, to entity. A dict of dicts serves; an adapter's overlay can."""

Straight = Callable[[Any, Entities], tuple[Way, Any]]
"""From request and entities to the path on which the way ended, and what was answered there, if anything was."""

SPECIAL: Final = frozenset((Refused, Changed, Gone, type(None), Done, Unknown, Later))
NOTHING_SAID: Final = object()


def straight(path: Way) -> Straight:
    """The straight way from a path on; written at the first call and remembered on the path."""
    path.straight = path.straight or _written(path)
    return path.straight


def _written(path: Way) -> Straight:
    names: dict[str, Any] = {"SPECIAL": SPECIAL, "NOTHING_SAID": NOTHING_SAID}
    lines = ["def straight(request, entities):"]
    known: dict[str, str] = {}
    while path.ask and not path.ask.takes_call:
        lines += _written_step(path, path.ask, names, known)
        path = path.done or path.follow(ReportedOutcome.DONE)
    names["end"] = path
    text = "\n    ".join([*lines, "return end, NOTHING_SAID"])
    exec(compile(text, f"<straight way of {path.node.saga.name}>", "exec"), names)  # noqa: S102 - our own text
    return cast("Straight", names["straight"])


def _written_step(path: Way, ask: LocalAsk, names: dict[str, Any], known: dict[str, str]) -> list[str]:
    """One step: look up service, id and entity, unless a step before did; ask; write."""
    lines = []

    def once(what: str, expression: str) -> str:
        if what not in known:
            known[what] = f"v{len(known)}"
            lines.append(f"{known[what]} = {expression}")
        return known[what]

    step = f"_{len(names)}"
    names[f"path{step}"], names[f"function{step}"], names[f"id{step}"] = path, ask.function, ask.entity
    owned = once(ask.service, f"entities[{ask.service!r}]")
    key = once(f"id {id(ask.entity)}", f"id{step}(request)")
    return [
        *lines,
        f"entity = {owned}.get({key})",
        f"after = function{step}(entity, request)",
        "if (after.__class__ is not entity.__class__ or after is None) and after.__class__ in SPECIAL:",
        f"    return path{step}, after",
        f"{owned}[{key}] = after",
    ]
