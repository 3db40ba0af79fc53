"""`amends run --db`: the same reports from a store, and what is said when it cannot be used."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path

import pytest

from amends.entrypoints.cli.run.logs import logged_in_lines
from amends.storefront import open_storefront
from tests.acceptance.command import EXAMPLES, Ran, amends, assert_drawn_as, batch, command_line, environment, process
from tests.acceptance.test_run import MIXED, chunk_of

BEFORE = "operations had been carried out before, and were not again; --again runs the files anew"
PARTICIPANTS = ("local", "simulated")


@pytest.mark.parametrize("participants", PARTICIPANTS)
@pytest.mark.parametrize("stored", [False, True], ids=["memory", "store"])
def test_the_same_is_drawn(participants: str, stored: bool, tmp_path: Path) -> None:
    """Wherever it is kept, and whoever takes part."""
    options: list[str | Path] = ["--participants", participants]
    if stored:
        options += ["--db", tmp_path / "shop.db"]
    ran = amends("run", *options, *[path.relative_to(Path.cwd()) for path in EXAMPLES])
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as("examples", ran.out)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted(
        [".db", ".lock", *([".db-outside"] * (participants == "simulated"))] if stored else []
    )


@pytest.mark.parametrize("participants", PARTICIPANTS)
def test_a_second_time_it_says_the_same(participants: str, tmp_path: Path) -> None:
    """Nothing is carried out again, and one line says so."""
    path = batch(tmp_path / "b.jsonl", *MIXED, ["QUERY_ORDER", "O009"], ["CREATE_CUSTOMER", "C001", 0])
    words: list[str | Path] = ["run", "--json", "--participants", participants, "--db", tmp_path / "shop.db", path]
    first, second = amends(*words), amends(*words)
    assert first.out == second.out == amends("run", "--json", path).out
    assert second.err == f"{first.err}{path}: note: 8 {BEFORE}\n"


def test_again_it_is_carried_out_anew(tmp_path: Path) -> None:
    """With numbers that go on, and from then on that run is the one that counts."""
    path = batch(tmp_path / "b.jsonl", *MIXED)
    words: list[str | Path] = ["run", "--json", "--db", tmp_path / "shop.db", path]
    orders = [list(json.loads(amends(*words, *more).out)["orders"]) for more in ([], ["--again"], [], ["--again"])]
    assert [placed[0] for placed in orders] == ["O001", "O006", "O006", "O011"]


def test_other_files_go_on_with_what_the_store_holds(tmp_path: Path) -> None:
    """Runs of different files are batches of one session."""
    goods = batch(tmp_path / "goods.jsonl", *MIXED[:2])
    orders = batch(tmp_path / "orders.jsonl", ["PLACE_ORDER", "C001", "P001", 1])
    amends("run", "--db", tmp_path / "shop.db", goods)
    assert amends("run", "--db", tmp_path / "shop.db", orders).out.startswith("O001  SHIPPED")
    ran = process("run", "--db", tmp_path / "shop.db", "-", given=orders.read_bytes())
    assert ran.err == f"standard input: note: 1 {BEFORE}\n"  # a file is what it contains, whatever it is called


def test_the_environment_names_no_store_for_a_run(tmp_path: Path) -> None:
    """A run needs none, so it takes one that it is given by name, and no other."""
    ran = process("run", EXAMPLES[0], AMENDS_DB=str(tmp_path / "shop.db"))
    assert (ran.code, list(tmp_path.iterdir())) == (0, [])


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    """And exit code 2."""
    store, example = tmp_path / "shop.db", EXAMPLES[0]
    (tmp_path / "text.db").write_text("no store")
    with open_storefront(str(store)):
        assert_one_line(amends("run", "--db", store, example), "shop.db")
    assert_one_line(amends("run", "--db", tmp_path, example), str(tmp_path))
    assert_one_line(amends("run", "--db", tmp_path / "text.db", example), "text.db")
    assert_one_line(amends("run", "--db", tmp_path / "no" / "shop.db", example), "shop.db")
    assert_one_line(amends("run", "--participants", "simulated", "--db", store, example), "--participants local")
    assert_one_line(amends("run", "--again", example), "--again needs --db FILE")
    assert_one_line(amends("run", "--db", store, tmp_path / "none.json"), "none.json: no such file")
    assert_one_line(amends("run", "--participants", "nobody", example), "'nobody' is not one of")


def assert_one_line(ran: Ran, words: str) -> None:
    """A line on standard error that has these words, nothing on standard output, and exit code 2."""
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert words in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """Exit code 1, and what had been done is there: the run goes on when there is space."""
    resource = pytest.importorskip("resource")
    orders = [["PLACE_ORDER", "C001", "P001", 0]] * 4000
    path = batch(tmp_path / "b.jsonl", *MIXED[:2], *orders)
    words = command_line("run", "--json", "--db", tmp_path / "shop.db", path)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    ran = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, preexec_fn=small_files)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("amends: there is no space left")
    assert ran.stderr.count("\n") == 1
    assert amends("run", "--json", "--db", tmp_path / "shop.db", path).out == amends("run", "--json", path).out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_long_way_has_a_bar(tmp_path: Path) -> None:
    """In a store it moves on with each piece."""
    path = tmp_path / "long.json"
    path.write_text(json.dumps([["QUERY_ORDER", "O001"]] * 6_000))
    terminal, its_other_end = os.openpty()
    words = command_line("run", "--json", "--db", tmp_path / "shop.db", path)
    with subprocess.Popen(
        words, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=its_other_end
    ) as running:
        os.close(its_other_end)
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            seen = b"".join(iter(lambda: chunk_of(screen), b""))
        assert running.stdout
        running.stdout.read()
    assert running.returncode == 0
    assert b"0 of 6000 operations" in seen
    assert b"6000 of 6000 operations" in seen


def test_what_is_logged_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What ends the command is told at its end, and once."""
    with logged_in_lines():
        log = logging.getLogger("amends")
        log.info("too little to tell")
        log.warning("3 sagas run under\nanother")
        log.error("it stopped", exc_info=ValueError())
    assert capsys.readouterr().err == "amends: 3 sagas run under another\n"
