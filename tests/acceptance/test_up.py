"""`amends up` and `amends run --spread`: the shop in processes and databases of its own, with the reports of one."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends as amends_package
from amends.entrypoints.spread import nats, programs
from amends.entrypoints.spread.processes import ShopProcess, end_all, start_all
from amends.entrypoints.spread.tied import TiedProcess
from amends.errors import EngineStopped, UnusableInput
from amends.storefront import open_spread
from amends.storefront.apart import SAGAS, SERVICES
from tests.acceptance.command import EXAMPLES, amends, command_line, environment
from tests.acceptance.test_bad_input import refused
from tests.acceptance.test_worker import PATIENCE_S, until_there
from tests.nats import expect_nats
from tests.postgres import server
from tests.shop.batches import places, random_batch, text_of
from tests.shop.naive import NaiveSession

UP = re.compile(r"amends: (\S+) +is up, process (\d+), on (\S+)")
PROCESSES = ["ORDER", "PAYMENT", "INVENTORY", "SHIPPING", "coordinator-1", "coordinator-2"]


class LookedAt(NamedTuple):
    """A shop that runs.

    Attributes:
        up: the process of the command.
        folder: with all of it.
        url: where orders are placed.
        processes: the shop's, by name.
    """

    up: subprocess.Popen[str]
    folder: str
    url: str
    processes: dict[str, int]


@contextmanager
def looked_at(*words: str) -> Iterator[LookedAt]:
    """Start the shop, and end it by a ctrl-C."""
    server()  # skips, aloud, where none can be had
    with tempfile.TemporaryDirectory(prefix="amends-up-") as place:  # short: it has a socket
        Path(place).chmod(0o755)
        line = command_line("up", "--data", f"{place}/shop", *words)
        up = subprocess.Popen(line, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert up.stdout is not None
        try:
            said: list[str] = []
            while not said or "Ctrl-C" not in said[-1]:
                said.append(up.stdout.readline())
                assert said[-1], (said, up.communicate())
            processes = {name: int(pid) for name, pid, _ in UP.findall("".join(said))}
            found = re.search(r"--spread '(\S+)'", "".join(said))
            assert found is not None
            yield LookedAt(up, f"{place}/shop", found[1], processes)
        finally:
            up.send_signal(signal.SIGINT)
            ended = up.communicate(timeout=PATIENCE_S)
        assert (up.returncode, ended[1]) == (0, "")
        assert ended[0].endswith("amends: all have ended\n")
    for pid in processes.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def expect_same_reports(url: str, naive: NaiveSession, batches: Iterable[Any]) -> None:
    """See that the spread shop says of each batch what the naive reading of the contract says."""
    with open_spread(url) as spread:
        for number, batch in enumerate(batches):
            report: Any = spread.session.process(batch)
            assert text_of(report) == text_of(naive.process(batch)), f"batch {number}"
            assert places(spread.session.refusals) == places(naive.refusals), f"batch {number}"


def begun(url: str) -> NaiveSession:
    """Run both examples of the contract, which say the same as in one process; give the naive reading of them."""
    spread = amends("run", "--json", "--spread", url, *EXAMPLES)
    assert spread == amends("run", "--json", *EXAMPLES)
    documents = [json.loads(file.read_text("utf-8")) for file in EXAMPLES]
    assert [json.loads(line) for line in spread.out.splitlines()] == [document["report"] for document in documents]
    naive = NaiveSession()
    for document in documents:
        naive.process(document["operations"])
    return naive


def drawn(naive: NaiveSession, rng: random.Random, number: int) -> Iterator[Any]:
    """Draw batches, each for the orders that there are by then."""
    for _ in range(number):
        yield random_batch(rng, len(naive.orders) + 1)


def kill(look: LookedAt, name: str) -> None:
    """Kill a process, and wait until another one is in its place."""
    before = look.processes[name]
    os.kill(before, signal.SIGKILL)
    assert look.up.stdout is not None
    assert look.up.stdout.readline() == f"amends: {name}, process {before}, died, and is started again\n"
    again = UP.match(look.up.stdout.readline())
    assert again is not None
    assert again[1] == name
    look.processes[name] = int(again[2])


def test_eight_processes_say_what_one_says() -> None:
    """Both examples of the contract, byte for byte, and random batches; a process that dies is told, and replaced."""
    with looked_at() as look:
        assert [*look.processes] == PROCESSES
        naive, rng = begun(look.url), random.Random(39)
        expect_same_reports(look.url, naive, drawn(naive, rng, 2))
        again = amends("up", "--data", look.folder)
        assert (again.code, again.err.count("its server runs already")) == (2, 1)
        kill(look, "SHIPPING")
        expect_ready(look)


def expect_ready(look: LookedAt) -> None:
    """See that each process tells that it is ready, as the one that runs now."""
    folder = Path(look.url.partition("?host=")[2]).parents[1]
    end = time.monotonic() + PATIENCE_S
    for name, pid in look.processes.items():
        while f", process {pid}\n" not in (ran := amends("health", folder / f"{name}.json")).out or ran.code:
            assert time.monotonic() < end, ran
            time.sleep(0.1)


@pytest.mark.torture
@pytest.mark.parametrize("wire", ["postgresql", "nats"])
def test_reports_stay_the_same_while_processes_are_killed(wire: str) -> None:
    """Any of the six, again and again, while orders run."""
    expect_nats()
    with looked_at("--wire", wire) as look, ThreadPoolExecutor(1) as pool:
        naive, rng = begun(look.url), random.Random(f"killed {wire}")
        for name in rng.choices(PROCESSES, k=12):
            running = pool.submit(expect_same_reports, look.url, naive, drawn(naive, rng, 3))
            kill(look, name)
            running.result()


def test_a_process_that_does_not_start_ends_all(tmp_path: Path) -> None:
    """It is named, with the last that it said; the others are ended."""
    (tmp_path / "app.py").write_text(
        "import amends\nfrom amends.storefront.apart import SAGAS\nengine = amends.open('memory:', sagas=SAGAS)\n"
    )
    both = [ShopProcess(name, "", ["worker", f"{name}.py:engine"], tmp_path) for name in ("app", "none")]
    try:
        with pytest.raises(EngineStopped, match=r"none does not start: amends: none.py: .*no such file"):
            start_all(both, lambda: False)
    finally:
        end_all(both, PATIENCE_S)
    assert not any(process.runs for process in both)


PARENT = """
import sys, time
from amends.entrypoints.spread.tied import TiedProcess, once_we_are_gone
tied = TiedProcess([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"], sys.stdout.buffer)
once_we_are_gone(["sh", "-c", "echo > gone"])
time.sleep(600)
"""


def test_what_was_started_ends_with_who_started_it(tmp_path: Path) -> None:
    """Also where that is killed: the end of its output is that of all who write to it."""
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    assert parent.communicate(timeout=PATIENCE_S)[0] == b""
    until_there(tmp_path / "gone")


def test_a_watcher_is_let_go() -> None:
    """With the process that it watched."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb") as output, os.fdopen(reads, "rb") as text:
        TiedProcess([sys.executable, "-c", "print('ran')"], output).wait(PATIENCE_S)
        output.close()
        assert text.read() == b"ran\n"


def test_a_nats_server_of_the_shops_own_is_a_wire(tmp_path: Path) -> None:
    """Its settings are those that a wire asks for; started again, it has another port, and the same messages."""
    expect_nats()
    own = nats.LocalNats(tmp_path)
    for _ in range(2):
        own.start()
        try:
            with amends_package.open("memory:", sagas=SAGAS, wire=own.url, elsewhere=SERVICES):
                pass
        finally:
            own.stop()


def test_what_cannot_be_looked_at_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line: a folder that is none or whose path is too long, and servers that are not to be had."""
    (tmp_path / "file").touch()
    deep = tmp_path / ("x" * 80)
    monkeypatch.setattr(nats, "PROGRAM", "no-such-program")
    for words, error in ((["--data", str(tmp_path / "file")], "cannot be used"), (["--data", str(deep)], "too long")):
        ran = amends("up", *words)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert error in ran.err
    with tempfile.TemporaryDirectory(prefix="amends-up-") as place:
        monkeypatch.setattr(programs, "_found", lambda _: iter(()))
        ran = amends("up", "--data", place)
        assert (ran.code, ran.err) == (2, f"amends: no PostgreSQL starts here: {programs.REMEDY}\n")
    with pytest.raises(UnusableInput, match="no NATS server is here: install one"):
        nats.LocalNats(tmp_path)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--db", "shop.db"], "--spread goes without --db"),
        (["--again"], "--spread goes without --db"),
        (["--participants", "simulated"], "--spread goes without --db"),
    ],
)
def test_a_run_has_one_place(words: list[str], error: str) -> None:
    """Services that are elsewhere keep nothing here."""
    ran = amends("run", "--spread", "sqlite:///nowhere.db", *words, *EXAMPLES)
    refused(ran, words)
    assert error in ran.err


def test_a_store_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In one line."""
    for file in (tmp_path / "no" / "such.db", tmp_path / "such.db"):
        words = ["run", "--spread", str(file), *map(str, EXAMPLES)]
        refused(amends(*words), words)
    assert not [*tmp_path.iterdir()], "nothing is made"


def test_a_shop_that_is_not_up_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Whoever asks is told to look at the processes; what was asked for goes on once they run."""
    url = f"sqlite:///{tmp_path}/sagas.db"
    with amends_package.open(url, sagas=SAGAS, wire="memory:nobody", elsewhere=SERVICES):
        pass
    with (
        open_spread(url, patience_s=0.1) as spread,
        pytest.raises(EngineStopped, match="are its coordinators and hosts up"),
    ):
        spread.session.process([("CREATE_CUSTOMER", "C001", 1)])
