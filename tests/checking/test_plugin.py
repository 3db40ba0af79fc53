"""The pytest plugin: the timeline in place of a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

TESTS = """
from amends import check
from tests.checking.sales import BROKEN, MENDED

def test_broken():
    check(BROKEN, name="dusk")

def test_mended():
    check(MENDED)

def test_cut():
    check(MENDED, max_states=1)

def test_of_another_kind():
    assert 1 == 2
"""


@pytest.fixture
def ran(pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what pytest says of the tests, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makepyfile(TESTS)
    said = pytester.runpytest_subprocess(*getattr(request, "param", []))
    said.assert_outcomes(passed=1, failed=3)
    return said.stdout.str()


def test_the_timeline_is_shown(ran: str) -> None:
    """And no line of the checker's own code; the summary has the rule that is broken."""
    assert "saga tickets, dusk\n\n      the saga asks        the wire  who is asked" in ran
    assert " ✘ broken: all or nothing is left" in ran
    assert "◌ cut by --max-states 1: nothing broken so far, which says nothing of the rest" in ran
    assert "api.py" not in ran
    assert "E       assert 1 == 2" in ran, "other failures are pytest's own"
    assert "::test_broken - CheckFailed: all or nothing is left: s1 compensated" in ran
    assert "::test_cut - CheckCut: cut by --max-states 1" in ran


@pytest.mark.parametrize("ran", [["--color=yes"]], indirect=True)
def test_there_is_colour_where_there_can_be(ran: str) -> None:
    """The look of each part."""
    assert "\x1b[31m\x1b[1m ✘ broken: all or nothing is left\x1b[0m" in ran


@pytest.mark.parametrize("ran", [["-n", "1"]], indirect=True)
def test_workers_show_it_too(ran: str) -> None:
    """The picture is handed on as text."""
    assert " ✘ broken: all or nothing is left" in ran


@pytest.mark.parametrize("ran", [["-p", "no:amends"]], indirect=True)
def test_it_can_be_turned_off(ran: str) -> None:
    """Then the timeline is the error's text."""
    assert "broken: all or nothing is left" in ran
    assert "api.py" in ran


def test_it_costs_nothing_until_it_is_used() -> None:
    """Loading it loads nothing of the checker, nor of the core."""
    code = "import sys, amends.pytest_plugin; print(*sorted(n for n in sys.modules if n.startswith('amends')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "amends amends.public amends.pytest_plugin\n"


def test_the_rest_does_not_need_pytest() -> None:
    """A user without it has the checker all the same."""
    code = "import sys; sys.modules['pytest'] = None; from amends import check; import amends.checking"
    subprocess.run([sys.executable, "-c", code], check=True)
