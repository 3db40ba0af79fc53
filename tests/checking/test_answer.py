"""The answer: its picture, its document, its bound; the same everywhere, and readable without colour."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from amends import Scenario
from amends.checking import CheckResult, explore
from amends.checking.differences import Difference, differences, in_words
from amends.checking.document import document_of
from amends.checking.explore import Counterexample, Exploration, ExplorationProgress, Seen
from amends.checking.layout import WorldLayout
from amends.checking.successors import Successors
from amends.checking.trace import rows_of
from amends.checking.world import Broken
from amends.lines import ASCII, UNICODE, Span, plain, width_of, wrapped
from tests.checking.drawn import same_as_drawn
from tests.checking.sales import BROKEN, MENDED, Row, give_back_half, seating
from tests.house.interpreters import interpreters
from tests.house.source import ROOT

PICTURES = Path(__file__).parent / "pictures"
SAY = """
import json, sys
from amends.checking import CheckResult, explore
from amends.checking.document import document_of
from tests.checking.sales import BROKEN, MENDED, seating, give_back_half
for scenario in (BROKEN, MENDED, seating(give_back_half, sagas=2), seating(rows=2, sagas=2)):
    answer = CheckResult("it", scenario, explore(scenario, faults=1))
    print(json.dumps(document_of(answer)))
    print(answer)
