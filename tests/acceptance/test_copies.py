"""`amends backup` and `amends archive`: a store's copy, and what leaves it for another file."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from amends.storage.rows import COMPLETED, FORWARD, NEEDS_OPERATOR
from tests.acceptance.command import ROOT, Ran, amends, environment
from tests.auditing.attacks import VERIFY_AUDIT
from tests.auditing.history import Copy, opened, waiting, written

AS_IT_WAS = " ✔ all is as it was written"


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages."""
    return written(tmp_path_factory.mktemp("history"))


@pytest.fixture
def path(copies: Sequence[Copy], tmp_path: Path) -> Path:
    """Return a store of its own."""
    return Path(shutil.copy(copies[-1].path, tmp_path / "shop.db"))


def verified(path: Path, *archives: Path) -> str:
    """What a verification says first."""
    words = [word for archive in archives for word in ("--archive", archive)]
    return amends("audit", "verify", "--db", path, *words).out.splitlines()[0]


def sagas_of(path: Path) -> list[dict[str, Any]]:
    """What is told of its sagas, but for the sentence that says for how long they have waited."""
    listed = json.loads(amends("sagas", "--db", path, "--json").out)["sagas"]
    return [{name: value for name, value in saga.items() if name != "waits_for"} for saga in listed]


# amends backup -----------------------------------------------------------------------------------------------


def test_a_copy_is_a_whole_store(copies: Sequence[Copy], path: Path, tmp_path: Path) -> None:
    """It prints the head of the copy, which is what it is verified with."""
    copy = tmp_path / "copy.db"
    assert amends("backup", copy, "--db", path) == Ran(0, f"{copies[-1].head}\n", "")
    assert verified(copy) == AS_IT_WAS
    assert sagas_of(copy) == sagas_of(path)


def test_what_is_there_already_is_left_alone(path: Path, tmp_path: Path) -> None:
    """2, and one line; so is what is no place, or no store."""
    (tmp_path / "there.db").write_text("mine")
    calls: list[list[str | Path]] = [
        ["backup", tmp_path / "there.db", "--db", path],
        ["backup", path, "--db", path],
        ["backup", tmp_path / "none" / "copy.db", "--db", path],
        ["backup", tmp_path / "copy.db", "--db", tmp_path / "none.db"],
    ]
    for words in calls:
        ran = amends(*words)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert (tmp_path / "there.db").read_text() == "mine"
    assert not (tmp_path / "none.db").exists()


def test_a_copy_is_made_while_an_engine_writes(tmp_path: Path) -> None:
    """As the store stood at one moment."""
    path, copy = tmp_path / "shop.db", tmp_path / "copy.db"
    program = "import asyncio, sys; from tests.auditing.busy import main; asyncio.run(main(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=pipe, stdout=pipe, text=True) as engine:
        assert engine.stdin
        assert engine.stdout
        assert engine.stdout.readline() == "running\n"
        head = amends("backup", copy, "--db", path).out.strip()
        engine.stdin.close()
        assert int(engine.stdout.readline())
    assert verified(copy) == AS_IT_WAS
    assert amends("audit", "head", "--db", copy).out.strip() == head
    assert amends("audit", "verify", "--db", path, "--head", head).code == 0


# amends archive ----------------------------------------------------------------------------------------------


