"""`amends demo`: the tour, which runs what it shows; `test_crash` has the whole of it."""

from __future__ import annotations

import inspect
import time
from typing import Any

import pytest

from amends.entrypoints.demo import bank, tickets
from amends.entrypoints.demo import tour as demo
from tests.acceptance.command import amends


@pytest.fixture
def _without_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes seconds."""
    monkeypatch.setattr(demo, "show_crash", lambda _: None)


@pytest.mark.usefixtures("_without_crash")
def test_a_terminal_gets_a_moment_between_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each part, and together only a few seconds."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setenv("FORCE_COLOR", "1")
    amends("demo")
    assert len(pauses) == len(demo.TICKETS) + len(demo.CHAPTERS) + 2
    assert sum(pauses) < 6


@pytest.mark.usefixtures("_without_crash")
def test_it_begins_with_what_the_check_finds() -> None:
    """Charged, reply lost, nothing to refund; one argument later it holds."""
    out = amends("demo").out
    order = ["check(one_sale(tickets()), faults=2)", "the answer is lost: done: r1", "42.00 taken, no ticket.",
             "check(one_sale(tickets(probe=find, settles_within_s=60)), faults=2)",
             "✔ tickets holds within this bound", "O001  SHIPPED"]  # fmt: skip
    places = [out.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.usefixtures("_without_crash")
def test_nothing_is_canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a participant that gives nothing back, or a bank that takes something else, the tour says so itself."""
    monkeypatch.setattr(demo, "_books_but_order", lambda _: object())
    assert " ✘ PAYMENT, INVENTORY and SHIPPING are NOT as before" in amends("demo").out


@pytest.mark.usefixtures("_without_crash")
def test_the_sum_is_the_banks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the books of the counterexample."""
    charge: Any = bank.Bank.charge
    monkeypatch.setattr(bank.Bank, "charge", lambda self, cents, key: charge(self, cents // 2, key))
    assert " ✘ 21.00 taken, no ticket." in amends("demo").out


@pytest.mark.usefixtures("_without_crash")
def test_the_saga_that_is_shown_is_the_one_that_runs() -> None:
    """Its source is in the output, line for line."""
    out = amends("demo").out
    shown = inspect.getsource(tickets).partition("from typing")[2].replace("  # fmt: skip", "")
    assert all(line in out for line in shown.splitlines())
