"""W8: whatever somebody does who has the database open, an older head finds it (docs/audit.md).

`AMENDS_ATTACKS=10000 pytest tests/auditing/test_attacks.py` tries more of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from amends.adapters.sqlite.reader import SqliteReader
from amends.auditing.chain import heads_of
from amends.auditing.verify import verify
from tests.auditing.attacks import ATTACKS, VERIFY_AUDIT, attacked
from tests.auditing.history import Copy, written

EACH = max(int(os.environ.get("AMENDS_ATTACKS", "340")) // len(ATTACKS), 1)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages."""
    return written(tmp_path_factory.mktemp("history"))


def places_of(path: Path, head: str) -> set[str]:
    """Return where our own verification finds something."""
    with closing(SqliteReader(path)) as store:
        return {finding.where for finding in verify(store, heads_of(head) if head else ()).findings}


def places_of_the_other(path: Path, head: str) -> set[str]:
    """Return where the verifier finds something that shares no code with ours."""
    return {str(fault).partition(": ")[0] for fault in VERIFY_AUDIT.faults_of_file(path, head)}


def test_what_nobody_attacked_is_as_it_was_written(copies: Sequence[Copy]) -> None:
    """Without a head, and with any that was kept."""
    for copy in copies:
        for head in ("", *(older.head for older in copies[: copies.index(copy) + 1])):
            assert not places_of(copy.path, head)
            assert not places_of_the_other(copy.path, head)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_found(name: str, copies: Sequence[Copy], tmp_path: Path) -> None:
    """With the head of before the attack always; without it wherever the file contradicts itself."""
    head = copies[-1].head
    for seed in range(EACH):
        path = attacked(name, copies, tmp_path, seed)
        found = places_of(path, head)
        assert found, f"{name}, seed {seed}"
        assert found == places_of_the_other(path, head), f"{name}, seed {seed}"
        without = places_of(path, "")
        assert without or not ATTACKS[name].shows, f"{name}, seed {seed}"
        assert without == places_of_the_other(path, ""), f"{name}, seed {seed}"


def test_what_is_built_anew_without_a_contradiction_needs_a_head(copies: Sequence[Copy], tmp_path: Path) -> None:
    """The limit that docs/audit.md states: nothing in the file shows it."""
    for name in ("roll back", "forget a saga"):
        assert not places_of(attacked(name, copies, tmp_path, 1), "")