def test_sagas_that_ended_are_moved(path: Path, tmp_path: Path) -> None:
    """The others stay; the audit keeps all records, and verifies both files."""
    into, name = tmp_path / "old.db", waiting(path, COMPLETED)[0]
    stay = sorted(waiting(path, NEEDS_OPERATOR) + waiting(path, FORWARD))
    assert amends("archive", "--before", "0s", "--to", into, "--db", path) == Ran(0, f"18 sagas moved to {into}\n", "")
    listed = json.loads(amends("sagas", "--db", path, "--json").out)["sagas"]
    assert sorted(saga["saga_id"] for saga in listed) == stay
    assert len(json.loads(amends("sagas", "--db", into, "--json").out)["sagas"]) == 18
    assert verified(path) == verified(path, into) == AS_IT_WAS
    assert not list(VERIFY_AUDIT.faults_of_file(path, ""))
    assert amends("archive", "--before", "0s", "--to", into, "--db", path).out == f"0 sagas moved to {into}\n"
    ran = amends("show", name, "--db", path)
    assert ran == Ran(2, "", f"amends: {path}: there is no saga '{name}'; it was archived in old.db\n")
    ran = amends("show", name, "--db", into)
    assert (ran.code, ran.err) == (0, "")
    first, *abreast, last = next(line for line in ran.out.splitlines() if " outcomes " in line).split(", ")[:4]
    assert (first, last) == (" outcomes     SEAT_HELD done", "TICKET_ISSUED done")
    assert sorted(abreast) == ["CARD_CHARGED done", "TAX_PAID done"]  # asked at once, they answer in any order
    assert ran.out.endswith(" its records are in the audit of the store that it left\n")


def test_only_what_is_old_is_moved(path: Path, tmp_path: Path) -> None:
    """By age, by day, by moment."""
    for before in ("1h", "2026-01-31", "2026-01-31T12:00Z", "2026-01-31 12:00+02:00"):
        ran = amends("archive", "--before", before, "--to", tmp_path / "old.db", "--db", path)
        assert ran == Ran(0, f"0 sagas moved to {tmp_path / 'old.db'}\n", "")
    assert amends("archive", "--before", "3000-01-01", "--to", tmp_path / "old.db", "--db", path).out.startswith("18 ")


def test_an_archive_is_verified_with_its_store(path: Path, tmp_path: Path) -> None:
    """A row that was changed there, one that is nowhere, an archive alone."""
    into = tmp_path / "old.db"
    amends("archive", "--before", "0s", "--to", into, "--db", path)
    assert verified(into) == " ✘ file: it has sagas, and no audit: an archive is verified together with its store"
    one, other = waiting(into, COMPLETED)[:2]
    with sqlite3.connect(into) as database:
        database.execute("UPDATE sagas SET request = 'other' WHERE id = ?", (one,))
        database.execute("DELETE FROM sagas WHERE id = ?", (other,))
    ran = amends("audit", "verify", "--db", path, "--archive", into, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["findings"] == [
        {"where": f"archived saga {one}", "what": "its row cannot be read: its checksum does not match its values"},
        {"where": f"archived saga {other}", "what": "it is in no archive"},
    ]


def test_a_row_that_comes_back_is_found(path: Path, tmp_path: Path) -> None:
    """What left for an archive is not in the store."""
    before, name = Path(shutil.copy(path, tmp_path / "before.db")), waiting(path, COMPLETED)[0]
    amends("archive", "--before", "0s", "--to", tmp_path / "old.db", "--db", path)
    with sqlite3.connect(path) as database:
        database.execute("ATTACH ? AS before", (str(before),))
        database.execute("INSERT INTO sagas SELECT * FROM before.sagas WHERE id = ?", (name,))
    assert verified(path) == f" ✘ saga {name}: it has a row, and no records"


def test_no_archive_is_made_beside_an_engine(path: Path, tmp_path: Path) -> None:
    """2, and one line; a store that is not there is not made for it, and a file is no archive of itself."""
    into = tmp_path / "old.db"

    async def while_it_runs() -> Ran:
        async with opened(path):
            return await asyncio.to_thread(amends, "archive", "--before", "1d", "--to", into, "--db", path)

    ran = asyncio.run(while_it_runs())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "in use by the engine of process" in ran.err
    for words, said in {
        ("--before", "1d", "--to", str(into), "--db", str(tmp_path / "none.db")): "there is no such file",
        ("--before", "1d", "--to", str(path), "--db", str(path)): "",
        ("--before", "soon", "--to", str(into), "--db", str(path)): "'soon' is no moment: give 2026-01-31",
        ("--to", str(into), "--db", str(path)): "Missing option '--before'",
    }.items():
        ran = amends("archive", *words)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert said in ran.err
    assert not (tmp_path / "none.db").exists()
