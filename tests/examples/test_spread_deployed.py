"""examples/spread, as docs/spread.md shows it: roles, rights, units, containers and settings do what they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.main import get_command

import amends
from amends.engine.limits import DRAIN_S
from amends.entrypoints.cli.app import app
from examples.spread.sagas import Buy, credit_given, seats_built, tickets
from tests.acceptance.command import ROOT, running
from tests.acceptance.command import amends as command
from tests.acceptance.test_worker import PATIENCE_S
from tests.postgres import Server, own_server

PLACE = ROOT / "examples" / "spread"
UNITS = sorted(PLACE.glob("*.service"))
INSTANCES = {"credit": "amends-host@", "seats": "amends-host@", "1": "amends-coordinator@", "2": "amends-coordinator@"}
AMENDS = "/opt/tickets/bin/amends"
GROUP: Any = get_command(app)


def expect_command(words: Sequence[str]) -> None:
    """See that a command is there, with each of its options."""
    assert words[0] in ("amends", AMENDS)
    GROUP.commands[words[1]].make_context(words[1], [*words[2:]])


def unit(path: Path) -> ConfigParser:
    """Return the settings of a unit."""
    settings = ConfigParser(strict=True, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    settings.optionxform = str  # type: ignore[assignment, method-assign]  # as systemd has it
    settings.read_string(path.read_text("utf-8"))
    return settings


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_is_there(path: Path) -> None:
    """It starts what stopped, leaves time for the calls under way, and makes the folder of the file with its health."""
    settings = unit(path)
    words = shlex.split(settings["Service"]["ExecStart"])
    expect_command(words)
    folder = settings["Service"]["RuntimeDirectory"]
    assert words[words.index("--health") + 1] == f"/run/{folder}/health.json"
    assert settings["Service"]["Restart"] == "always"
    assert int(settings["Service"]["TimeoutStopSec"]) > DRAIN_S
    assert settings["Install"]["WantedBy"] == "multi-user.target"


def test_containers_run_commands_that_are_there() -> None:
    """And so do their health checks, over the port on which they tell it."""
    text = (PLACE / "compose.yaml").read_text("utf-8")
    commands = [json.loads(found) for found in re.findall(r"^ +command: (\[.*\])$", text, re.MULTILINE)]
    checks = [json.loads(found)[1:] for found in re.findall(r"test: (\[.*?\])", text)]
    checks = [check for check in checks if check[0] == "amends"]
    assert len(commands) == len(checks) == 3
    for words, check in zip(commands, checks, strict=True):
        expect_command(words)
        expect_command(check)
        assert words[words.index("--health") + 1] == check[-1]


def test_each_failure_of_the_page_is_held_by_tests_that_are_there() -> None:
    """Every row of its table names at least one."""
    page = (ROOT / "docs" / "spread.md").read_text("utf-8")
    _, _, table = page.partition("### When something fails")
    rows = [row for row in table.partition("### ")[0].splitlines() if row.startswith("| ")][1:]
    assert len(rows) == 10
    for row in rows:
        tests = re.findall(r"\[`(test_\w+)`\]\(\.\./([\w/]+\.py)\)", row)
        assert tests, row
        for name, path in tests:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), name


def variables(path: Path) -> dict[str, str]:
    """Return what a file of an environment sets."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@contextmanager
