"""`amends check`: its exit codes, what it prints, what it writes, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amends.checking import CheckResult, ExplorationProgress, explore
from amends.entrypoints.cli.check.reproducers import write_reproducer
from amends.entrypoints.drawing import progress
from tests.acceptance.command import ROOT, Ran, amends, environment, process
from tests.checking.sales import BROKEN
from tests.house.interpreters import interpreters

TRIP = f"{ROOT / 'examples' / 'trip.py'}:trip"
SALE = """
from amends import Scenario
from amends.entrypoints.demo.tickets import find, one_sale, tickets

broken = tickets()
night = one_sale(broken)
mended = tickets(probe=find, settles_within_s=60)
day = one_sale(mended)
evening = one_sale(mended)
alone = tickets(probe=find, settles_within_s=90)

def boom(given):
    return given["NOWHERE"]

bad = Scenario(mended, day.given, day.requests, day.models, never=[boom])
empty = Scenario(mended, day.given, [])
sparse = tickets(probe=find, settles_within_s=70)
nothing_left = {"SEATS": {"Hamlet": 0}}
sold_out = Scenario(sparse, nothing_left, day.requests, day.models)
UNASKED = ["completed", "SEATS_HELD/undo", "TICKET_ISSUED/do"]
sold_out_on_purpose = Scenario(sparse, nothing_left, day.requests, day.models, not_shown=UNASKED)
"""


@pytest.fixture
def sale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a module with sagas that hold, one that does not, and scenarios that are wrong; its folder is the present.

    A check of it in this process leaves nothing behind.
    """
    path = tmp_path / "sale.py"
    path.write_text(SALE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "definition_sale", raising=False)
    return path


def check(path: Path, name: str, *options: str) -> Ran:
    """Check a name of a module."""
    return amends("check", f"{path.name}:{name}", *options)


def test_the_order_saga_holds() -> None:
    """Alone, and two orders of one customer and one product."""
    ran = amends("check", "shop", "--faults", "1")
    assert (ran.code, ran.err) == (0, "")
    names = ("ONE_ORDER", "TWO_ORDERS_ONE_STOCK", "TWO_ORDERS_ONE_CREDIT")
    assert [line.split()[2] for line in ran.out.splitlines() if line.startswith("──")] == [*names]
    assert ran.out.count("✔ checkout holds within this bound") == 3
    assert ran.out.count("at most 1 fault:") == 3
    assert "NO SAGA" not in ran.out


def test_the_trip_holds() -> None:
    """With what it names as done more than once."""
    ran = amends("check", TRIP, "--faults", "1")
    assert (ran.code, ran.err) == (0, "")
    assert "✔ trip holds within this bound" in ran.out
    assert "MAIL_SENT may happen more than once" in ran.out


def test_a_counterexample_is_1(sale: Path) -> None:
    """Drawn, with how to see it again."""
    ran = check(sale, "broken")
    assert (ran.code, ran.err) == (1, "")
    assert "── sale.py:broken: night ─" in ran.out
    assert "✘ broken: all or nothing is left" in ran.out
    assert "   amends check sale.py:broken --replay amends1-" in ran.out


def test_a_cut_is_3_and_never_green(sale: Path) -> None:
    """By either limit; a counterexample weighs more."""
    for limit in (("--max-states", "1"), ("--timeout", "0")):
        ran = check(sale, "day", *limit)
        assert (ran.code, ran.err) == (3, "")
        assert "holds" not in ran.out
        assert f"cut by {limit[0]} {limit[1]}" in ran.out


def test_a_saga_is_checked_in_every_scenario_beside_it(sale: Path) -> None:
    """In the order of the module; a scenario is checked alone."""
    ran = check(sale, "day")
    assert (ran.code, ran.out.count("holds within")) == (0, 1)
    assert "── sale.py:day ─" in ran.out
    sale.write_text(SALE.partition("def boom")[0])
    ran = check(sale, "mended")
    assert [line.split()[2] for line in ran.out.splitlines() if line.startswith("──")] == ["day", "evening"]


def test_without_colour_it_is_the_same_text(sale: Path) -> None:
    """And with ASCII alone it has other signs."""
    plain, colour = (
        check(sale, "night"),
        process("check", "sale.py:night", folder=sale.parent, FORCE_COLOR="1", NO_COLOR="", TERM="xterm-256color"),
    )
    assert "\x1b[" in colour.out
    assert "\x1b[" not in plain.out
    ran = process("check", "sale.py:night", folder=sale.parent, PYTHONIOENCODING="ascii")
    assert ran.out.isascii()
    assert "x----" in ran.out