"""


def answer(scenario: Scenario, faults: int = 1, **limits: Any) -> CheckResult:
    """Return the answer about a scenario."""
    return CheckResult("it", scenario, explore(scenario, faults=faults, **limits))


DRAWN = {
    "lost-reply": (BROKEN, 1),
    "half-an-undo": (seating(give_back_half), 1),
    "two-sagas": (seating(give_back_half, sagas=2), 1),
    "holds": (MENDED, 2),
    "never-undone": (seating(), 0),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_it_is_drawn(name: str, signs: Any) -> None:
    """At 80 columns; where a change is meant, `DRAW=1 pytest` writes the pictures anew, to be looked at."""
    scenario, faults = DRAWN[name]
    drawn = plain(answer(scenario, faults).lines(signs))
    same_as_drawn(PICTURES / f"{name}-{'unicode' if signs is UNICODE else 'ascii'}.txt", f"{drawn}\n")
    assert max(map(width_of, drawn.splitlines())) <= 80
    assert signs is UNICODE or drawn.isascii()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_its_paper(width: int) -> None:
    """Nothing is cut: in a narrow terminal, what happened has lines of its own."""
    for scenario in (BROKEN, seating(give_back_half, sagas=2), MENDED):
        drawn = plain(answer(scenario).lines(UNICODE, width))
        assert max(map(width_of, drawn.splitlines())) <= width
        assert re.sub(r"\s+", "", drawn).count("CARD") == re.sub(r"\s+", "", str(answer(scenario))).count("CARD")


def test_the_timeline_tells_who_asked_whom_and_what_went_wrong() -> None:
    """Row by row, as facts."""
    shown = answer(BROKEN)
    assert shown.counterexample
    rows = rows_of(shown.found.moves.layout, shown.counterexample)
    assert [(row.move.what, row.move.cost) for row in rows] == [
        ("acts outside", 0),
        ("lost answer", 1),
        ("gives up", 0),
        ("acts outside", 0),
        ("hears", 0),
    ]
    assert [row.where for row in rows] == ["CARD", "", "", "CARD", ""]
    assert rows[0].changes[0].parts[0].part == "r1"
    assert rows[1].said == "done: r1"
    assert [row.became for row in rows if row.became] == [(("s1", "turns back"),), (("s1", "compensated"),)]


class Unlucky(NamedTuple):
    """What a history has to have."""

    faults: int
    words: str


@pytest.mark.parametrize(
    "unlucky",
    [
        Unlucky(1, "the request is lost"),
        Unlucky(1, "the answer is lost: done"),
        Unlucky(1, "(a double of it is on its way)"),
        Unlucky(1, "(crashed before it sent"),
        Unlucky(1, "the coordinator crashes and starts again while it waits"),
        Unlucky(1, "no answer in time, and the request is still on its way"),
        Unlucky(1, "the client cancels"),
        Unlucky(1, "fails before anything happened"),
        Unlucky(1, "refuses, for a reason of its own"),
        Unlucky(1, "late: ROW/A"),
        Unlucky(1, "knew the request, and answers again: done"),
        Unlucky(2, "has nothing to undo"),
        Unlucky(2, "refused: undone before it came"),
    ],
    ids=lambda unlucky: unlucky.words,
)
def test_every_kind_of_trouble_has_its_words(unlucky: Unlucky) -> None:
    """Each is found in some history of a saga that holds, drawn as a counterexample would be."""
    assert any(unlucky.words in drawn for drawn in histories(unlucky.faults))


def histories(faults: int) -> Iterator[str]:
    """Yield pictures of histories of a saga, each move of each world once."""
    moves = Successors(WorldLayout(seating()))
    todo: list[tuple[Any, tuple[Seen, ...]]] = [(moves.layout.first(faults), ())]
    met = set()
    while todo:
        world, trace = todo.pop(0)
        for move, after, _ in moves.after(world):
            longer = (*trace, Seen(move, world, after))
            shown = Counterexample(Broken("none", "none"), longer, ())
            found = Exploration(moves, faults, ExplorationProgress(1, 0, 1, 0), False, "", shown)
            yield plain(CheckResult("it", seating(), found).lines(width=200))
            if after not in met:
                met.add(after)
                todo.append((after, longer))


# --- the bound -----------------------------------------------------------------------------------------------------


def test_a_green_answer_names_its_bound_in_six_lines() -> None:
    """Explored, on purpose, models, what did not run, was not varied, is not covered; it never says "proved"."""
    green = answer(seating(rows=2, sagas=2))
    explored, on_purpose, models, did_not_run, not_varied, not_covered = green.bound()
    labels = ["explored", "on purpose", "models", "did not run", "not varied", "not covered"]
    assert [label for label, _ in green.bound()] == labels
    assert did_not_run[1] == "CARD_PAID do pay()"
    assert not_varied[1] == "hash seed and globals"
    assert "2 sagas of 2 steps, from 1 entity, at most 1 fault" in explored[1]
    assert f"{green.states:,} worlds (kept by full value)".replace(",", " ") in explored[1]
    assert on_purpose[1] == "CARD_PAID may happen more than once"
    assert models[1] == "CARD honours keys"
    assert "operators' verbs" in not_covered[1]
    assert "holds within" in str(green)
    assert "prove" not in str(green)


def test_a_cut_search_is_not_green() -> None:
    """It says by what it was cut, and that this is no answer."""
    cut = answer(MENDED, max_states=1)
    assert cut.verdict == "cut"
    assert "holds" not in str(cut)
    assert "cut by --max-states 1" in str(cut)


def test_a_scenario_that_shows_little_says_so() -> None:
    """In which nothing completes, or nothing has to be undone."""
    assert "NO SAGA EVER WAS COMPENSATED" in plain(answer(seating(), 0).lines(width=300))
    assert "NO SAGA EVER COMPLETED" in plain(answer(seating(rows=0)).lines(width=300))
    assert "NO SAGA" not in plain(answer(seating()).lines(width=300))


# --- the document ----------------------------------------------------------------------------------------------------


def test_the_document_has_the_keys_that_are_documented() -> None:
    """Each key stands in docs/checking.md, and has no time in it."""
    guide = (ROOT / "docs" / "checking.md").read_text("utf-8")
    for scenario in (BROKEN, MENDED):
        document = document_of(answer(scenario))
        keys = {*document, *document["bound"], *(document["counterexample"] or {})}
        keys |= {key for move in (document["counterexample"] or {}).get("moves", []) for key in move}
        assert {key for key in keys if not re.search(rf"[`.]{key}`", guide)} == set()
    assert "seconds" not in json.dumps(document_of(answer(MENDED)))


def test_the_document_tells_the_counterexample() -> None:
    """As the picture does."""
    shown = document_of(answer(BROKEN))
    assert (shown["verdict"], shown["scenario"]) == ("counterexample", "it")
    found = shown["counterexample"]
    assert (found["rule"], found["faults"], len(found["moves"])) == ("all or nothing is left", 1, 5)
    assert found["standing"] == [{"saga": "s1", "step": "CARD_CHARGED", "times": 1, "outside": True}]
    assert found["not_as_at_the_start"][0]["where"] == "CARD"
    assert document_of(answer(MENDED))["counterexample"] is None


def test_an_object_without_a_text_has_no_address_in_the_document() -> None:
    """Its address is another in each run; it is told by its fields."""

    class Bare:
        def __init__(self) -> None:
            self.free = 3

    bare = Scenario(MENDED.saga, {"ROW": {"B": Bare()}}, MENDED.requests, MENDED.models)
    bound = json.dumps(document_of(answer(bare, 0))["bound"])
    assert "0x" not in bound
    assert "Bare(free=3)" in bound


@pytest.fixture(scope="module")
def here() -> str:
    """Return what this Python says."""
    return ran(Path(sys.executable), "0")


@pytest.mark.parametrize("python", interpreters().values(), ids=list(interpreters()))
def test_the_same_input_gives_the_same_answer(python: Path, here: str) -> None:
    """Byte for byte, on every Python at hand and for another seed of hashes."""
    assert ran(python, "1") == here


def ran(python: Path, seed: str) -> str:
    """Return what an interpreter without any package says."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONHASHSEED": seed}
    environment["PYTHONUTF8"] = "1"
    command = [str(python), "-S", "-B", "-c", SAY]
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=True).stdout