def started(instance: str, folder: Path, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Start an instance of a unit, as systemd does, but for the places of its programs and its health."""
    settings = unit(PLACE / f"{INSTANCES[instance]}.service")["Service"]
    given = variables(PLACE / Path(settings["EnvironmentFile"].replace("%i", instance)).name)
    given |= {"PGHOST": str(server.folder)}
    given.pop("PGPASSWORD")
    line = re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], settings["ExecStart"])
    words = line.replace(AMENDS, f"{sys.executable} -W error -m amends").replace("/run/", f"{folder}/")
    (folder / settings["RuntimeDirectory"].replace("%i", instance)).mkdir(exist_ok=True)
    with running(shlex.split(words.replace("%i", instance)), PLACE, **given) as process:
        yield process


def health_of(instance: str, folder: Path) -> Path:
    """Return where an instance tells its health."""
    return folder / f"tickets-{'' if instance in ('credit', 'seats') else 'coordinator-'}{instance}" / "health.json"


def until(code: int, place: Path) -> str:
    """Wait until a process is ready (0), or is not (1); give what it tells."""
    end = time.monotonic() + PATIENCE_S
    while (ran := command("health", place)).code != code:
        assert time.monotonic() < end, ran
        time.sleep(0.1)
    return ran.out + ran.err


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server on which `roles.sql` and `rights.sh` ran, as they are."""
    with own_server() as server:
        server.tool("psql", "-v", "ON_ERROR_STOP=1", "-f", _readable(server, PLACE / "roles.sql"))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PGHOST", str(server.folder))
            for line in (PLACE / "rights.sh").read_text("utf-8").splitlines()[3:]:
                assert (ran := command(*shlex.split(line)[1:])).code == 0, ran
        yield server


def _readable(server: Server, file: Path) -> Path:
    """Return a copy that the user of the server's programs may read."""
    copy = server.folder / file.name
    shutil.copy(file, copy)
    copy.chmod(0o644)
    return copy


def url(server: Server, role: str, database: str) -> str:
    """Return the address of a database, as a role."""
    return f"postgresql://{role}@/{database}?host={server.folder}"


OWN = {
    "credit_host": {"credit", "wire"}, "seats_host": {"seats", "wire"}, "coordinator": {"sagas", "wire"},
    "web": {"sagas"},
}  # fmt: skip


@pytest.mark.parametrize("role", OWN)
@pytest.mark.parametrize("database", ["credit", "seats", "sagas", "wire"])
def test_no_process_opens_the_database_of_another_one(server: Server, role: str, database: str) -> None:
    """Each its own and the wire, a client that of the coordinators: the server sees to it."""
    if database in OWN[role]:
        psycopg.connect(url(server, role, database)).close()
    else:
        with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{database}"'):
            psycopg.connect(url(server, role, database))


@pytest.mark.parametrize(
    ("role", "database", "statement"),
    [
        ("credit_host", "credit", "DELETE FROM amends.blocks"),
        ("credit_host", "credit", "DROP SCHEMA amends CASCADE"),
        ("coordinator", "sagas", "UPDATE amends.blocks SET number = 0"),
        ("web", "sagas", "DELETE FROM amends.letters"),
        ("web", "sagas", "UPDATE amends.sagas SET body = ''"),
        ("credit_host", "wire", "TRUNCATE amends_wire.messages"),
        ("coordinator", "wire", "UPDATE amends_wire.messages SET channel = 'SEATS'"),
        ("seats_host", "wire", "DELETE FROM amends_wire.parked"),
    ],
)
def test_no_role_changes_what_is_not_its_own(server: Server, role: str, database: str, statement: str) -> None:
    """Neither what was recorded nor what others sent."""
    with (
        psycopg.connect(url(server, role, database)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_the_units_sell_tickets_and_survive_a_kill(server: Server, tmp_path: Path) -> None:
    """A service that is killed is waited for, a coordinator is taken over; what is sold is exact, all chains verify."""
    with amends.open(url(server, "credit_host", "credit"), sagas=[tickets]) as store:
        patiently(lambda: store.carry_out(credit_given, "ada", 100, key="first"))
    with amends.open(url(server, "seats_host", "seats"), sagas=[tickets]) as store:
        patiently(lambda: store.carry_out(seats_built, "Hamlet", 30, key="first"))
    with ExitStack() as processes:
        running = {name: processes.enter_context(started(name, tmp_path, server)) for name in INSTANCES}
        for name in INSTANCES:
            assert "wire        answers" in until(0, health_of(name, tmp_path))
        with amends.connect(url(server, "web", "sagas"), sagas=[tickets]) as client:
            assert client.submit(tickets, Buy("ada", "Hamlet", 1)).result(PATIENCE_S).reason == ""
            for name in ("credit", "1"):
                running[name].kill()
                running[name].wait()
            sold = [client.submit(tickets, Buy("ada", "Hamlet", 1), key=f"sale {number}") for number in range(5)]
            assert command("health", health_of("2", tmp_path)).code == 0
            processes.enter_context(started("credit", tmp_path, server))
            ends = [handle.result(PATIENCE_S) for handle in sold]
    assert sorted(end.reason for end in ends) == [*[""] * 4, "0 left"]
    with psycopg.connect(url(server, "postgres", "wire")) as wire:
        assert wire.execute("SELECT count(*) FROM amends_wire.parked").fetchone() == (0,)
    for role, database in (("credit_host", "credit"), ("seats_host", "seats"), ("coordinator", "sagas")):
        assert command("audit", "verify", "--db", url(server, role, database)).code == 0
    with amends.open(url(server, "seats_host", "seats"), sagas=[tickets]) as store:
        assert store.entity("SEATS", "Hamlet") == 25


def patiently(ask: Any) -> None:
    """Ask until the engine has its shards."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            ask()
        except amends.Overloaded:
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return
