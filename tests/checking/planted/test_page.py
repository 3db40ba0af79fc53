"""docs/planted-bugs.md shows the traces and names the bugs that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.checking.drawn import same_as_drawn
from tests.checking.planted import core_bugs, participant_bugs
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "planted-bugs.md"
SHOWN = re.compile(r"^(<!-- (\S+\.txt) -->\n)(```text\n.*?\n```\n)?", re.MULTILINE | re.DOTALL)
LISTED = re.compile(r"^(<!-- (core|participants) -->\n)((?:- .*\n)*)", re.MULTILINE)


def shown(path: str) -> str:
    """Return a trace as the page shows it."""
    return f"```text\n{(ROOT / path).read_text('utf-8').rstrip()}\n```\n"


def listed(bugs: Iterable[core_bugs.Bug | participant_bugs.Bug]) -> str:
    """Return a list of bugs as the page has it."""
    return "".join(f"- {bug.name}: *{bug.rule}*\n" for bug in bugs)


def test_the_page_shows_the_traces_on_file() -> None:
    """Five of them, and every bug by name; `DRAW=1` writes them anew."""
    text = PAGE.read_text("utf-8")
    assert len(SHOWN.findall(text)) == 5
    text = SHOWN.sub(lambda found: found[1] + shown(found[2]), text)
    lists = {"core": listed(core_bugs.BUGS), "participants": listed(participant_bugs.BUGS)}
    same_as_drawn(PAGE, LISTED.sub(lambda found: found[1] + lists[found[2]], text))


def test_there_are_enough() -> None:
    """At least fifteen of each kind."""
    assert min(len(core_bugs.BUGS), len(participant_bugs.BUGS)) >= 15
