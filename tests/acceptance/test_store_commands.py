"""`amends sagas`, `amends show`, `amends status`: what they tell of a store that a real engine wrote."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from amends import Saga, external
from amends import open as open_store
from amends.adapters.clock import DAY_MS, SystemClock
from amends.adapters.sqlite.mounts import durability_of, kind_of
from amends.adapters.sqlite.store import SqliteStore
from amends.storage.rows import ABANDONED, COMPENSATED, COMPLETED, FORWARD, NEEDS_OPERATOR
from tests.acceptance.command import ROOT, Ran, amends, environment, process
from tests.auditing.history import Copy, waiting, written

COMMANDS: Sequence[Sequence[str]] = (
    ["sagas"],
    ["show", "some-1"],
    ["status"],
    ["audit", "verify"],
    ["audit", "head"],
    ["audit", "export"],
)
LOOKS_MAX = 100  # at an engine that writes all the time, until it was seen at three moments


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages."""
    return written(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def path(copies: Sequence[Copy]) -> Path:
    """Return the store."""
    return copies[-1].path


@pytest.fixture
def damaged(path: Path, tmp_path: Path) -> tuple[Path, str]:
    """Return a store with a damaged row, and whose row that is."""
    copy = Path(shutil.copy(path, tmp_path / "damaged.db"))
    name = waiting(copy, COMPLETED)[0]
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE sagas SET body = '{' WHERE id = ?", (name,))
    database.close()
    return copy, name


def seen(*words: str | Path) -> Any:
    """The document that a command prints."""
    ran = amends(*words, "--json")
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


def ids(*words: str | Path) -> list[str]:
    """The ids of the sagas that are listed."""
    return [saga["saga_id"] for saga in seen("sagas", *words)["sagas"]]


# Which store -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_store_it_is_one_line_and_2(command: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither option nor variable."""
    monkeypatch.delenv("AMENDS_DB", raising=False)
    ran = amends(*command)
    assert ran == Ran(2, "", "amends: no store is named: give --db STORE, or set AMENDS_DB\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_store_is_one_line_and_2(command: Sequence[str], tmp_path: Path, path: Path) -> None:
    """A missing file, a directory, a text, another program's database, a store of a later version."""
    text, foreign, later = tmp_path / "text", tmp_path / "foreign.db", tmp_path / "later.db"
    text.write_text("no database at all, but long enough to be read as one\n" * 100)
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE theirs (value)")
    shutil.copy(path, later)
    with sqlite3.connect(later) as database:
        database.execute("PRAGMA user_version = 999")
    for place, words in {
        tmp_path / "none.db": "there is no such file",
        tmp_path: "a directory",
        text: "not an SQLite database",
        foreign: "of another program",
        later: "later",
    }.items():
        ran = amends(*command, "--db", place)
        assert (ran.code, ran.out) == (2, ""), place
        assert words in ran.err
        assert ran.err.count("\n") == 1


def test_the_variable_names_the_store(path: Path, copies: Sequence[Copy], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no option; the option is stronger."""
    monkeypatch.setenv("AMENDS_DB", str(path))
    assert amends("audit", "head").out == f"{copies[-1].head}\n"
    assert amends("audit", "head", "--db", copies[0].path).out == f"{copies[0].head}\n"


# amends sagas ------------------------------------------------------------------------------------------------


def test_sagas_are_listed_newest_first(path: Path) -> None:
    """With what they wait for, why they turned back, and when they started."""
    ran = amends("sagas", "--db", path, columns=200)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["saga", "definition", "status", "started", "now"]
    assert [line.split()[0] for line in lines[1:]] == ids("--db", path)
    for words in (
        "needs operator",
        "! CARD_CHARGED/undo: CARD was asked to undo it; the account is closed",
        "▸ CARD_CHARGED/do: waits for an answer from CARD, since ",
        "; ▸ TAX_PAID/do: waits for an answer from TAX, since ",
        "compensated",
        "no money",
    ):
        assert words in ran.out


def test_sagas_are_chosen(path: Path) -> None:
    """By status, several of them, definition, service, age; at most so many."""
    everything = ids("--db", path)
    assert len(everything) == 24
    stuck, asking = (waiting(path, status) for status in (NEEDS_OPERATOR, FORWARD))
    assert ids("--db", path, "--status", "needs-operator") == stuck
    both = ids("--db", path, "--status", "needs-operator", "--status", "abandoned")
    assert sorted(both) == sorted(stuck + waiting(path, ABANDONED))
    assert sorted(ids("--db", path, "--status", "waiting")) == sorted(stuck + asking)
    assert sorted(ids("--db", path, "--service", "CARD")) == sorted(stuck + asking)
    assert ids("--db", path, "--service", "TAX") == asking
    assert ids("--db", path, "--service", "NOBODY") == []
    assert ids("--db", path, "--saga", "tickets for all") == everything
    assert ids("--db", path, "--saga", "tickets") == []
    assert ids("--db", path, "--older", "1h") == []
    assert ids("--db", path, "--older", "0s") == everything
    assert ids("--db", path, "--newer", "1h") == everything
    assert ids("--db", path, "--newer", "0s") == []
    assert ids("--db", path, "--limit", "2") == everything[:2]


def test_a_cut_list_says_so(path: Path) -> None:
    """On standard error; an empty one says that, too."""
    assert (
        amends("sagas", "--db", path, "--limit", "2").err
        == "amends: only the newest 2 sagas; --limit N shows N of them\n"
    )
    assert amends("sagas", "--db", path, "--saga", "none").out == "no saga is like that\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--older", "yesterday"], "'yesterday' is no length of time"),
        (["--status", "lost"], "Invalid value for '--status'"),
    ],
)
def test_what_is_no_choice_is_2(words: list[str], said: str, path: Path) -> None:
    """One line says what is."""
    ran = amends("sagas", "--db", path, *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_a_damaged_row_is_listed_as_unreadable(damaged: tuple[Path, str]) -> None:
    """The others are there as ever."""
    file, name = damaged
    assert re.search(
        rf"{name} .*unreadable .*its checksum does not match", amends("sagas", "--db", file, columns=200).out
    )
    document = seen("sagas", "--db", file)["sagas"]
    assert len(document) == 24
    assert [saga for saga in document if "unreadable" in saga] == [
        {"saga_id": name, "unreadable": "its checksum does not match its values"}
    ]


FAILING = "failing at SERVICE: INJECT_FAILURE asked for a failure there"


@pytest.mark.parametrize("participants", ["local", "simulated"])
def test_orders_that_were_to_fail_are_explained(participants: str, tmp_path: Path) -> None:
    """Where their definition is seen: in the list, in the status, and of the one that is shown."""
    store, words = tmp_path / "shop.db", ["--participants", participants]
    amends("run", *words, "--db", store, ROOT / "examples" / "example-1.json")
    assert not any(FAILING in amends(command, "--db", store).out for command in ("sagas", "status"))
    amends("run", *words, "--db", store, ROOT / "examples" / "example-2.json")
    listed = amends("sagas", "--db", store, columns=120).out
    assert re.search(r"^O002 +checkout(-outside)? failing at INVENTORY 1 ", listed, re.MULTILINE)
    assert listed.endswith(f"\n\n{FAILING}\n")
    assert f"\n{FAILING}\n\n" in amends("status", "--db", store).out
    assert f"\n definition   {FAILING}\n" in amends("show", "O002", "--db", store).out
    assert FAILING not in amends("show", "O001", "--db", store).out
    assert FAILING not in amends("sagas", "--db", store, "--status", "completed").out


# amends show -------------------------------------------------------------------------------------------------


def shown(path: Path, name: str, columns: int = 100) -> str:
    """What is shown of a saga, without what is another each time."""
    ran = amends("show", name, "--db", path, columns=columns)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_a_saga_that_waits_for_an_operator_is_drawn(path: Path) -> None:
    """The way on, the way back, where it is stuck, what is owed, every record."""
    name = waiting(path, NEEDS_OPERATOR)[0]
    out = shown(path, name)
    assert out.startswith(
        f"{name}  needs operator  tickets for all version 1\n"
        " ✔ SEAT_HELD ─── ✔ CARD_CHARGED ──────── ✔ TAX_PAID ─── ✘ TICKET_ISSUED\n"
        "                 ! CARD_CHARGED/undo ←── ↩ TAX_BACK ←───╯ the printer is on fire\n"
        "                 ╰ the account is closed\n"
    )
    assert re.search(r'\n request +\["Hamlet 2","stuck"\]\n', out)
    assert re.search(r"\n outstanding +SEAT_HELD/undo, CARD_CHARGED/undo\n", out)
    assert "TICKET_ISSUED/do refused: the printer is on fire  block " in out
    assert "CARD_CHARGED/undo refused: the account is closed  block " in out
    assert " CARD_CHARGED stuck\n" in out


def test_a_saga_that_asks_shows_its_attempts_and_times(path: Path) -> None:
    """Who is asked, until when."""
    out = shown(path, waiting(path, FORWARD)[0])
    assert " ✔ SEAT_HELD ─── ▸ CARD_CHARGED ─── ▸ TAX_PAID\n\n" in out
    assert re.search(r"\n asked +▸ CARD_CHARGED/do: waits for an answer from CARD, since \d+ m?s, until 2", out)
    assert re.search(r"\n next due +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z, in 59 min\n", out)


def test_a_retry_is_told_without_what_a_terminal_obeys(path: Path) -> None:
    """An error from outside is text, whatever is in it."""
    out = next(out for name in waiting(path, COMPLETED) if "resent" in (out := shown(path, name)))
    assert "CARD_CHARGED/do unknown: OSError: no route to host \\x1b[31m<b>" in out
    assert "\x1b" not in out


def test_a_compensated_saga_is_drawn_as_orders_are(path: Path) -> None:
    """In a row where there is room, else in a column; in ASCII where there is nothing else."""
    name = next(name for name in waiting(path, COMPENSATED) if "no money" in shown(path, name))
    assert " ↩ SEAT_FREED ←──────────────────────╯ no money\n" in shown(path, name)
    in_a_column = [" ✔ SEAT_HELD", " ✘ CARD_CHARGED", " ✘ TAX_PAID", "   no money", " ↩ SEAT_FREED", ""]
    assert shown(path, name, 30).splitlines()[1:7] == in_a_column
    ran = process("show", name, "--db", path, LANG="C", PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert ran.out.isascii()


def test_an_abandoned_saga_says_what_is_owed(path: Path) -> None:
    """And who gave it up."""
    out = shown(path, waiting(path, ABANDONED)[0])
    assert re.search(r"\n outstanding +SEAT_HELD/undo, CARD_CHARGED/undo\n", out)
    assert "abandon: the bank is gone  block " in out


def test_the_document_has_all_of_it(path: Path) -> None:
    """The row, the steps, the records with their blocks."""
    name = waiting(path, NEEDS_OPERATOR)[0]
    document = seen("show", name, "--db", path)
    assert document["form"] == 1
    assert document["saga"]["questions"][0] | {"sent_ms": 0, "due_ms": 0, "since_ms": 0} == {
        "step": "CARD_CHARGED", "kind": "undo", "service": "CARD", "attempt": 1, "sent_ms": 0, "due_ms": 0,
        "error": "", "is_taken": False, "is_unsent": False, "is_stuck": True, "since_ms": 0,
        "is_failing": False, "assignee": "", "ends_ms": None,
    }  # fmt: skip
    assert document["steps"][1] == {
        "event": "CARD_CHARGED", "outcome": "done", "undone": "CARD_CHARGED/undo", "back": "stuck",
        "service": "CARD", "attempts": 1, "error": "", "undo_error": "the account is closed",
    }  # fmt: skip
    numbers = [record["number"] for record in document["records"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert document["missing_records"] == []


def test_a_saga_that_is_not_there_is_2(path: Path) -> None:
    """Whatever it is called."""
    for name in ("none", "\udcff", "x" * 10_000, "'; DROP TABLE sagas"):
        ran = amends("show", name, "--db", path)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert len(ran.err) < len(str(path)) + 200


def test_a_damaged_row_is_shown_by_its_records(damaged: tuple[Path, str]) -> None:
    """1, and no traceback; what was recorded of it is all there."""
    file, name = damaged
    ran = amends("show", name, "--db", file, columns=100)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(f"{name}  unreadable\n its row: its checksum does not match its values\n ✔ SEAT_HELD ─")
    assert "completed" in ran.out


def test_missing_records_are_named(path: Path, tmp_path: Path) -> None:
    """1; what else was recorded is there."""
    copy, name = Path(shutil.copy(path, tmp_path / "damaged.db")), waiting(path, COMPLETED)[0]
    records = seen("show", name, "--db", path)["records"]
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE blocks SET records = 'torn' WHERE number = ?", (records[1]["block"],))
    ran = amends("show", name, "--db", copy)
    assert (ran.code, ran.err) == (1, "")
    torn = [record["number"] for record in records if record["block"] == records[1]["block"]]
    what = "record 2 is" if torn == [2] else f"records 2 to {torn[-1]} are"
    assert f" {what} missing; `amends audit verify` says why\n" in ran.out


# amends status -----------------------------------------------------------------------------------------------


def test_the_status_is_a_page(path: Path, copies: Sequence[Copy]) -> None:
    """Counts, rates, who waits, durability, the head."""
    ran = amends("status", "--db", path, columns=100)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[-1] for line in ran.out.splitlines()[1:6]] == ["3", "9", "6", "3", "3"]
    assert re.search(r"\nrate +[\d.]+ started, [\d.]+ ended a minute, over the last 1 min\n", ran.out)
    for name in waiting(path, NEEDS_OPERATOR):
        assert name in ran.out
    assert f"\ndurability      {durability_of(kind_of(path))}\n" in ran.out
    assert re.search(rf"\nhead +{copies[-1].head}\n", ran.out)


def test_the_status_for_programs(path: Path, copies: Sequence[Copy]) -> None:
    """The same as numbers."""
    document = seen("status", "--db", path)
    counts = {entry["status"]: entry["sagas"] for entry in document["sagas"]}
    assert counts == {ABANDONED: 3, COMPENSATED: 9, COMPLETED: 6, FORWARD: 3, NEEDS_OPERATOR: 3}
    assert document["needs_operator"] == waiting(path, NEEDS_OPERATOR)
    assert (document["last_minute"]["started"], document["last_minute"]["ended"]) == (24, 18)
    assert f"{document['audit']['number']}:{document['audit']['head']}" == copies[-1].head
    assert (document["durability"], document["set_aside"]) == (durability_of(kind_of(path)), [])
    assert 0 < document["oldest_waiting_ms"] <= document["audit"]["at_ms"]


def test_a_store_whose_times_are_ahead_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the machine was years ahead when it was written."""
    file, ahead_ms = tmp_path / "store.db", 5000 * DAY_MS

    def wall_ns() -> int:
        return time.time_ns() + ahead_ms * 1_000_000

    monkeypatch.setattr("amends.bootstrap.SystemClock", partial(SystemClock, wall_ns=wall_ns))
    with open_store(f"sqlite:///{file}", sagas=[]) as engine:
        engine.transact(lambda work: work.remember("key", "what", None), ["key"])
    ran = amends("status", "--db", file)
    assert re.search(r"\nclock +the store's times are (5000|4999) d ahead of this machine's clock\n", ran.out)
    assert seen("status", "--db", file)["ahead_ms"] > ahead_ms - DAY_MS


def test_who_waits_for_a_place_is_shown(tmp_path: Path) -> None:
    """It was not sent, and nothing is unknown of it."""

    def charge(client: Any, asked: int, call: Any) -> None:
        begun.set()
        ended.wait(20)

    begun, ended, file = threading.Event(), threading.Event(), tmp_path / "store.db"
    saga = Saga("sale", int, [external("CARD_CHARGED", charge, pivot=True)])
    with open_store(f"sqlite:///{file}", sagas=[saga], concurrency={"CARD": 1}, drain_s=0) as engine:
        engine.submit_many(saga, [1, 2])
        assert begun.wait(20)
    ended.set()
    shown = amends("sagas", "--db", file).out
    assert shown.count("CARD_CHARGED/do: CARD is to be asked, waits for a place there") == 1
    document = seen("sagas", "--db", file)
    assert [saga["questions"][0]["is_unsent"] for saga in document["sagas"]] == [True, False]


def test_what_the_engine_says_is_wrong_is_shown(tmp_path: Path) -> None:
    """And nothing else is."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)) as store:
        store.warn("calls that do not end take every place at CARD")
    assert re.search(r"\nwarning +calls that do not end take every place at CARD\n", amends("status", "--db", file).out)
    assert seen("status", "--db", file)["warning"] == "calls that do not end take every place at CARD"
    SqliteStore(file).close()
    assert seen("status", "--db", file)["warning"] == ""


def test_an_empty_store_has_a_status(tmp_path: Path) -> None:
    """Nothing is something, too."""
    SqliteStore(tmp_path / "empty.db").close()
    ran = amends("status", "--db", tmp_path / "empty.db")
    assert ran.code == 0
    assert ran.out.startswith("no sagas\n")
    assert f"0:{'0' * 64}" in ran.out
    assert amends("audit", "verify", "--db", tmp_path / "empty.db").code == 0


# While an engine runs ----------------------------------------------------------------------------------------


def test_all_of_it_works_while_an_engine_writes(tmp_path: Path) -> None:
    """In another process; nothing is ever found wrong, and nothing keeps the engine from writing."""
    path = tmp_path / "shop.db"
    program = "import asyncio, sys; from tests.auditing.busy import main; asyncio.run(main(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=pipe, stdout=pipe, text=True) as engine:
        assert engine.stdin
        assert engine.stdout
        assert engine.stdout.readline() == "running\n"
        heads = list[str]()
        while len(set(heads)) < 3 and len(heads) < LOOKS_MAX:
            heads.append(amends("audit", "head", "--db", path).out.strip())
            for words in (["sagas"], ["status"], ["audit", "verify", "--head", heads[0]], ["audit", "export"]):
                ran = amends(*words, "--db", path)
                assert (ran.code, ran.out != "") == (0, True), ran
            newest = ids("--db", path, "--limit", "1")[0]
            assert newest in shown(path, newest)
        engine.stdin.close()
        done = int(engine.stdout.readline())
    assert engine.returncode == 0
    assert len(set(heads)) == 3
    assert done
    assert amends("audit", "verify", "--db", path, "--head", heads[-1]).code == 0
