"""`amends audit`, and docs/verify_audit.py, on stores that a real engine wrote."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from amends.adapters.sqlite.store import SqliteStore
from amends.storage.rows import KeyRow, checksum
from tests.acceptance.command import ROOT, Ran, amends, command_line, environment, process
from tests.auditing.attacks import VERIFY_AUDIT, attacked
from tests.auditing.history import Copy, written

VERIFIER = ROOT / "docs" / "verify_audit.py"


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages."""
    return written(tmp_path_factory.mktemp("history"))


def found(path: Path, *words: str) -> Any:
    """The document of a verification that finds something."""
    ran = amends("audit", "verify", "--db", path, "--json", *words)
    assert (ran.code, ran.err) == (1, "")
    return json.loads(ran.out)


def by_the_other(*words: str | Path) -> Ran:
    """What docs/verify_audit.py says, in a process of its own, without any package."""
    command = [sys.executable, "-I", "-S", str(VERIFIER), *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


# amends audit verify -----------------------------------------------------------------------------------------


def test_what_is_as_it_was_written_is_0(copies: Sequence[Copy]) -> None:
    """It says how much it looked at, and what it cannot see without an older head."""
    ran = amends("audit", "verify", "--db", copies[-1].path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(" ✔ all is as it was written\n\n   looked at    ")
    assert ", 24 sagas\n" in ran.out
    assert f"   head         {copies[-1].head}\n" in ran.out
    assert "without an older head" in ran.out
    ran = amends("audit", "verify", "--db", copies[-1].path, "--head", copies[0].head)
    assert (ran.code, "without an older head" in ran.out) == (0, False)


def test_the_document_names_all_of_it(copies: Sequence[Copy]) -> None:
    """For programs."""
    ran = amends("audit", "verify", "--db", copies[-1].path, "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert 0 < document["records_seconds"] <= document["seconds"]
    assert document | {"seconds": 0, "records_seconds": 0, "blocks": 0, "records": 0} == {
        "form": 1, "verdict": "held", "whole": True, "findings": [], "findings_beyond": 0, "head": copies[-1].head,
        "blocks": 0, "records": 0, "sagas": 24, "seconds": 0, "records_seconds": 0,
    }  # fmt: skip
    assert f"{document['blocks']}:" == copies[-1].head[: copies[-1].head.index(":") + 1]


def test_each_fault_is_a_line_and_1(copies: Sequence[Copy], tmp_path: Path) -> None:
    """It says where and what."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "forged.db"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE blocks SET records = replace(records, 'SEAT', 'SOAT') WHERE number = 4")
        database.execute("DELETE FROM blocks WHERE number = 9")
        (name,) = database.execute("SELECT id FROM sagas WHERE status = 'abandoned' LIMIT 1").fetchone()
        database.execute("DELETE FROM sagas WHERE id = ?", (name,))
    ran = amends("audit", "verify", "--db", path)
    assert (ran.code, ran.err) == (1, "")
    assert " ✘ block 4: its head is not the hash of its records\n" in ran.out
    assert " ✘ block 9: it is missing\n" in ran.out
    assert f" ✘ saga {name}: it has records, and no row\n" in ran.out
    assert " faults: not all is as it was written\n" in ran.out
    assert {"where": "block 9", "what": "it is missing"} in found(path)["findings"]


def test_many_faults_are_cut(copies: Sequence[Copy], tmp_path: Path) -> None:
    """A person gets some of them, a program all."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "forged.db"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE sagas SET version = version + 1")
        database.execute("UPDATE blocks SET at_ms = at_ms + 1")
    ran = amends("audit", "verify", "--db", path)
    assert ran.out.count(" ✘ ") == 21
    assert "more; --json shows them" in ran.out
    assert len(found(path)["findings"]) > 40


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncate", "the given head is of block"),
        ("roll back", "the given head is of block"),
        ("rebuild", "has another head than the given one: it was built anew"),
        ("forget a saga", "has another head than the given one: it was built anew"),
    ],
)
def test_an_older_head_finds_what_is_built_anew(name: str, words: str, copies: Sequence[Copy], tmp_path: Path) -> None:
    """Cut, put back, forged from end to end."""
    path = attacked(name, copies, tmp_path, 1)
    findings = found(path, "--head", copies[-1].head)["findings"]
    assert [words in finding["what"] for finding in findings if finding["where"] == "head"] == [True]


