"""What another process answers: with another hash seed, and with globals as they are at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from amends import check
from amends.checking import CheckFailed
from amends.checking.api import replayed
from amends.entrypoints.cli.definitions import load_scenarios
from tests.checking.planted.participant_bugs import Buy, Shelf, give_back, shelf, ship, small, take

BY_PATH = """
from amends import Saga, Scenario, local

def take(kept, who):
    return hash(who)

def back(kept, who):
    return 0

saga = Saga("sale", str, [local("TAKEN", take, undo=back, undone="GIVEN", entity=str)])
sale = Scenario(saga, {"TAKEN": {"a": 0}}, ["a"])
"""
NAMES = ("ann", "bob", "cleo", "dan", "eve", "fay", "gus", "hal")
SEEN: list[str] = []


def order_of_a_set(kept: Shelf, buy: Buy) -> Shelf:
    """Look at the order of a set, which is another in each process: of 8 names one of 40 320."""
    return kept._replace(
        stock=kept.stock - buy.pieces, price=int("".join(str(NAMES.index(name)) for name in set(NAMES)))
    )


def by_hash(kept: Shelf, buy: Buy) -> Shelf:
    """Choose by the hash of a name."""
    return kept._replace(stock=kept.stock - buy.pieces, price=hash(buy.who) % 10**6)


def by_a_global(kept: Shelf, buy: Buy) -> Shelf:
    """Ask for less once somebody was seen, who is not known after a restart."""
    return kept._replace(stock=kept.stock - buy.pieces, price=len(SEEN))


def least_of_a_set(kept: Shelf, buy: Buy) -> Shelf:
    """Take the least, whatever the order."""
    return kept._replace(stock=kept.stock - buy.pieces, price=NAMES.index(min(set(NAMES))))


def back(kept: Shelf, buy: Buy) -> Shelf:
    """Put it back, and the price."""
    return give_back(kept, buy)._replace(price=Shelf().price)


@pytest.mark.parametrize("action", [order_of_a_set, by_hash, by_a_global])
def test_what_another_process_answers_otherwise_is_told(action: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the function, with both answers."""
    monkeypatch.setitem(globals(), "SEEN", ["somebody"])
    with pytest.raises(CheckFailed) as caught:
        check(small(shelf(action, back), ship()), faults=1)
    found = caught.value.answer.counterexample
    assert found is not None
    assert found.broken.rule == "what differs between two calls does not matter"
    assert f"SHELF_TAKEN/do ({getattr(action, '__name__', '')}) gave Shelf(" in found.broken.text
    assert "and in a new process Shelf(" in found.broken.text
    assert [seen.move.what for seen in found.trace] == ["acts"]
    again = replayed(caught.value.answer.scenario, caught.value.answer.token)
    assert again is not None
    assert again.counterexample is not None
    assert again.counterexample.broken.rule == found.broken.rule


def test_the_same_answer_is_green_and_nothing_is_not_varied() -> None:
    """A set whose order nobody sees."""
    answer = check(small(shelf(least_of_a_set, back), ship()), faults=1)
    assert dict(answer.bound())["not varied"].startswith("nothing that a decider could read")


def test_a_file_that_was_loaded_by_its_path_is_found_there_too(tmp_path: Path) -> None:
    """Under the name that it has here, which no path leads to."""
    (tmp_path / "sale.py").write_text(BY_PATH, "utf-8")
    (scenario,) = load_scenarios(f"{tmp_path / 'sale.py'}:sale").values()
    with pytest.raises(CheckFailed, match=r"and in a new\s+process"):
        check(scenario)


def test_what_cannot_be_found_there_is_listed() -> None:
    """A function inside another has no name that another process could find."""

    def inside(kept: Shelf, buy: Buy) -> Shelf:
        return least_of_a_set(kept, buy)

    answer = check(small(shelf(inside, back), ship()), faults=1)
    assert dict(answer.bound())["not varied"].startswith("hash seed and globals of SHELF_TAKEN/do (inside): inside or")


def test_no_process_is_started_for_functions_that_cannot_need_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most checks in tests: they make no set, ask for no hash and read no global that could change."""
    monkeypatch.setattr("amends.checking.another_process.subprocess.run", None)
    assert check(small(shelf(take, give_back), ship()), faults=1).verdict == "holds"
