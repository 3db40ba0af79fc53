"""``amends check-deploy``: what would become of all that waits, were the store opened with other code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

from rich.text import Text

from amends.engine.definitions import Definitions
from amends.engine.deploys import LOST, Deploy, Foreseen, is_safe
from amends.entrypoints.cli.definitions import load_deploy
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import STYLES, paper
from amends.entrypoints.drawing.tables import Rows, table
from amends.entrypoints.drawing.words import one_line
from amends.errors import DefinitionError, UnusableInput
from amends.lines import grouped
from amends.storage.location import LastingLocation

NOT_SAFE: Final = 1
WIDTH_MAX: Final = 200  # characters of a reason; --json has all of it


def check(code: str, at: LastingLocation, *, as_json: bool) -> int:
    """Say what would become of all that waits in a store; gives 1 where something of it would be lost, else 0.

    Raises:
        UnusableInput: the code or the store cannot be used.
    """
    given = load_deploy(code)
    try:
        definitions = Definitions(given.sagas, given.commands)
        definitions.expect_children()
    except DefinitionError as error:
        raise UnusableInput(f"{code}: {error}") from error
    with closing(at.records()) as store:
        foreseen = [*Deploy(store, definitions, given.upcasts).foreseen(store.letters_to_act_on())]
    if as_json:
        write_document({"foreseen": [_document(each) for each in foreseen], "is_safe": is_safe(foreseen)})
    else:
        paper().write(*_lines(foreseen))
    return 0 if is_safe(foreseen) else NOT_SAFE


def _document(each: Foreseen) -> dict[str, object]:
    return {**each._asdict(), "verdict": each.verdict.value}


def _lines(foreseen: Sequence[Foreseen]) -> Iterator[Text]:
    rows: Rows = [
        (
            Text(each.kind), Text(one_line(each.name, WIDTH_MAX)), Text(grouped(each.number)),
            Text(each.verdict, STYLES["refused"] if each.verdict in LOST else ""), Text(_about(each)),
        )
        for each in foreseen
    ]  # fmt: skip
    yield from table(("what", "definition, service", ">number", "verdict", "which"), rows)
    if not rows:
        yield Text("nothing waits, and there are no entities")


def _about(each: Foreseen) -> str:
    named = one_line(", ".join(each.examples), WIDTH_MAX)
    more = ", ..." if each.number > len(each.examples) else ""
    return f"{named}{more}" + (f": {one_line(each.why, WIDTH_MAX)}" if each.why else "")
