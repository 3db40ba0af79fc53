"""Promise P1 at the power cut: what was answered is there, and nothing is half there."""

from __future__ import annotations

import os
import random
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import settings
from amends.errors import StoreError, StoreUnusable
from tests.adapters.sqlite.power import Disk
from tests.adapters.sqlite.work import Work, check, keys_sorted_in_early, opened

CUTS = int(os.environ.get("AMENDS_CUTS", "300"))
"""How many cuts to draw; 5,000 and more for an hour of torture."""
CUTS_IN_A_ROW = 3  # the second one in the recovery from the first
OPERATIONS_MAX = 160  # of the disk, before a cut: opening takes about 60, a commit about 10
SEEDS = range(max(1, CUTS // CUTS_IN_A_ROW))
PAGES = [6, 30, 1_000]  # after which the log is taken in: at nearly every commit, at some, at none
PARTS = 10

__all__ = ["keys_sorted_in_early"]


def work_until_the_cut(folder: Path, disk: Disk, work: Work, answered: int, pages: int) -> int:
    """Open the store, and commit until the power is cut. Returns the number of the last commit that was answered."""
    store = None
    try:
        store = opened(folder, disk.name, pages)
        assert store.head().number in (answered, answered + 1)
        answered = store.head().number
        check(store, work)
        while True:
            store.commit(work.changes(answered + 1))
            answered += 1
    except (StoreError, StoreUnusable, apsw.IOError):
        assert not disk.has_power
        return answered
    finally:
        if store:
            store.close()


def cut_and_cut_again(folder: Path, seed: int) -> None:
    """Cut the power some times in a row, and check what is there each time, and at the end."""
    chance = random.Random(seed)
    disk, work, answered = Disk(), Work(seed), 0
    for _ in range(CUTS_IN_A_ROW):
        disk.cut_at(chance.randrange(1, OPERATIONS_MAX))
        answered = work_until_the_cut(folder, disk, work, answered, chance.choice(PAGES))
        disk = disk.after_cut(chance)
    store = opened(folder, disk.name)
    try:
        assert store.head().number in (answered, answered + 1)
        check(store, work)
        store.commit(work.changes(store.head().number + 1))
        check(store, work)
    finally:
        store.close()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.usefixtures("keys_sorted_in_early")
def test_what_was_answered_survives_a_power_cut(tmp_path: Path, part: int) -> None:
    """At any operation of the disk, whatever subset of the sectors that were not synced is left."""
    for seed in SEEDS[part::PARTS]:
        try:
            cut_and_cut_again(tmp_path, seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("weaker", [settings.WRITER, settings.BEFORE_THE_LOG], ids=["writer", "before the log"])
@pytest.mark.usefixtures("keys_sorted_in_early")
def test_the_cuts_find_a_weaker_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weaker: settings.Settings
) -> None:
    """The test's own test: where the disk is told to sync less often, some of the same cuts lose what was answered."""
    monkeypatch.setitem(weaker, "synchronous", int(weaker["synchronous"]) - 1)

    def is_lost(seed: int) -> bool:
        try:
            cut_and_cut_again(tmp_path, seed)
        except AssertionError:
            return True
        return False

    assert any(map(is_lost, range(200)))
