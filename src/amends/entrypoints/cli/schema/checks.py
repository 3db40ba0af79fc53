"""``amends db check``: what a store stands on, each with what is wrong about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import STYLES, Paper, paper
from amends.entrypoints.drawing.words import one_line
from amends.storage.location import DatabaseRoles, SchemaPlace, StoreFact

SOUND: Final = 0
WRONG: Final = 1
LABEL: Final = 20  # columns of the longest one, "synchronous_commit", and two
TEXT_MAX: Final = 500  # characters of what is wrong; --json has all of it


def check_place(db: SchemaPlace, engine_role: str, client_role: str, *, as_json: bool) -> int:
    """Look at what a store stands on, and say what is wrong about it.

    Returns:
        The exit code: 1 when anything is.

    Raises:
        UnusableInput: it cannot be looked at.
    """
    facts = [*db.check(DatabaseRoles(engine_role, client_role))]
    is_sound = not any(fact.fault for fact in facts)
    if as_json:
        write_document({"verdict": "sound" if is_sound else "wrong", "facts": [fact._asdict() for fact in facts]})
    else:
        out = paper()
        out.write(*_lines(out, facts))
    return SOUND if is_sound else WRONG


def _lines(out: Paper, facts: Sequence[StoreFact]) -> Iterator[Text]:
    for name, value, fault in facts:
        mark = "refused" if fault else "done"
        yield Text.assemble(
            (f" {getattr(out.signs, mark)} ", STYLES[mark]), f"{name:{LABEL}}{one_line(value, TEXT_MAX)}"
        )
        if fault:
            yield Text(f"   {one_line(fault, TEXT_MAX)}", STYLES["refused"])
