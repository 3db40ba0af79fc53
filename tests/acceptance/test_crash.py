"""The whole of `amends demo`, and its crash: a process that is really killed half-way, whatever else happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from amends.entrypoints.demo import children, crash, rush
from amends.entrypoints.demo import tour as demo
from amends.entrypoints.demo.tally import StoreTotals, tally
from amends.entrypoints.drawing.paper import paper
from tests.acceptance.command import ROOT, Ran, amends, assert_drawn_as, command_line, environment
from tests.acceptance.test_run import chunk_of

BY_CHANCE = re.compile(  # how far the process that was killed had come
    r"[█░]{40}  \d \d{3} of|(?<=compensated) +\d+$|(?<=completed) +[\d ]+$|(?<=note: )\d+", re.MULTILINE
)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return the processes that were started, as they are; at the end of the test each is over."""
    processes: list[Any] = []
    start: Any = subprocess.Popen

    def remembered(*words: Any, **options: Any) -> Any:
        processes.append(start(*words, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", remembered)
    yield processes
    assert all(one.returncode is not None for one in processes)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where temporary folders are made; at the end of the test there is none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with orders, fewer than the tour has."""
    monkeypatch.setattr(rush, "ORDERS", 3_000)
    monkeypatch.setattr(rush, "KILLED_AT", 500)
    rush.write_orders(tmp_path)
    return tmp_path


CRASH_ALONE = "from amends.entrypoints.demo import tour; tour.TICKETS = tour.CHAPTERS = (); "


def tour_of_fewer_orders(more: str = "") -> Sequence[str]:
    """Return the words that start the demo in a process of its own, with orders for a moment, killed or not."""
    code = "from amends.entrypoints.demo import rush; rush.ORDERS = 600; rush.KILLED_AT = 100; rush.TRIES = 1; "
    code += more
    return [*command_line()[:-2], "-c", f"{code}from amends.entrypoints.cli.app import app; app(['demo'])"]


def crashed(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Run the demo's crash alone."""
    monkeypatch.setattr(demo, "TICKETS", ())
    monkeypatch.setattr(demo, "CHAPTERS", ())
    return amends("demo")


def test_the_tour_is_drawn(room: Path, begun: list[subprocess.Popen[bytes]]) -> None:
    """In a pipe it is there at once, and has neither colours nor cut lines.

    The process is killed while work is left, which is finished then: what the first process had done is not done again;
    each order is there once, and all adds up.
    """
    ran = amends("demo")
    assert (ran.code, ran.err) == (0, "")
    assert "NOT SO" not in ran.out
    assert_drawn_as("demo", BY_CHANCE.sub("(by chance)", ran.out))
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    reached, finished = (int(found.replace(" ", "")) for found in re.findall(r" (\d[\d ]*) of 6 000 orders", ran.out))
    assert 0 < reached < finished == rush.ORDERS
    assert begun[0].returncode == (1 if os.name == "nt" else -signal.SIGKILL)
    assert [one.returncode for one in begun[1:]] == [0] * 4
    needed = len(rush.CUSTOMERS) + len(rush.PRODUCTS)
    assert f"orders.jsonl: note: {reached + needed} operations had been carried out before" in ran.out
    for line in (
        "6000 orders: 5400 shipped, 600 canceled and made good",
        " ✔ 6 000 orders were asked for, 6 000 are in the file",
        " ✔ all is as it was written",
        "O6000  compensated  checkout failing at SHIPPING version 1",
    ):
        assert f"\n{line}\n" in ran.out


def test_the_tour_needs_nothing_but_ascii() -> None:
    """And a place to print to."""
    surroundings = environment(PYTHONIOENCODING="ascii", COLUMNS="40")
    ran = subprocess.run(tour_of_fewer_orders(), env=surroundings, capture_output=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii()


def test_what_it_leaves_is_what_one_run_leaves(orders: Path) -> None:
    """Report and books, to the byte."""
    assert 0 < rush.kill_half_way(orders) < rush.ORDERS
    rush.finish(orders)
    file = orders / rush.FILE
    assert amends("run", "--json", "--db", orders / rush.STORE, file).out == amends("run", "--json", file).out
    seen = tally(orders / rush.STORE, rush.CUSTOMERS, rush.PRODUCTS, rush.ORDERS + 1)
    assert seen == StoreTotals(3_000, 2_700, 27_000, 27_000, 5_400, 5_400)


def test_what_has_gone_wrong_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with an order more, whose customer did not pay, is told from one where all adds up."""
    monkeypatch.setattr(rush, "ORDERS", 60)
    rush.write_orders(tmp_path)
    more = [["ADD_PRODUCT", "P0", 10_000, 5], ["CREATE_CUSTOMER", "C9999", 9], ["PLACE_ORDER", "C9999", "P0", 1]]
    (tmp_path / "more.json").write_text(str(more).replace("'", '"'))
    rush.finish(tmp_path)
    children.printed(tmp_path, "run", "--db", rush.STORE, "more.json")
    seen = tally(tmp_path / rush.STORE, rush.CUSTOMERS, rush.PRODUCTS, 2 * rush.ORDERS)
    assert (seen.orders, seen.earned - seen.used) == (rush.ORDERS + 1, 5)
    said = [line.plain for line in crash._sums(paper(), tmp_path)]
    assert said[0] == " ✘ NOT SO: 60 orders were asked for, 61 are in the file"
    assert said[1].startswith(" ✘ NOT SO: the credit used")
    assert said[2].startswith(" ✔ ")


def test_a_run_that_was_too_fast_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning, and not for ever."""
    monkeypatch.setattr(rush, "ORDERS", 100)
    monkeypatch.setattr(rush, "KILLED_AT", 101)
    monkeypatch.setattr(rush, "TRIES", 2)
    rush.write_orders(tmp_path)
    stores: list[int] = []
    begin = children.started

    def counted(folder: Path, *words: str) -> Any:
        stores.append(rush.placed(folder))
        return begin(folder, *words)

    monkeypatch.setattr(rush, "started", counted)
    assert rush.kill_half_way(tmp_path) == 100
    assert stores == [0, 0]


def test_that_it_was_too_fast_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tour goes on without the kill."""
    monkeypatch.setattr(rush, "kill_half_way", lambda *_: rush.ORDERS)
    monkeypatch.setattr(crash, "printed", lambda *_, **__: [])
    out = paper()
    with out.console.capture() as written:
        crash._show_kill(out, tmp_path)
    assert " NOT SO: the run was killed while orders were left" in written.get()


@pytest.mark.usefixtures("room", "begun")
def test_a_command_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """1, with what it said last."""
    monkeypatch.setattr(rush, "operations", lambda: [{"no": "list"}])
    ran = crashed(monkeypatch)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    why = "amends: orders.jsonl: no list"
    assert ran.err.startswith(f"amends: `amends run --db shop.db orders.jsonl` ended with 2: {why}")


@pytest.mark.usefixtures("room", "begun")
@pytest.mark.parametrize("part", [rush, children])
def test_a_command_that_hangs_is_one_line(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """1, and it is ended."""
    monkeypatch.setattr(part, "LIMIT_S", 0.0)
    ran = crashed(monkeypatch)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith("amends: ")


@pytest.mark.usefixtures("room", "begun")
def test_an_interruption_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process, no folder."""

    def interrupt(_: Path) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(rush, "placed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        crash.show_crash(paper())


def test_modules_are_found_from_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative PYTHONPATH means what it meant here."""
    monkeypatch.chdir(ROOT / "src")
    monkeypatch.setenv("PYTHONPATH", ".")
    assert children._path() == {"PYTHONPATH": str(ROOT / "src")}
    monkeypatch.delenv("PYTHONPATH")
    assert children._path() == {}


def test_a_reader_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    """`amends demo | head` ends at once, and what it had begun is gone."""
    with subprocess.Popen(
        command_line("demo"), env=environment(TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        for line in running.stdout:
            if b"$ amends run --db" in line:
                break
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    """A line that moves while a process runs, and colours in what others print."""
    terminal, its_other_end = os.openpty()
    surroundings = environment(TERM="xterm-256color", NO_COLOR="", TMPDIR=str(tmp_path))
    with subprocess.Popen(
        tour_of_fewer_orders(CRASH_ALONE),
        env=surroundings,
        stdout=its_other_end,
        stderr=its_other_end,
    ) as running:
        os.close(its_other_end)
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            seen = b"".join(iter(lambda: chunk_of(screen), b""))
    assert running.returncode == 0
    assert "░  0 of 600 orders".encode() in seen
    assert "\x1b[32m ✔ \x1b[0mall is as it was written".encode() in seen
