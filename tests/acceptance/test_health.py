"""`--health` of what runs, and `amends health`, which reads it: by a file and over a port, of processes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.command import EXAMPLES, Ran, amends, command_line, environment, running
from tests.acceptance.test_bad_input import refused
from tests.acceptance.test_host import APP
from tests.acceptance.test_worker import PATIENCE_S
from tests.pages.serving import free_port
from tests.postgres import schema

ENGINE = """
import amends
engine = amends.open("sqlite:///shop.db", sagas=[tickets], clients=clients)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a module that has a definition and an engine, where commands run."""
    (tmp_path / "hosted.py").write_text(APP + ENGINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def until(code: int, *words: str | Path) -> Ran:
    """Ask until the answer is one that is waited for."""
    end = time.monotonic() + PATIENCE_S
    while (ran := amends("health", *words)).code != code:
        assert time.monotonic() < end, ran
        time.sleep(0.1)
    return ran


@pytest.mark.parametrize(
    ("words", "wire"),
    [
        (["host", "hosted", "--service", "SEATS", "--db", "seats.db", "--wire", "memory:w"], "answers"),
        (["worker", "hosted:engine"], "none"),
    ],
)
def test_what_runs_tells_how_it_does_until_it_ends(folder: Path, words: list[str], wire: str) -> None:
    """Over a port and in a file the same; after a kill -9 the port tells nothing, and the file is old."""
    port, file = str(free_port()), folder / "health.json"
    with running(command_line(*words, "--health", port, "--health", str(file)), folder) as process:
        for place in (port, file):
            ran = until(0, place)
            assert ran.out.startswith("ready since ")
            assert f"process {process.pid}\n  store       answers\n  wire        {wire}\n  durab" in ran.out
        process.kill()
        process.wait()
        assert amends("health", port) == (1, "", f"amends: 127.0.0.1:{port} tells nothing: Connection refused\n")
        report = json.loads(file.read_text())
        file.write_text(json.dumps(report | {"at": (datetime.now(UTC) - timedelta(seconds=34)).isoformat()}))
        ran = amends("health", file, "--live")
        gone = f"process {process.pid} is gone, or stands still"
        assert ran == (1, "", f"amends: {file} was told 34 s ago: {gone}\n")


def test_a_process_that_was_told_to_end_leaves_no_file(folder: Path) -> None:
    """It has ended, or has not begun: both is told."""
    file = folder / "health.json"
    with running(command_line("worker", "hosted:engine", "--health", "health.json"), folder) as process:
        until(0, file)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert not file.exists()
    ran = amends("health", file)
    assert ran == (1, "", f"amends: {file} is not there: its process has not begun, or has ended\n")


def test_one_that_is_not_ready_lives_all_the_same(folder: Path) -> None:
    """A supervisor leaves it alone; what sends work does not. Here it waits for the store of another one."""
    words = ["host", "hosted", "--service", "SEATS", "--db", "seats.db", "--wire", "memory:w"]
    with running(command_line(*words), folder):
        command = command_line(*words, "--wait", "60", "--health", "second.json")
        second = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
        try:
            ran = until(0, "second.json", "--live")
            ran = until(1, "second.json")
            while "in use by" not in ran.out:
                ran = until(1, "second.json")
            assert ran.out.startswith("starting since ")
            assert "  because     " in ran.out
        finally:
            second.kill()
            second.communicate()


def test_a_publisher_tells_how_it_does(folder: Path) -> None:
    """For as long as it goes on."""
    amends("run", "--db", "shop.db", EXAMPLES[0])
    with schema() as table:
        words = ["publish", "--db", "shop.db", "--to", table, "--follow", "--health", "publish.json"]
        with running(command_line(*words), folder):
            assert "  store       answers\n  wire        none\n  durability  full" in until(0, "publish.json").out


@pytest.mark.parametrize("place", ["0", "70000", ""])
def test_what_is_no_place_is_refused(folder: Path, place: str) -> None:
    """In one line, by the reader and by what would tell there, which opens nothing."""
    for words in (["health", place], ["worker", "hosted:engine", "--health", place]):
        refused(amends(*words), words)
    assert not (folder / "shop.db").exists()


@pytest.mark.parametrize("told", [b"", b"{}", b"\xff" * 1000, b"[" * 100_000, b'{"state": "fine"}', b"0" * 1_000_000])
def test_a_file_of_something_else_is_told(folder: Path, told: bytes) -> None:
    """It is no sign of life."""
    (folder / "other.json").write_bytes(told)
    ran = amends("health", folder / "other.json")
    assert (ran.code, ran.out) == (1, "")
    assert "tells nothing of a process of Amends" in ran.err
    assert ran.err.count("\n") == 1