# --- for programs ----------------------------------------------------------------------------------------------------


def test_json_is_one_document_for_all_scenarios(sale: Path) -> None:
    """With the time in a key of its own."""
    ran = check(sale, "mended", "--json", "--faults", "0")
    assert ran.code == 2, "one of its scenarios is wrong"
    ran = check(sale, "broken", "--json")
    document = json.loads(ran.out)
    assert (ran.code, ran.err) == (1, "")
    assert [*document] == ["form", "definition", "checks", "seconds"]
    assert [(one["scenario"], one["verdict"]) for one in document["checks"]] == [("night", "counterexample")]


def test_the_same_input_gives_the_same_bytes() -> None:
    """Whatever the seed of hashes."""
    said = {without_time(process("check", TRIP, "--json", "--faults", "1", PYTHONHASHSEED=seed)) for seed in "01"}
    assert len(said) == 1


def without_time(ran: Ran) -> str:
    """Return what was printed, but for how long it took."""
    assert (ran.code, ran.err) == (0, "")
    return ran.out.rpartition('"seconds"')[0]


# --- again -----------------------------------------------------------------------------------------------------------


def token_of(path: Path, name: str) -> str:
    """Return the token that a check gives."""
    return str(json.loads(check(path, name, "--json").out)["checks"][0]["counterexample"]["token"])


def test_a_token_shows_its_counterexample_again(sale: Path) -> None:
    """The same moves, without a search."""
    ran = check(sale, "broken", "--replay", token_of(sale, "broken"))
    assert (ran.code, ran.err) == (1, "")
    first = check(sale, "broken").out.partition("shortest:")[0]
    assert ran.out.partition("5 moves")[0] == first
    assert "5 moves, 1 fault; shown again, without a search" in ran.out


def test_a_token_that_fits_no_more_is_one_line(sale: Path) -> None:
    """Of another scenario, of a definition that changed, of functions that changed; and no token at all."""
    token = token_of(sale, "broken")
    ran = check(sale, "broken", "--replay", "nonsense")
    assert (ran.code, ran.out, ran.err) == (2, "", "amends: 'nonsense' is no token; one begins with amends1-\n")
    ran = check(sale, "day", "--replay", token)
    assert (ran.code, ran.err) == (2, "amends: the token is about none of these scenarios: day\n")
    sale.write_text(SALE.replace("broken = tickets()", "broken = tickets(probe=find, settles_within_s=90)"))
    ran = check(sale, "broken", "--replay", token)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "its definition changed since" in ran.err


def test_a_counterexample_that_is_mended_is_said_to_be(sale: Path) -> None:
    """The way is still there, and ends well."""
    token = token_of(sale, "broken")
    generous = "night = replace(one_sale(broken), models={'CARD': adapter(Bank, standing=lambda books: ())})"
    modules = {"dataclasses": "replace", "amends.checking": "adapter", "amends.entrypoints.demo.bank": "Bank"}
    head = "\n".join(f"from {module} import {name}" for module, name in modules.items())
    sale.write_text(head + SALE.replace("night = one_sale(broken)", generous))
    ran = check(sale, "broken", "--replay", token)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "amends: night: followed to its end, nothing is broken there any more\n"


def test_a_test_that_reproduces_it_is_red_until_the_saga_is_mended(sale: Path) -> None:
    """It stands where it is wanted, and passes ruff; it finds its saga in a file as in a module."""
    (sale.parent / "tests").mkdir()
    for definition, name in (("sale.py:broken", "tests/test_of_file.py"), ("sale:broken", "tests/test_of_module.py")):
        ran = process("check", definition, "--pytest", name, folder=sale.parent)
        assert ran.code == 1
        assert ran.err == f"amends: wrote {name}; it is red until the saga is mended: pytest {name}\n"
        text = (sale.parent / name).read_text("utf-8")
        assert text.isascii()
        assert "x broken: all or nothing is left" in text
    red = run_pytest(sale.parent)
    assert red.returncode == 1, red.stdout + red.stderr
    assert red.stdout.count("shown again, without a search") >= 2
    assert "2 failed" in red.stdout
    sale.write_text(SALE.replace("broken = tickets()", "broken = tickets(probe=find, settles_within_s=90)"))
    green = run_pytest(sale.parent)
    assert (green.returncode, "2 passed" in green.stdout) == (0, True), green.stdout


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    surroundings = environment(PYTHONPATH=os.pathsep.join([str(folder), str(ROOT / "src")]))
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


