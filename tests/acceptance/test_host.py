"""`amends host`: a service in a process of its own, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import amends
from amends import Command, Compensated, Completed, Saga
from tests.acceptance.command import amends as amends_command
from tests.acceptance.command import command_line, environment
from tests.acceptance.test_bad_input import refused
from tests.acceptance.test_worker import PATIENCE_S
from tests.nats import nats_server
from tests.postgres import database

APP = """
from amends import Command, Done, Saga, external, local

def hold(free: int | None, seats: int) -> int:
    return (100 if free is None else free) - seats

def charge(card, seats: int, call) -> Done:
    return Done()

tickets = Saga("tickets", int, [
    local("SEATS_HELD", hold, entity=lambda _: "Hamlet", undo=hold, undone="SEATS_FREED"),
    external("CARD_CHARGED", charge, pivot=True),
])
clients = {"CARD": None}
set_seats = Command("SEATS_SET", "SEATS", lambda before, seats: seats)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a module that has a definition, where commands run."""
    (tmp_path / "hosted.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "services", "more"),
    [("hosted", ["SEATS"], []), ("hosted:tickets", ["CARD", "SEATS"], ["--clients", "hosted:clients"])],
)
def test_a_host_answers_until_it_is_told_to_end(folder: Path, code: str, services: list[str], more: list[str]) -> None:
    """Its module is found where it was started, its store is made, and it ends with 0."""
    named = [word for service in services for word in ("--service", service)]
    command = command_line("host", code, *named, "--db", "seats.db", "--wire", "memory:wire", *more)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    host = subprocess.Popen(command, cwd=folder, env=environment(), text=True, **pipes)  # type: ignore[call-overload]  # of two pipes
    try:
        line = host.stdout.readline()
        name = f"the host of {', '.join(services)}"
        assert line == f"amends: {name} runs on sqlite:///seats.db, process {host.pid}\n", host.stderr.read()
        host.send_signal(signal.SIGTERM)
        assert host.wait(PATIENCE_S) == 0
        assert (folder / "seats.db").exists()
    finally:
        host.kill()
        host.communicate()


def test_a_host_says_that_its_wire_is_reduced_or_does_not_start(folder: Path) -> None:
    """In the line with which it begins, and in one that says what to do; the store is free then."""
    with nats_server() as server:
        server.kill()
        server.syncs = False
        server.start()
        words = ["hosted", "--service", "SEATS", "--db", "seats.db", "--wire"]
        ended = amends_command("host", *words, server.url)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "does not sync what it takes: give it `jetstream { sync_interval: always }`" in ended.err
        command = command_line("host", *words, f"{server.url}&durability=reduced")
        with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as host:
            assert host.stdout is not None
            line = host.stdout.readline()
            host.kill()
        assert line.startswith("amends: the host of SEATS runs on sqlite:///seats.db, durability reduced: server ")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["hosted", "--service", "SEATS", "--db", "x.db", "--wire", "redis://x"], "names no wire"),
        (
            ["hosted", "--service", "SEAT", "--db", "x.db", "--wire", "memory:w"],
            "no saga asks 'SEAT'; the services are CARD",
        ),
        (["nothing", "--service", "SEATS", "--db", "x.db", "--wire", "memory:w"], "cannot be loaded"),
        (["hosted:none", "--service", "SEATS", "--db", "x.db", "--wire", "memory:w"], "'none' does not exist"),
        (
            ["hosted", "--service", "CARD", "--db", "x.db", "--wire", "memory:w", "--clients", "hosted:tickets"],
            "is no dict",
        ),
        (["hosted", "--service", "CARD", "--db", "x.db", "--wire", "memory:w", "--clients", "hosted"], "path.py:name"),
        (["hosted", "--db", "x.db", "--wire", "memory:w"], "Missing option '--service'"),
        (["hosted", "--service", "SEATS", "--wire", "memory:w"], "Missing option '--db'"),
        (["hosted", "--service", "SEATS", "--db", "x.db"], "Missing option '--wire'"),
    ],
)
def test_what_cannot_be_hosted_is_refused(folder: Path, words: list[str], error: str) -> None:
    """In one line, and no store is made."""
    ended = amends_command("host", *words)
    refused(ended, ("host", *words))
    assert error in ended.err
    assert not (folder / "x.db").exists()


SPREAD: Final = """
from dataclasses import replace
from amends import Backoff, Command, Refused, Saga, local

def take(credit: int, price: int) -> int | Refused:
    return credit - price if price <= credit else Refused("no credit")

def give_back(credit: int, price: int) -> int:
    return credit + price

def hold(free: int, _: int) -> int | Refused:
    return free - 1 if free else Refused("sold out")

def let_go(free: int, _: int) -> int:
    return free + 1

quick = {"timeout_s": 1, "backoff": Backoff(0.05, 0.5)}  # what a killed process had is asked again within the test
tickets = Saga("tickets", int, [
    replace(local("CREDIT_TAKEN", take, entity=lambda _: "ada", undo=give_back, undone="CREDIT_RETURNED"), **quick),
    replace(local("SEATS_HELD", hold, entity=lambda _: "Hamlet", undo=let_go, undone="SEATS_FREED"), **quick),
])
"""


@contextmanager
def hosting(folder: Path, service: str, wire: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a host run, on its own file."""
    command = command_line(
        "host", "hosted", "--service", service, "--db", f"{service}.db", "--wire", wire, "--wait", "60"
    )
    host = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE)
    try:
        assert host.stdout is not None
        assert host.stdout.readline().startswith(f"amends: the host of {service} runs on".encode())
        yield host
    finally:
        host.kill()
        host.communicate()


async def sold(folder: Path, wire: str, definition: Saga) -> int:
    """Sell seats while the host of the credit is killed, and another one started; give how many sagas completed."""
    async with amends.open("memory:", sagas=[definition], wire=wire, elsewhere=["CREDIT", "SEATS"]) as engine:
        with hosting(folder, "CREDIT", wire) as credit:
            handles = [await engine.submit(definition, 10) for _ in range(20)]
            assert isinstance((await handles[0].result(PATIENCE_S)).state, Completed)
            credit.kill()
            credit.wait()
            handles += [await engine.submit(definition, 10) for _ in range(20)]
        with hosting(folder, "CREDIT", wire):
            states = [(await handle.result(PATIENCE_S)).state for handle in handles]
    assert {*map(type, states)} <= {Completed, Compensated}
    return sum(isinstance(state, Completed) for state in states)


def test_hosts_in_processes_and_databases_of_their_own_are_exact(folder: Path) -> None:
    """Over a wire in PostgreSQL, with a kill -9 in between: what was sold is what is gone, and no more."""
    (folder / "hosted.py").write_text(SPREAD)
    app: dict[str, Any] = {"__name__": "hosted"}
    exec(SPREAD, app)  # noqa: S102 - our own text
    definition, parts = app["tickets"], {"CREDIT": ("ada", 250), "SEATS": ("Hamlet", 30)}
    for service, (name, amount) in parts.items():
        built = Command("BUILT", service, lambda _, amount: amount)
        with amends.open(f"sqlite:///{folder}/{service}.db", sagas=[definition]) as store:
            store.carry_out(built, name, amount)
    with database() as url, hosting(folder, "SEATS", url):
        assert asyncio.run(sold(folder, url, definition)) == 25
    for service, (name, amount) in parts.items():
        with amends.open(f"sqlite:///{folder}/{service}.db", sagas=[definition]) as store:
            assert store.entity(service, name) == amount - 25 * (10 if service == "CREDIT" else 1)
        assert amends_command("audit", "verify", "--db", f"{folder}/{service}.db").code == 0
