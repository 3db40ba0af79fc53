"""`amends serve`, as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import amends
from tests.http.api import SAGAS, TICKETS
from tests.http.serving import END_S, serving


def test_a_file_without_an_engine_gets_one(tmp_path: Path) -> None:
    """It starts sagas, and gives the store back when it is told to end."""
    with serving(tmp_path) as served:
        assert "an engine runs here" in served.line
        body = {"definition": "tickets", "request": 2}
        started = served.http.post("/sagas", json=body, headers={"Idempotency-Key": "a", "Prefer": "wait=60"})
        assert started.json()["status"] == "completed"
    assert served.process.returncode == 0
    with amends.open(f"sqlite:///{tmp_path}/shop.db", sagas=SAGAS, store_wait_s=0) as engine:
        assert len(engine.list().sagas) == 1


def test_beside_an_engine_it_is_a_client(tmp_path: Path) -> None:
    """What it is asked for goes to the engine that runs."""
    with amends.open(f"sqlite:///{tmp_path}/shop.db", sagas=SAGAS) as engine, serving(tmp_path) as served:
        assert "no engine runs here" in served.line
        body = {"definition": "tickets", "request": 2}
        started = served.http.post("/sagas", json=body, headers={"Idempotency-Key": "a"}).json()
        assert engine.describe(started["saga_id"]).name == TICKETS.name


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """In one line, with exit code 2."""
    with serving(tmp_path) as served:
        port = served.http.base_url.port
        command = [
            sys.executable,
            "-m",
            "amends",
            "serve",
            "--open",
            "--db",
            str(tmp_path / "shop.db"),
            "--port",
            str(port),
        ]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "cannot be listened at" in second.stderr
    assert second.stderr.count("\n") == 1


def test_events_are_streamed(tmp_path: Path) -> None:
    """As they happen, kept by no cache; who listens does not keep the process from ending."""
    with serving(tmp_path) as served:
        body = {"definition": "tickets", "request": 2}
        with served.http.stream("GET", "/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            lines = answer.iter_lines()
            assert next(lines) == ": "
            started = served.http.post("/sagas", json=body, headers={"Idempotency-Key": "a"})
            told = next(line for line in lines if line.startswith("data: "))
            assert json.loads(told.removeprefix("data: "))["subject"] == started.json()["saga_id"]
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(timeout=END_S) == 0