def test_a_test_of_the_shop_imports_it(tmp_path: Path) -> None:
    """Whose scenarios are in the package."""
    path = tmp_path / "test_found.py"
    write_reproducer(str(path), "shop", CheckResult("night", BROKEN, explore(BROKEN, faults=1)))
    assert "from amends.shop.scenarios import night\n" in path.read_text("utf-8")


def test_somebody_elses_file_is_left_alone(sale: Path) -> None:
    """The test is written over one of its own kind alone."""
    path = sale.parent / "test_mine.py"
    path.write_text("mine")
    ran = check(sale, "broken", "--pytest", "test_mine.py")
    assert (ran.code, path.read_text()) == (2, "mine")
    assert "is there already" in ran.err
    ran = check(sale, "broken", "--pytest", "no/such/test.py")
    assert (ran.code, ran.err) == (2, "amends: no/such/test.py: cannot be written: No such file or directory\n")
    for _ in range(2):
        assert check(sale, "broken", "--pytest", "test_new.py").code == 1


# --- what cannot be checked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alone", "sale.py: no Scenario of 'alone' stands beside it; write one: from amends import Scenario; name = "),
        ("nobody", "sale.py: 'nobody' does not exist; it has: alone, broken, mended, sparse"),
        ("empty", "empty: it has no requests, so nothing would run; give one for each saga"),
    ],
)
def test_what_cannot_be_checked_is_one_line(sale: Path, name: str, words: str) -> None:
    """And 2, with the reason."""
    ran = check(sale, name)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"amends: {words}")
    assert ran.err.count("\n") == 1


def test_what_a_rule_raises_is_drawn(sale: Path) -> None:
    """It is a counterexample, with who raised what and where."""
    ran = check(sale, "bad")
    assert ran.code == 1
    assert "broken: never: boom" in ran.out
    assert "boom raised KeyError: 'NOWHERE' (sale.py:13, in boom)" in ran.out


def test_a_scenario_that_shows_too_little_is_no_answer(sale: Path) -> None:
    """Everything holds, and no saga completes: 3, with what happened instead."""
    ran = check(sale, "sold_out")
    assert ran.code == 3
    assert "tickets holds, but this scenario shows too little" in ran.out
    assert "no saga ever completes; instead, SEATS_HELD/do was refused: sold out" in " ".join(ran.out.split())
    assert json.loads(check(sale, "sold_out", "--json").out)["checks"][0]["verdict"] == "shows too little"
    assert check(sale, "sold_out_on_purpose").code == 0


# --- while it runs ---------------------------------------------------------------------------------------------------


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On one line of standard error, which is gone in the end."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress_line("ONE_ORDER") as report:
        assert report
        report(ExplorationProgress(10, 5, 20, 0.1))
        report(ExplorationProgress(30_000, 5_000, 100_000, 2.0))
    said = capsys.readouterr().err
    assert said == f"{progress.CLEAR}ONE_ORDER: 30 000 worlds, 15 000/s, 5 000 ahead, 2 s{progress.CLEAR}"
    assert progress.line_of("x", ExplorationProgress(1, 1, 0, 0.0)) == "x: 1 worlds, 0/s, 1 ahead, 0 s"


def test_nobody_else_sees_it() -> None:
    """In a pipe, standard error stays empty."""
    with progress.progress_line("ONE_ORDER") as report:
        assert report is None


def test_the_checker_runs_on_every_python_at_hand() -> None:
    """Without any package: what would be read back from a store is all that a check needs one for."""
    code = (
        "from amends.checking import explore; from amends.shop.scenarios import ONE_ORDER; "
        "print(explore(ONE_ORDER).progress[:3])"
    )
    said = set()
    for python in interpreters().values():
        surroundings = environment(PYTHONPATH=str(ROOT / "src"), PYTHONUTF8="1")
        command = [str(python), "-S", "-B", "-c", code]
        said.add(subprocess.run(command, env=surroundings, capture_output=True, check=True).stdout)
    assert len(said) == 1
