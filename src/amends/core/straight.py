"""A way through the table as one straight function: what makes local steps cost little more than their deciders.

From a path on, as long as each step is done, it is known in advance who is asked what. So the lookups that a loop would
make at every step are made once, by writing the steps out, one after the other, as Python. A participant that answers
anything but a plain entity ends the straight way; `amends.core.walk` takes it from there. Why, and what it brought:
docs/adr/0006-straight-ways.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, cast

from amends.core.decide import ReportedOutcome
from amends.core.definition import takes_call
from amends.core.participant import SPECIAL, Applied, read_result
from amends.core.table import LocalAsk, Way

Entities = Mapping[str, MutableMapping[str, Any]]
"""The unit of work: service, then id, to entity. A dict of dicts serves; an adapter's overlay can."""

Straight = Callable[[Any, Entities], tuple[Way, Applied | None]]
"""From request and entities to the path on which the way ended, and what the participant there made of it.

``None`` in the second place: no participant is asked there, or it was not called yet.
"""


def straight(path: Way) -> Straight:
    """Write the straight way from a path on, and remember it on the path."""
    first = path
    names: dict[str, Any] = {"SPECIAL": SPECIAL, "read_result": read_result}
    lines = ["def straight(request, entities):"]
    known: dict[str, str] = {}
    while path.ask and not takes_call(path.ask.function):
        lines += _written_step(path, path.ask, names, known)
        path = path.done or path.follow(ReportedOutcome.DONE)
    names["end"] = path
    text = "\n    ".join([*lines, "return end, None"])
    exec(compile(text, f"<straight way of {path.node.saga.name}>", "exec"), names)  # noqa: S102 - our own text
    first.straight = names["straight"]
    return cast("Straight", first.straight)


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
        f"    return path{step}, read_result(function{step}, {ask.step.event!r}, entity, after)",
        f"{owned}[{key}] = after",
    ]
