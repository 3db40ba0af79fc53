"""Stores that earlier versions wrote: each is migrated, shown, finished and verified by the version of today.

A store of today is written by the same generator, so that it is known to work when the next schema needs it.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends
from amends import Abandon, KeyReused, OperatorNeeded, Refused, RequestRefused, Result, Retry, Undo
from tests.acceptance.command import ROOT, environment
from tests.acceptance.command import amends as command
from tests.corpus.shop import COMMANDS, ERRAND, ORDER, ROLES, SAGAS, SERVICES, STOCKED, Order, Shelf, agreed, execute
from tests.postgres import schema

STORES = Path(__file__).parent / "stores"
NAMES = sorted(path.name.removesuffix(".json") for path in STORES.glob("*.json"))
VERIFIER = ROOT / "docs" / "verify_audit.py"
TODAY = "today"
FIRST_SCHEMA = 2  # version 1 of the schema came with version 2: nobody has a store of it
PATIENCE_S = 60.0  # for a saga to end whose participants answer at once

FROM_OUTSIDE = {
    "waits for an answer": ("ROOM_BOOKED/do", agreed("ROOM_BOOKED/do")),
    "waits for an answer after the pivot": ("PARCEL_SENT/do", agreed("PARCEL_SENT/do")),
    "waits with a deadline": ("ORDER_APPROVED/do", agreed("ORDER_APPROVED/do")),
    "waits for an undo": ("CARD_CHARGED/undo", agreed("CARD_CHARGED/undo")),
    "is canceled while it waits": ("ROOM_BOOKED/do", Refused("no room is left")),
}
"""What comes from outside for sagas that wait for it."""

SHOWN = ("archived", "waits with a deadline", "looks for its loan", "needs an operator", "was abandoned", "owes a room")
"""Of these the story is looked at: one saga for each status, and the archive."""


class Held(NamedTuple):
    """A copy of a store of the corpus.

    Attributes:
        path: of the copy.
        archive: of the copy of its archive; there is no such file where the version had no archives.
        said: what the version that wrote it says of what is in it.
    """

    path: Path
    archive: Path
    said: dict[str, Any]

    @property
    def url(self) -> str:
        """For `amends.open`."""
        return f"sqlite:///{self.path}"

    @property
    def files(self) -> list[Path]:
        """The store, and the archive where there is one."""
        return [path for path in (self.path, self.archive) if path.exists()]

    def home(self, name: str) -> Path:
        """The file that a saga is in."""
        return self.archive if ROLES[name].is_archived and self.archive.exists() else self.path

    def ids(self, path: Path | None = None) -> dict[str, str]:
        """The ids of the sagas that are in a file, the store by default, by their names."""
        return {name: one for name, one in self.said["sagas"].items() if self.home(name) == (path or self.path)}


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that was written just now."""
    folder = tmp_path_factory.mktemp("today")
    words = [sys.executable, "-m", "tests.corpus.write", str(folder), TODAY]
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=[*NAMES, TODAY])
def held(request: pytest.FixtureRequest, today: Path, tmp_path: Path) -> Held:
    """A copy of each store of the corpus, which no engine of today has opened yet."""
    folder, name = today if request.param == TODAY else STORES, request.param
    said = json.loads((folder / f"{name}.json").read_text("utf-8"))
    copy = Held(tmp_path / "store.db", tmp_path / "archive.db", said)
    for packed, path in ((f"{name}.db.gz", copy.path), (f"{name}.archive.db.gz", copy.archive)):
        if (folder / packed).exists():
            path.write_bytes(gzip.decompress((folder / packed).read_bytes()))
    return copy


@pytest.fixture
def migrated(held: Held) -> Held:
    """The same, and their archives, migrated by engines that know no saga: all of them stay where they are."""
    for path in held.files:
        with amends.open(f"sqlite:///{path}", sagas=[], orphans="leave"):
            pass
    return held