# --- its parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (1, 1, []),
        (10, 8, [("", "10", "8")]),
        (None, "PROCESSING", [("", "nothing", "PROCESSING")]),
        ("a b ", "", [("", "'a b '", "''")]),
        (Row(3, 0), Row(1, 2), [("free", "3", "1"), ("held", "0", "2")]),
        ({"ada": {"cents": 1, "x": 0}}, {"ada": {"cents": 2, "x": 0}}, [("ada.cents", "1", "2")]),
        ({"a": 1}, {"b": 1}, [("a", "1", "nothing"), ("b", "nothing", "1")]),
        ((1, 2), (1, 3), [("", "(1, 2)", "(1, 3)")]),
        (1, "1", [("", "1", "1")]),
        (0, "x" * 99, [("", "0", "x" * 57 + "...")]),
    ],
)
def test_differences_are_told_part_by_part(before: Any, after: Any, parts: list[tuple[str, str, str]]) -> None:
    """Equal parts are left out."""
    assert list(differences(before, after)) == [Difference(*part) for part in parts]


def test_records_are_told_by_their_keys() -> None:
    """Books are records whose first field is a key."""
    line = NamedTuple("line", [("key", str), ("cents", int)])  # noqa: UP014 - a class of this name would be no record
    before, after = (line("a", 1),), (line("a", 0), line("b", 2))
    assert list(differences(before, after)) == [("a.cents", "1", "0"), ("b", "nothing", "cents 2")]
    assert in_words(line("a", 1)) == "cents 1"
    twice = (line("a", 1), line("a", 2))
    assert differences((), twice)[0].part == ""


def test_words_are_wrapped_with_their_looks() -> None:
    """A word that is wider than the paper stands alone, whole."""
    lines = [*wrapped([Span("one two", "done"), Span("x" * 20)], (Span("- "),), 2, 12)]
    assert plain(lines) == f"- one two\n  {'x' * 20}"
    assert lines[0][-1] == Span("one two", "done")
    assert width_of("予約") == 4
    assert width_of("e\u0301") == 1
