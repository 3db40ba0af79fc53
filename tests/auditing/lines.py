"""The records of a block as lists, to be changed and written again as an engine would have written them."""

from __future__ import annotations

import json
from typing import Any, Final

SEPARATORS: Final = (",", ":")


def read_lines(text: str) -> tuple[list[Any], list[list[Any]]]:
    """The first line's form, time and digests; and each record as ``[subject, number, cause, changes, place]``."""
    (form, at_ms, digests, transitions), *records = map(json.loads, text.split("\n"))
    return [form, at_ms, digests], [
        [subject, number, *transitions[at], *place] for subject, number, at, *place in records
    ]


def written_lines(first: list[Any], records: list[list[Any]]) -> str:
    """The text of a block."""
    transitions: list[list[Any]] = []
    lines = list[list[Any]]()
    for subject, number, cause, changes, *place in records:
        if [cause, changes] not in transitions:
            transitions.append([cause, changes])
        lines.append([subject, number, transitions.index([cause, changes]), *place])
    return "\n".join(json.dumps(line, separators=SEPARATORS) for line in ([*first, transitions], *lines))
