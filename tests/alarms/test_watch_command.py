"""`amends watch` and the alarms of `amends serve`, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import amends
from amends import Refused, Saga, external, local
from tests.http.serving import END_S, serving

STUCK = Saga(
    "stuck",
    int,
    [
        local("HELD", lambda _, cents: cents, entity=str, pivot=True),
        external("KEPT", lambda *_: Refused("no room")),
    ],
)
TAKE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"
BOUND_S = 100


def stuck_store(folder: Path) -> Path:
    """Make a store with a saga that waits for an operator."""
    path = folder / "shop.db"
    with amends.open(f"sqlite:///{path}", sagas=[STUCK]) as engine, pytest.raises(amends.OperatorNeeded):
        engine.submit(STUCK, 1).result(timeout=BOUND_S)
    return path


def settings(folder: Path) -> Path:
    """Have alarms told to a program, that writes them into a file, a line each."""
    path = folder / "amends.toml"
    command = json.dumps([sys.executable, "-I", "-c", TAKE, str(folder / "told")])
    path.write_text(f"[alarms]\nevery_s = 1\ncommand = {command}\n")
    return path


def told(folder: Path) -> list[dict[str, str]]:
    """Wait until something was told."""
    until = time.monotonic() + BOUND_S
    while not (folder / "told").exists() or not (folder / "told").read_text().endswith("\n"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


def watch(*options: str | Path) -> list[str]:
    """The command line of `amends watch`."""
    return [sys.executable, "-m", "amends", "watch", *map(str, options)]


def test_a_process_tells_what_holds_once_also_when_it_is_started_anew(tmp_path: Path) -> None:
    """Until it is told to end."""
    store, given = stuck_store(tmp_path), settings(tmp_path)
    for _ in range(2):
        with subprocess.Popen(watch("--db", store, "--settings", given), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert f"alarms of {store} are watched" in process.stdout.readline()
            told(tmp_path)
            time.sleep(1.5)  # for another look
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_S) == 0
    alarms = told(tmp_path)
    assert [(alarm["alarm"], alarm["subject"]) for alarm in alarms if alarm["state"] == "began"].count(
        ("needs-operator", "stuck")
    ) == 1


def test_one_look_says_what_holds(tmp_path: Path) -> None:
    """Its exit code says whether anything does."""
    store = stuck_store(tmp_path)
    found = subprocess.run(watch("--db", store, "--once"), capture_output=True, text=True, timeout=END_S, check=False)
    assert found.returncode == 1
    assert "needs-operator (stuck): 1 saga of stuck is waiting for an operator. Such as " in found.stdout
    off = {**os.environ, "AMENDS_ALARMS_OFF": "['needs-operator', 'engine-gone', 'disk', 'durability']"}
    quiet = subprocess.run(
        watch("--db", store, "--once"), capture_output=True, text=True, timeout=END_S, env=off, check=False
    )
    assert (quiet.returncode, quiet.stdout) == (0, "")


def test_a_wrong_setting_ends_it_at_once(tmp_path: Path) -> None:
    """In a line that names it, with exit code 2; so does the server."""
    given = tmp_path / "amends.toml"
    given.write_text("[alarms]\nwebhook = 'https://169.254.169.254/latest'\n")
    store = stuck_store(tmp_path)
    for command in (watch("--db", store), [*watch()[:3], "serve", "--db", str(store), "--port", "0", "--open"]):
        found = subprocess.run(
            [*command, "--settings", str(given)], capture_output=True, text=True, timeout=END_S, check=False
        )
        assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
        assert "webhook_hosts does not name" in found.stderr


def test_the_server_tells_alarms_too(tmp_path: Path) -> None:
    """And its log is JSON where that is asked for."""
    store = stuck_store(tmp_path)
    with serving(tmp_path, "--db", str(store), "--settings", str(settings(tmp_path)), "--log", "json") as served:
        assert any(alarm["alarm"] == "needs-operator" for alarm in told(tmp_path))
        line = served.process.stderr.readline() if served.process.stderr else ""
    assert json.loads(line)["logger"].startswith("amends")


def test_a_leak_is_an_alarm(tmp_path: Path) -> None:
    """What an undo forgot to put back, where the definitions are given."""
    (tmp_path / "leaking.py").write_text(LEAKING)
    run = "import amends, leaking\nwith amends.open('sqlite:///shop.db', sagas=[leaking.SALE]) as engine:\n"
    run += "    engine.submit(leaking.SALE, 3).result(timeout=100)\n"
    subprocess.run([sys.executable, "-c", run], cwd=tmp_path, timeout=END_S, check=True, env=_beside())
    command = [*watch("leaking", "--db", "shop.db", "--once")]
    for all_books, code, said in (
        ("true", 1, "books-differ (STOCK.reserved): STOCK.reserved of 1 entities"),
        ("false", 0, ""),
    ):
        found = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=END_S, check=False,
            env={**_beside(), "AMENDS_ALARMS_ALL_BOOKS": all_books, "AMENDS_ALARMS_OFF": "['disk', 'durability']"},
        )  # fmt: skip
        assert found.returncode == code, found.stderr
        assert said in found.stdout


def _beside() -> dict[str, str]:
    """The environment, with our package found from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(amends.__file__).parents[1])}


LEAKING = """
from typing import NamedTuple
from amends import Refused, Saga, external, local

class Stock(NamedTuple):
    free: int
    reserved: int

def hold(stock: Stock | None, wanted: int):
    stock = stock or Stock(10, 0)
    return Stock(stock.free - wanted, stock.reserved + wanted)

def forget(stock: Stock, wanted: int):
    return Stock(stock.free + wanted, stock.reserved)

SALE = Saga("sale", int, [
    local("HELD", hold, undo=forget, undone="LET_GO", entity=lambda _: "P001", service="STOCK", holds=["reserved"]),
    external("PAID", lambda *_: Refused("no"), undo=lambda *_: None, undone="PAID_BACK"),
])
"""