def schema_of(path: Path) -> int:
    """The version of a store's schema."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def listed(path: Path) -> dict[str, str]:
    """The status of each saga that `amends sagas` lists."""
    ran = command("sagas", "--db", path, "--json", "--limit", "1000")
    assert (ran.code, ran.err) == (0, "")
    return {saga["saga_id"]: saga["status"].replace("-", " ") for saga in json.loads(ran.out)["sagas"]}


def assert_verified(store: Held) -> None:
    """The audit verifies, by the head that was kept when the store was written; also without our code."""
    archives = ["--archive", str(store.archive)] if store.archive.exists() else []
    ran = command("audit", "verify", "--db", store.path, "--head", store.said["head"], *archives)
    assert (ran.code, ran.err) == (0, ""), ran.out
    words = [sys.executable, str(VERIFIER), str(store.path), store.said["head"]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def agreeing(name: str, what: str) -> Any:
    """A participant who says yes to everything."""
    return agreed(what)


def opened(store: Held, url: str = "") -> Any:
    """An engine on the store, or where that has moved, whose participants say yes."""
    return amends.open(url or store.url, sagas=SAGAS, commands=COMMANDS, clients=dict.fromkeys(SERVICES, agreeing))


def finish(engine: Any, ids: dict[str, str]) -> dict[str, Result]:
    """Answer all that is waited for, say what operators say, have undone what is owed, and give the results."""
    for name, (request, outcome) in FROM_OUTSIDE.items():
        if name in ids:
            engine.answer(f"{ids[name]}/{request}", outcome)
    engine.tell(ids["needs an operator"], Retry("CARD_CHARGED", "ada: the account is open again"))
    engine.tell(ids["needs an operator who gives it up"], Abandon("ada: it is not worth the trouble"))
    if engine.result(ids["owes a room"], PATIENCE_S).owed:  # earlier versions did not keep it
        engine.tell(ids["owes a room"], Undo("ROOM_BOOKED", "ada: the hotel is told"))
    return {name: engine.result(saga_id, PATIENCE_S) for name, saga_id in ids.items()}


def test_a_reader_leaves_an_earlier_store_as_it_is(held: Held, today: Path) -> None:
    """And says who brings it up to date; one of today is read at once."""
    newest = held.path.with_name("newest.db")
    newest.write_bytes(gzip.decompress((today / f"{TODAY}.db.gz").read_bytes()))
    is_earlier = schema_of(held.path) < schema_of(newest)
    for path in held.files:
        before = path.read_bytes()
        ran = command("sagas", "--db", path)
        assert ran.code == (2 if is_earlier else 0)
        assert ("an engine that opens it brings it to version" in ran.err) == is_earlier
        assert path.read_bytes() == before


def test_an_earlier_store_is_backed_up_as_it_is(held: Held) -> None:
    """Before the first start of a new version: it can be gone back from then."""
    backup = held.path.with_name("backup.db")
    ran = command("backup", backup, "--db", held.path)
    assert (ran.code, held.said["head"] in ran.out) == (0, True), ran.err
    with closing(sqlite3.connect(held.path)) as here, closing(sqlite3.connect(backup)) as there:
        assert schema_of(backup) == schema_of(held.path)
        assert [*there.iterdump()] == [*here.iterdump()]


def test_every_saga_stands_where_it_stood(migrated: Held) -> None:
    """In the list, and with its story; also in the archive."""
    for path in migrated.files:
        assert listed(path) == {saga_id: ROLES[name].status for name, saga_id in migrated.ids(path).items()}
    for name in SHOWN:
        ran = command("show", migrated.said["sagas"][name], "--db", migrated.home(name))
        assert (ran.code, ran.err) == (0, "")
        assert ROLES[name].status in ran.out


def test_operators_and_their_sagas_say_why(migrated: Held) -> None:
    """What was said in the version that wrote it: in the story, and to the caller who asks for the result."""
    saga_id = migrated.said["sagas"]["needs an operator"]
    shown = json.loads(command("show", saga_id, "--db", migrated.path, "--json").out)["saga"]
    assert shown["trouble"] == "the account is closed"
    assert shown["reason"] in ("not today", "")  # which earlier versions wrote over, and only their records tell
    with opened(migrated) as engine, pytest.raises(OperatorNeeded, match="the account is closed"):
        engine.result(saga_id, PATIENCE_S)
    told = command("show", migrated.said["sagas"]["was resolved by an operator"], "--db", migrated.path).out
    assert "ada: as the customer wished" in told


def test_records_are_told_as_they_were_written(held: Held) -> None:
    """Each that is words, word by word, after the migration: subject, number, time, cause and changes."""
    with closing(sqlite3.connect(held.path)) as database:
        blocks = database.execute("SELECT number, records FROM blocks ORDER BY number").fetchall()
    words = ((number, lines) for number, lines in blocks if lines.startswith('["'))
    written = [[number, *json.loads(line)] for number, lines in words for line in lines.splitlines()]
    with amends.open(held.url, sagas=[], orphans="leave"):
        pass
    exported = command("audit", "export", "--db", held.path).out.splitlines()
    told = [[value for name, value in json.loads(line).items() if name != "chain"] for line in exported]
    assert told[: len(written)] == written


def test_entities_are_what_they_were(held: Held) -> None:
    """Those that are gone, too; and as the types that functions declare."""
    with amends.open(held.url, sagas=[], orphans="leave", commands=COMMANDS) as engine:
        for service, entity_id, value in held.said["entities"]:
            assert json.loads(json.dumps(engine.entity(service, entity_id))) == value, entity_id
        assert isinstance(engine.entity("SHELF", "book"), Shelf)


def test_client_keys_give_what_they_gave(held: Held) -> None:
    """The same saga, the same refusal, the same answer of a command; another request under a key is told apart."""
    with opened(held) as engine:
        for name, saga_id in held.ids().items():
            assert engine.submit(ROLES[name].saga, Order(name), key=name).saga_id == saga_id
            with pytest.raises(KeyReused):
                engine.submit(ROLES[name].saga, Order("another"), key=name)
        before = engine.entity("SHELF", "paper")
        with pytest.raises(RequestRefused, match="there is no shelf for unicorn"):
            engine.submit(ERRAND, Order("refused", "unicorn"), key="refused")
        nothing = Refused("nothing to put on the shelf")
        assert execute(engine, STOCKED, "paper", 500, key="paper is stocked") is None
        assert execute(engine, STOCKED, "paper", 0, key="paper is stocked with nothing") == nothing
        assert engine.entity("SHELF", "paper") == before


def test_every_saga_is_finished(migrated: Held) -> None:
    """As it would have been by the version that began it; the audit verifies before and after."""
    assert_verified(migrated)
    ids = migrated.ids()
    with opened(migrated) as engine:
        results = finish(engine, ids)
        ends = {name: type(result.state).__name__.lower() for name, result in results.items()}
        assert not any(result.owed for result in results.values())
        now = {**results["waits for an answer"].answers, "SHELF_TAKEN": {"left": 98}}
        assert results["completed"].answers == now
        assert ends == {name: ROLES[name].end for name in ids}
        assert_entities_at_the_end(engine, migrated)
    assert listed(migrated.path) == {saga_id: ends[name] for name, saga_id in ids.items()}
    assert_verified(migrated)


@pytest.mark.parametrize("held", ["schema-2-first", TODAY], indirect=True)
def test_every_saga_is_finished_where_it_moved(held: Held) -> None:
    """On a PostgreSQL, as it would have been in the file; its client key gives it, and the audit goes on."""
    with schema() as url:
        ran = command("move", held.path, url)
        assert (ran.code, ran.err) == (0, "")
        with opened(held, url) as engine:
            results = finish(engine, held.ids())
            ends = {name: type(result.state).__name__.lower() for name, result in results.items()}
            assert ends == {name: ROLES[name].end for name in held.ids()}
            assert not any(result.owed for result in results.values())
            assert_entities_at_the_end(engine, held)
            for name, saga_id in held.ids().items():
                assert engine.submit(ROLES[name].saga, Order(name), key=name).saga_id == saga_id
        archives = ["--archive", str(held.archive)] if held.archive.exists() else []
        ran = command("audit", "verify", "--db", url, "--head", held.said["head"], *archives)
        assert (ran.code, ran.err) == (0, ""), ran.out
        ran = command("audit", "recompute", "tests.corpus.shop", "--db", url)
        assert (ran.code, ran.err) == (0, ""), ran.out


def assert_entities_at_the_end(engine: Any, store: Held) -> None:
    """What was taken is what orders and errands hold that were not turned back."""
    ends = {name: ROLES[name].end for name in store.said["sagas"] if ROLES[name].saga in (ORDER, ERRAND)}
    orders = {name: end for name, end in ends.items() if ROLES[name].saga is ORDER}
    taken = sum(end != "compensated" for end in ends.values())
    assert engine.entity("SHELF", "book") == Shelf(100 - taken, taken)
    assert engine.entity("POINTS", "ada") == 10 * sum(end == "completed" for end in orders.values())
    assert {name: engine.entity("BASKET", name) is None for name in orders} == {
        name: end == "completed" for name, end in orders.items()
    }


def test_an_archive_goes_on(held: Held) -> None:
    """What ends today joins what was archived then; both verify together."""
    with opened(held) as engine:
        finish(engine, held.ids())
    ran = command("archive", "--before", "2999-01-01", "--to", held.archive, "--db", held.path)
    assert (ran.code, ran.err) == (0, "")
    assert listed(held.path) == {}
    assert listed(held.archive) == {saga_id: ROLES[name].end for name, saga_id in held.said["sagas"].items()}
    assert_verified(held)


def test_there_is_a_store_of_every_schema(today: Path, tmp_path: Path) -> None:
    """Before a version of the schema is added, a store of the one before is written: see README.md beside this."""
    store = tmp_path / "store.db"
    store.write_bytes(gzip.decompress((today / f"{TODAY}.db.gz").read_bytes()))
    assert {int(name.split("-")[1]) for name in NAMES} >= {*range(FIRST_SCHEMA, schema_of(store))}
    for name in NAMES:
        store.write_bytes(gzip.decompress((STORES / f"{name}.db.gz").read_bytes()))
        assert name.startswith(f"schema-{schema_of(store)}-")
