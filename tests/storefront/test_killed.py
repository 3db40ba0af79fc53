"""`amends run --db`, killed at moments that nobody chose, and run again: the report of one run, and nothing twice."""

from __future__ import annotations

import json
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from amends.entrypoints.cli.run.batches import batch_of
from amends.entrypoints.cli.run.remarks import lines_of
from amends.errors import StoreError, StoreUnusable
from amends.shop import Session
from amends.shop.inventory import INVENTORY
from amends.shop.payments import PAYMENT
from amends.storage.rows import FINAL
from tests.acceptance.command import command_line, environment, process
from tests.storefront.storefronts import accounts_of, assert_sound, records_of

RUNS = [1, pytest.param(8, marks=pytest.mark.torture)]
CARRIED_OUT, LOGGED = "had been carried out before", "amends: saga "  # what only a run says that goes on
KILLS = 3  # of a run, beside those when it begins
LOOK_S = 0.005
PAUSE_S = 0.1  # a kill comes at any moment behind what was seen; a life that is over by then was not killed


def files_of(folder: Path, orders: int) -> list[Path]:
    """Write two files of orders, some of which fail at each of the services."""
    rng = random.Random("killed")
    goods = [["CREATE_CUSTOMER", f"C{number}", 50_000] for number in range(9)]
    goods += [["ADD_PRODUCT", f"P{number}", 900, 10] for number in range(9)]
    paths = []
    for name, first in (("one", 1), ("two", orders + 1)):
        placed = [
            ["PLACE_ORDER", f"C{rng.randrange(10)}", f"P{rng.randrange(9)}", rng.randint(0, 4)] for _ in range(orders)
        ]
        services = ("ORDER", "PAYMENT", "INVENTORY", "SHIPPING")
        fails = [["INJECT_FAILURE", rng.choice(services), f"O{first + place:03d}"] for place in range(0, orders, 7)]
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps([*goods, *placed, *fails, ["QUERY_ORDER", "O001"], ["QUERY_CUSTOMER", "C9"]]))
    return paths


def expected_of(paths: list[Path]) -> tuple[list[Any], list[str], Session]:
    """Return what a session in memory reports and remarks, and the session."""
    session = Session()
    reports: list[Any] = []
    remarks: list[str] = []
    for path in paths:
        batch = batch_of(str(path), path.read_bytes())
        reports.append(session.process(batch.operations))
        remarks += lines_of(batch, session.refusals, session.notes)
    return reports, remarks, session


def progress_of(store: Path) -> int:
    """Return how many sagas were started, and ended, in a store; -1 while there is none that can be read."""
    try:
        with records_of(store.parent) as records:
            counts = records.counts()
    except (StoreUnusable, StoreError):
        return -1
    return sum(sagas * (1 + (status in FINAL)) for (_, status), sagas in counts.items())


def killed(line: list[str | Path], store: Path, progress: int, pause_s: float) -> bool:
    """Start the command, and kill it some time after so much was seen to be stored; false when it had ended by then."""
    running = subprocess.Popen(
        command_line(*line), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while running.poll() is None and progress_of(store) < progress:  # it ends, or somebody waits in vain
            time.sleep(LOOK_S)
        with suppress(subprocess.TimeoutExpired):
            running.wait(pause_s)
            assert running.returncode == 0
            return False
    finally:
        running.kill()
        running.wait()
    return True


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize(("participants", "orders"), [("local", 1200), ("simulated", 20)])
def test_killed_again_and_again(participants: str, orders: int, runs: int, tmp_path: Path) -> None:
    """Report, remarks, stock, credit, sagas and audit are those of a run that nobody killed.

    Each life is killed some moments after it had got further than the life before, so that there are only so many.
    """
    paths = files_of(tmp_path, orders)
    expected = expected_of(paths)
    rng = random.Random(participants)
    met = 0
    for number in range(runs):
        folder = tmp_path / str(number)
        folder.mkdir()
        all_of_it = 4 * orders  # two files, of which each order starts and ends
        for share in (-1, 0, *sorted(rng.random() for _ in range(KILLS))):
            pause_s = rng.uniform(0, PAUSE_S)
            met += killed(words(participants, paths, folder), folder / "shop.db", int(share * all_of_it), pause_s)
        finish(participants, paths, folder, expected)
    assert met >= runs
    assert process("audit", "verify", "--db", folder / "shop.db").code == 0


def words(participants: str, paths: list[Path], folder: Path) -> list[str | Path]:
    """Return the command."""
    return ["run", "--json", "--db", folder / "shop.db", "--participants", participants, *paths]


def finish(participants: str, paths: list[Path], folder: Path, expected: tuple[Any, ...]) -> None:
    """Run the files to their end, and look at everything that is left."""
    reports, remarks, session = expected
    ran = process(*words(participants, paths, folder))
    assert ran.code == 0
    told = [line for line in ran.err.splitlines() if not (CARRIED_OUT in line or line.startswith(LOGGED))]
    assert told == remarks
    first, second = (json.loads(line) for line in ran.out.splitlines())
    assert (first["orders"], first["saga_log"]) == (reports[0]["orders"], reports[0]["saga_log"])
    assert second == reports[1]  # of the first file, customers and products are as they are now
    assert_sound(folder, len(reports[0]["orders"] | reports[1]["orders"]))
    accounts, products = dict(session.entities[PAYMENT]), dict(session.entities[INVENTORY])
    if participants == "simulated":
        assert accounts_of(folder, [*accounts]) == accounts
        accounts = {}
    with records_of(folder) as records:
        for service, entities in ((PAYMENT, accounts), (INVENTORY, products)):
            assert {key: json.loads(records.entity(service, key).body) for key in entities} == {
                key: [*entity] for key, entity in entities.items()
            }