def test_what_is_no_head_is_2(copies: Sequence[Copy]) -> None:
    """One line says what to give."""
    ran = amends("audit", "verify", "--db", copies[0].path, "--head", "17")
    assert (ran.code, ran.out) == (2, "")
    form = "give what `amends audit head` printed, number:64 hex digits"
    assert ran.err == f"amends: '17' is no head: {form}\n"


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_are_no_traceback(seed: int, copies: Sequence[Copy], tmp_path: Path) -> None:
    """Whatever is broken in the file: 0, 1 or 2, and words; commands that look go on where they can."""
    chance = random.Random(seed)
    content = bytearray(copies[-1].path.read_bytes())
    for _ in range(chance.choice([1, 5, 100])):
        content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
    path = tmp_path / "flipped.db"
    path.write_bytes(content[: chance.choice([len(content), len(content) // 2])])
    for words in (["audit", "verify"], ["audit", "export"], ["audit", "head"], ["status"], ["sagas"], ["show", "x-1"]):
        ran = amends(*words, "--db", path)
        assert ran.code in (0, 1, 2)
        assert ran.out + ran.err != "" or words[1] == "export"
        assert "Traceback" not in ran.err


def test_damage_of_any_row_is_found(copies: Sequence[Copy], tmp_path: Path) -> None:
    """Entities and client keys have checksums, too."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "damaged.db"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE entities SET body = '6' WHERE id = 'Hamlet 0'")
        database.execute("UPDATE client_keys SET answer = '{}' WHERE key = '1.poor'")
        database.execute("DELETE FROM subjects WHERE block = 3")
    places = dict.fromkeys(finding["where"] for finding in found(path)["findings"])
    assert list(places) == ["entity SEAT/Hamlet 0", "key 1.poor", "block 3"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_how_far_it_is(copies: Sequence[Copy], monkeypatch: pytest.MonkeyPatch) -> None:
    """On one line of standard error, which is gone at the end."""
    program = (
        "from amends.auditing import verify; from amends.entrypoints import cli;"
        "from amends.entrypoints.drawing import progress;"
        "progress.FROM_S = progress.EVERY_S = 0; verify.REPORT_EVERY = 1; cli.main()"
    )
    terminal, its_other_end = os.openpty()
    command = [sys.executable, "-c", program, "audit", "verify", "--db", str(copies[-1].path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=its_other_end) as running:
        os.close(its_other_end)
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            seen = b"".join(iter(lambda: chunk_of(screen), b"")).decode()
        assert running.stdout
        assert running.stdout.read().decode().startswith(" ✔ all is as it was written\n")
    assert running.returncode == 0
    assert f"{copies[-1].path}"[:60] in seen
    assert seen.endswith("\r\x1b[K")


def chunk_of(screen: IO[bytes]) -> bytes:
    """What came to a screen; nothing when the other end is closed, which Linux tells as an error."""
    try:
        return screen.read(65_536)
    except OSError:
        return b""


# amends audit head, amends audit export ----------------------------------------------------------------------


def test_alone_it_shows_its_help() -> None:
    """And ends with 2, since nothing was asked for."""
    ran = amends("audit")
    assert (ran.code, ran.err) == (2, "")
    assert ran.out == amends("audit", "--help").out


def test_the_head_is_what_verify_takes(copies: Sequence[Copy]) -> None:
    """A line, for a file of heads."""
    for copy in copies:
        assert amends("audit", "head", "--db", copy.path) == Ran(0, f"{copy.head}\n", "")


def test_records_are_exported_as_lines(copies: Sequence[Copy]) -> None:
    """One object each, in their order, as they are in the file."""
    ran = amends("audit", "export", "--db", copies[-1].path)
    assert (ran.code, ran.err) == (0, "")
    exported = [json.loads(line) for line in ran.out.splitlines()]
    with sqlite3.connect(copies[-1].path) as database:
        stored = [
            (number, *json.loads(line)[:2], at_ms)
            for number, at_ms, text in database.execute("SELECT number, at_ms, records FROM blocks ORDER BY number")
            for line in text.split("\n")[1:]
        ]
    database.close()
    assert list(exported[0]) == ["block", "subject", "number", "at_ms", "cause", "changes", "chain"]
    assert [(*record.values(),)[:4] for record in exported] == stored
    assert {"SHOW_PLANNED 5", "CARD_CHARGED/do refused: no money"} <= {record["cause"] for record in exported}


def test_records_are_exported_as_a_table(copies: Sequence[Copy], tmp_path: Path) -> None:
    """With a heading; a file that is there already is left alone."""
    output = tmp_path / "audit.csv"
    words = ["audit", "export", "--db", str(copies[-1].path), "--format", "csv", "--output", str(output)]
    assert amends(*words) == Ran(0, "", "")
    rows = list(csv.reader(io.StringIO(output.read_text("utf-8"), newline="")))
    lines = amends("audit", "export", "--db", copies[-1].path).out.splitlines()
    assert rows[0] == ["block", "subject", "number", "at", "cause", "changes", "chain"]
    assert len(rows) == len(lines) + 1
    assert [row[4] for row in rows[1:]] == [json.loads(line)["cause"] for line in lines]
    before = output.read_bytes()
    assert amends(*words) == Ran(2, "", f"amends: {output}: it is there already, and is left alone\n")
    assert output.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["audit.csv"]
    ran = amends(*words[:-1], str(tmp_path / "none" / "audit.csv"))
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_what_cannot_be_exported_is_named(copies: Sequence[Copy], tmp_path: Path) -> None:
    """1; the others are written."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "damaged.db"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE blocks SET records = 'torn' WHERE number = 2")
    ran = amends("audit", "export", "--db", path)
    assert ran.code == 1
    assert ran.err == "amends: block 2: a record cannot be read\n"
    assert {json.loads(line)["block"] for line in ran.out.splitlines()} >= {1, 3, 4}


def test_a_reader_that_goes_away_is_no_error(copies: Sequence[Copy]) -> None:
    """`amends audit export | head -1` ends quietly."""
    with subprocess.Popen(
        command_line("audit", "export", "--db", copies[-1].path),
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode in (0, 141)


def test_exports_are_utf8_whatever_the_terminal(copies: Sequence[Copy]) -> None:
    """JSON is exchanged in UTF-8 (RFC 8259, section 8.1)."""
    ran = process("audit", "export", "--db", copies[-1].path, PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")


# docs/verify_audit.py ----------------------------------------------------------------------------------------


def test_the_other_verifier_is_short_and_needs_nothing() -> None:
    """Whoever does not trust us reads it in one sitting."""
    lines = VERIFIER.read_text("utf-8").splitlines()
    assert len(lines) <= 260
    homes = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert homes <= sys.stdlib_module_names


def test_the_other_verifier_agrees(copies: Sequence[Copy], tmp_path: Path) -> None:
    """0 with the last head, 1 for what was forged; the rest is in tests/auditing/test_attacks.py."""
    ran = by_the_other(copies[-1].path, copies[0].head)
    assert ran == Ran(0, f"the audit ends with {copies[-1].head}\nall is as it was written\n", "")
    ran = by_the_other(attacked("delete", copies, tmp_path, 1), copies[0].head)
    assert (ran.code, ran.err) == (1, "")
    assert ": it is missing\n" in ran.out
    assert ran.out.endswith("NOT as it was written\n")


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("trigger mine", "CREATE TRIGGER mine AFTER INSERT ON client_keys BEGIN DELETE FROM client_keys; END"),
        ("view mine", "CREATE VIEW mine AS SELECT * FROM sagas"),
        ("table mine", "CREATE TABLE mine (x)"),
        ("index mine", "CREATE INDEX mine ON sagas (changed_ms)"),
    ],
)
def test_what_somebody_added_to_the_schema_is_named(
    copies: Sequence[Copy], tmp_path: Path, kind: str, statement: str
) -> None:
    """By both verifiers: whatever is in the file runs with the engine. What ANALYZE leaves is no fault."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "added.db"))
    with closing(sqlite3.connect(path)) as database:
        database.execute("ANALYZE")
        database.commit()
        assert amends("audit", "verify", "--db", path).code == by_the_other(path).code == 0
        database.execute(statement)
        database.commit()
    ran = amends("audit", "verify", "--db", path)
    assert (ran.code, ran.err) == (1, "")
    assert f" file: the {kind} is none of Amends': remove it (DROP " in ran.out
    ran = by_the_other(path)
    assert (ran.code, ran.err) == (1, "")
    assert f"file: the {kind} is none of Amends'\n" in ran.out


def test_the_other_verifier_knows_the_schema(copies: Sequence[Copy]) -> None:
    """All that is ours, by kind."""
    with closing(sqlite3.connect(copies[-1].path)) as database:
        made = database.execute("SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    assert {(kind, name) for kind, names in VERIFY_AUDIT.OURS.items() for name in names.split()} == set(made)


def test_the_other_verifier_refuses_in_words(tmp_path: Path, copies: Sequence[Copy]) -> None:
    """2 for no file, no database, no head; 1 and its usage without a word."""
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one\n" * 100)
    for words in ([tmp_path / "none.db"], [tmp_path / "text"], [copies[0].path, "17"], [copies[0].path, "17:xyz"]):
        ran = by_the_other(*words)
        assert (ran.code, ran.err, ran.out.count("\n")) == (2, "", 1)
        assert "cannot be read" in ran.out
    assert "python verify_audit.py shop.db [HEAD]" in by_the_other().err


def test_the_other_verifier_says_when_sqlite_is_too_old(copies: Sequence[Copy]) -> None:
    """In one line."""
    program = (
        "import sqlite3, runpy, sys; sqlite3.sqlite_version_info = (3, 36, 0); sqlite3.sqlite_version = '3.36.0';"
        f"sys.argv = ['x', {str(copies[0].path)!r}]; runpy.run_path({str(VERIFIER)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    words = "SQLite 3.37 or newer is needed, this Python has 3.36.0"
    assert (ran.returncode, ran.stdout) == (2, f"{copies[0].path}: cannot be read: {words}\n")


# amends audit recompute --------------------------------------------------------------------------------------


@pytest.mark.parametrize("participants", ["local", "simulated"])
def test_orders_are_computed_again(participants: str, tmp_path: Path) -> None:
    """What `amends run` leaves is what its records lead to, client keys too; an answer that was changed is not."""
    store = tmp_path / "shop.db"
    examples = [ROOT / "examples" / f"example-{number}.json" for number in (1, 2)]
    assert amends("run", "--db", store, "--participants", participants, *examples).code == 0
    ran = amends("audit", "recompute", "--db", store)
    assert (ran.code, ran.err) == (0, "")
    assert "all is what the records lead to" in ran.out
    with closing(SqliteStore(store)) as opened:
        key = next(row for row in opened.all_keys() if isinstance(row, KeyRow) and row.answer == '"O001"')
    with closing(sqlite3.connect(store)) as database:
        answer = '"O002"'
        sum_of_it = checksum(key._replace(answer=answer))
        database.execute("UPDATE client_keys SET answer = ?, checksum = ? WHERE key = ?", (answer, sum_of_it, key.key))
        database.commit()
    ran = amends("audit", "recompute", "--db", store)
    assert ran.code == 1
    assert f'key {key.key}: it stands for "O002", its records lead to "O001"' in ran.out
