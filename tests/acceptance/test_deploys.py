"""Deploys as they are: other processes with other code on the same store, and a kill in the middle of one."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest

from amends.adapters.sqlite.reader import SqliteReader
from amends.storage.rows import EntityRow
from tests.acceptance.command import amends

APP = """
import sys
from typing import NamedTuple
import amends
from amends import Done, Later, Saga, external

SHAPES = {
    "first": [("item", str), ("count", int), ("price", int)],
    "default": [("item", str), ("count", int), ("price", int), ("note", str, "")],
    "required": [("item", str), ("count", int), ("price", int), ("note", str)],
    "renamed": [("item", str), ("count", int), ("cost", int, 0)],
    "reordered": [("item", str), ("price", int), ("count", int)],
    "retyped": [("item", str), ("count", str), ("price", int)],
}
shape, store, act, *more = sys.argv[1:]
fields = SHAPES[shape]
Order = NamedTuple("Order", [field[:2] for field in fields])
Order._field_defaults = {field[0]: field[2] for field in fields[3:] + fields[2:3] if len(field) == 3}
Order.__new__.__defaults__ = tuple(Order._field_defaults.values())
values = {"item": "book", "count": 2, "price": 30, "cost": 30, "note": ""}
order = Order(*(field[1](values[field[0]]) for field in fields))

def ask(_, order, call):
    return Later(within_s=3600)

def ship(_, order, call):
    return Done(order._asdict())

def upcast(stored):
    return Order(**{name: stored[name] for name in Order._fields})

saga = Saga("shop", Order, [external("PAID", ask, pivot=True, limit_s=7200), external("SHIPPED", ship)],
            upcast=upcast if "upcast" in more else None)
try:
    with amends.open(store, sagas=[saga]) as engine:
        if act == "submit":
            print(engine.submit(saga, order, key="client 1").saga_id)
        elif act == "answer":
            engine.answer(f"{more[0]}/PAID/do", Done())
            print(engine.result(more[0], 30).answers["SHIPPED"])
except amends.AmendsError as error:
    print(type(error).__name__, error)
"""

BOOK = "{'item': 'book', 'count': 2, 'price': 30}"


def app(shape: str, store: Path, *given: str) -> str:
    """Run a process that has one shape of the order, and return what it says."""
    command = [sys.executable, "-c", APP, shape, f"sqlite:///{store}", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a store with a saga of the first shape that waits, and its id."""
    store = tmp_path_factory.mktemp("waiting") / "shop.db"
    return store, app("first", store, "submit")


@pytest.fixture
def store(waiting: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a store of its own with that saga."""
    copyfile(waiting[0], tmp_path / "shop.db")
    return tmp_path / "shop.db"


@pytest.fixture
def saga_id(waiting: tuple[Path, str]) -> str:
    """Return the id of that saga."""
    return waiting[1]


def test_a_saga_waits_across_deploys(store: Path, saga_id: str) -> None:
    """A compatible one: the waiting saga goes on, and its client, who tries again, gets the same one."""
    assert app("default", store, "submit") == saga_id
    assert app("first", store, "submit") == saga_id
    assert app("default", store, "answer", saga_id) == f"{BOOK[:-1]}, 'note': ''}}"


@pytest.mark.parametrize("shape", ["required", "renamed", "reordered", "retyped"])
def test_a_mistaken_deploy_is_refused_and_taken_back(store: Path, saga_id: str, shape: str) -> None:
    """Its store is as before."""
    refused = app(shape, store, "answer", saga_id)
    assert refused.startswith(f"DefinitionError saga 'shop', version 1: {saga_id}, which is under way: the request")
    assert app("first", store, "answer", saga_id) == BOOK


def test_an_upcaster_brings_a_saga_across(store: Path, saga_id: str) -> None:
    """By the names of its fields."""
    assert app("reordered", store, "answer", saga_id, "upcast") == "{'item': 'book', 'price': 30, 'count': 2}"
    assert app("reordered", store, "look").strip() == ""


UPCASTING = """
import os, signal, sys
from typing import NamedTuple
import amends
from amends import Command
from amends.adapters.sqlite.store import SqliteStore
from amends.engine import upcasting

class Stock(NamedTuple):
    price: int
    count: int

def put(_: Stock, stock):
    return stock

def upcast(stored):
    return Stock(stored["price"], stored["count"])

upcasting.PAGE, commit, left = 10, SqliteStore.commit, int(sys.argv[2])
def counted(store, changes):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    commit(store, changes)
SqliteStore.commit = counted

with amends.open(sys.argv[1], sagas=[], commands=[Command("PUT", "SHELF", put)], upcasts={"SHELF": upcast}) as engine:
    print(all(engine.entity("SHELF", f"E{number:03}") == Stock(30, number) for number in range(95)))
"""


FIRST = """
import sys
from typing import NamedTuple
import amends
from amends import Command

class Stock(NamedTuple):
    count: int
    price: int

def put(_: Stock, stock):
    return stock

with amends.open(sys.argv[1], sagas=[]) as engine:
    for number in range(95):
        engine.carry_out(Command("PUT", "SHELF", put), f"E{number:03}", Stock(number, 30))
"""


def run(code: str, *given: object) -> subprocess.CompletedProcess[str]:
    """Run some code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with entities of a first type."""
    store = tmp_path_factory.mktemp("shelf") / "shop.db"
    assert run(FIRST, f"sqlite:///{store}").returncode == 0
    return store


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("commits", [0, 1, 4, 9])
def test_killed_in_the_middle_of_an_upcast_it_goes_on(shelf: Path, tmp_path: Path, commits: int) -> None:
    """No entity is rewritten twice, and the audit holds."""
    store = tmp_path / "shop.db"
    copyfile(shelf, store)
    url = f"sqlite:///{store}"
    assert run(UPCASTING, url, commits).returncode == -signal.SIGKILL
    if commits:
        assert (
            "an earlier start began to upcast them"
            in run(FIRST.replace("sagas=[]", "sagas=[], commands=[Command('PUT', 'SHELF', put)]"), url).stderr
        )
    done = run(UPCASTING, url, 100)
    assert (done.stdout, done.stderr) == ("True\n", "")
    with closing(SqliteReader(store)) as found:
        rows = [found.entity("SHELF", f"E{number:03}") for number in range(95)]
    assert {row.version for row in rows if isinstance(row, EntityRow)} == {2}
    assert len(rows) == len([row for row in rows if isinstance(row, EntityRow)])
    verified = amends("audit", "verify", "--db", url)
    assert verified.code == 0, verified.out
