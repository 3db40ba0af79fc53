"""Stores that earlier versions wrote: each is migrated, shown, finished and verified by the version of today.

A store of today is written by the same generator, so that it is known to work when the next schema needs it.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends
from amends import Abandon, KeyReused, OperatorNeeded, Refused, RequestRefused, Result, Retry
from tests.acceptance.command import ROOT, environment
from tests.acceptance.command import amends as command
from tests.corpus.shop import COMMANDS, ERRAND, LOAN, ROLES, SAGAS, SERVICES, STOCKED, Order, agreed, execute

STORES = Path(__file__).parent / "stores"
NAMES = sorted(path.name.removesuffix(".json") for path in STORES.glob("*.json"))
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

    def ids(self) -> dict[str, str]:
        """The ids of the sagas that are in the store itself, by their names."""
        return {name: one for name, one in self.said["sagas"].items() if not self.is_archived(name)}

    def is_archived(self, name: str) -> bool:
        """Whether a saga is in the archive."""
        return ROLES[name].is_archived and self.archive.exists()


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that was written just now."""
    folder = tmp_path_factory.mktemp("today")
    words = [sys.executable, "-m", "tests.corpus.write", str(folder), TODAY]
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=[*NAMES, TODAY])
def held(request: pytest.FixtureRequest, today: Path, tmp_path: Path) -> Iterator[Held]:
    """A copy of each store of the corpus, which no engine of today has opened yet."""
    folder, name = today if request.param == TODAY else STORES, request.param
    said = json.loads((folder / f"{name}.json").read_text("utf-8"))
    copy = Held(tmp_path / "store.db", tmp_path / "archive.db", said)
    for packed, path in ((f"{name}.db.gz", copy.path), (f"{name}.archive.db.gz", copy.archive)):
        if (folder / packed).exists():
            path.write_bytes(gzip.decompress((folder / packed).read_bytes()))
    yield copy
    verified(copy)


def schema_of(path: Path) -> int:
    """The version of a store's schema."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def verified(store: Held) -> None:
    """The audit of a migrated store verifies, against the head that was kept, too."""
    archives = ["--archive", str(store.archive)] if store.archive.exists() else []
    ran = command("audit", "verify", "--db", store.path, "--head", store.said["head"], *archives)
    assert (ran.code, ran.err) == (0, ""), ran.out


def migrated(store: Held) -> None:
    """Let engines that know no saga open the store and its archive: sagas stay where they are."""
    for path in (store.path, store.archive):
        if path.exists():
            with amends.open(f"sqlite:///{path}", sagas=[]):
                pass


async def agreeing(name: str, what: str) -> Any:
    """A participant who says yes to everything."""
    return agreed(what)


def opened(store: Held) -> Any:
    """An engine on the store whose participants say yes."""
    return amends.open(store.url, sagas=SAGAS, commands=COMMANDS, clients=dict.fromkeys(SERVICES, agreeing))


def as_json(value: Any) -> Any:
    """A value as JSON has it, where a record is a list."""
    return json.loads(json.dumps(value))


def finish(engine: Any, ids: dict[str, str]) -> dict[str, Result]:
    """Answer all that is waited for, tell those who wait for an operator what to do, and give the results."""
    for name, (request, outcome) in FROM_OUTSIDE.items():
        engine.answer(f"{ids[name]}/{request}", outcome)
    engine.tell(ids["needs an operator"], Retry("CARD_CHARGED", "ada: the account is open again"))
    engine.tell(ids["needs an operator who gives it up"], Abandon("ada: it is not worth the trouble"))
    return {name: engine.result(saga_id, PATIENCE_S) for name, saga_id in ids.items()}


def test_an_earlier_store_is_read_once_an_engine_has_migrated_it(held: Held) -> None:
    """Before that, a reader says so, and leaves it as it is; the archive likewise."""
    migrated_by_now = Held(held.path.with_name("other.db"), held.archive.with_name("none.db"), held.said)
    migrated_by_now.path.write_bytes(held.path.read_bytes())
    migrated(migrated_by_now)
    is_earlier = schema_of(held.path) < schema_of(migrated_by_now.path)
    for path in (held.path, held.archive):
        if path.exists():
            before = path.read_bytes()
            ran = command("sagas", "--db", path)
            assert ran.code == (2 if is_earlier else 0)
            assert ("an engine that opens it brings it to version" in ran.err) == is_earlier
            assert path.read_bytes() == before
    migrated(held)


def test_every_saga_stands_where_it_stood(held: Held) -> None:
    """Once it is migrated, and nothing was done yet: in the list, and each with its story; the archive, too."""
    migrated(held)
    ids = {name: (held.archive if held.is_archived(name) else held.path) for name in held.said["sagas"]}
    for path in {*ids.values()}:
        listed = json.loads(command("sagas", "--db", path, "--json", "--limit", "1000").out)["sagas"]
        assert {saga["saga_id"]: saga["status"].replace("-", " ") for saga in listed} == {
            held.said["sagas"][name]: ROLES[name].status for name, place in ids.items() if place == path
        }
    for name, saga_id in held.said["sagas"].items():
        ran = command("show", saga_id, "--db", ids[name])
        assert (ran.code, ran.err) == (0, "")
        assert ROLES[name].status in ran.out


def test_entities_are_what_they_were(held: Held) -> None:
    """Those that are gone, too; and as the types that functions declare."""
    with amends.open(held.url, sagas=[], commands=COMMANDS) as engine:
        for service, entity_id, value in held.said["entities"]:
            assert as_json(engine.entity(service, entity_id)) == value, entity_id
        assert type(engine.entity("SHELF", "book")).__name__ == "Shelf"
    migrated(held)


def test_client_keys_give_what_they_gave(held: Held) -> None:
    """The same saga, the same refusal, the same answer of a command; another request under a key is told apart."""
    migrated(held)
    with opened(held) as engine:
        for name, saga_id in held.ids().items():
            assert engine.submit(ROLES[name].saga, Order(name), key=name).saga_id == saga_id
            with pytest.raises(KeyReused):
                engine.submit(ROLES[name].saga, Order("another"), key=name)
        before = engine.entity("SHELF", "paper")
        with pytest.raises(RequestRefused, match="there is no shelf for unicorn"):
            engine.submit(ERRAND, Order("refused", "unicorn"), key="refused")
        assert execute(engine, STOCKED, "paper", 500, key="paper is stocked") is None
        assert execute(engine, STOCKED, "paper", 0, key="paper is stocked with nothing") == Refused(
            "nothing to put on the shelf"
        )
        assert engine.entity("SHELF", "paper") == before


def test_every_saga_is_finished(held: Held) -> None:
    """As it would have been by the version that began it; and the audit verifies before and after."""
    migrated(held)
    verified(held)
    with opened(held) as engine:
        results = finish(engine, held.ids())
        assert {name: type(result.state).__name__.lower() for name, result in results.items()} == {
            name: ROLES[name].end for name in held.ids()
        }
        ends = {name: ROLES[name].end for name in held.said["sagas"] if ROLES[name].saga is not LOAN}
        taken = sum(end != "compensated" for end in ends.values())
        assert tuple(engine.entity("SHELF", "book")) == (100 - taken, taken)
        assert engine.entity("POINTS", "ada") == 10 * sum(
            end == "completed" and ROLES[name].saga is not ERRAND for name, end in ends.items()
        )
        for name, end in ends.items():
            is_gone = end == "completed" and ROLES[name].saga is not ERRAND
            assert (engine.entity("BASKET", name) is None) == is_gone
    assert json.loads(command("sagas", "--db", held.path, "--status", "waiting", "--json").out)["sagas"] == []


def test_who_waits_for_an_operator_says_why(held: Held) -> None:
    """In the list, in its story, and to whoever asks for its result."""
    migrated(held)
    saga_id = held.said["sagas"]["needs an operator"]
    assert "the account is closed" in command("show", saga_id, "--db", held.path).out
    with opened(held) as engine, pytest.raises(OperatorNeeded, match="the account is closed"):
        engine.result(saga_id, PATIENCE_S)


def test_what_is_owed_can_still_be_undone(held: Held) -> None:
    """Where the version kept that: the room that was booked after all."""
    migrated(held)
    saga_id = held.said["sagas"]["owes a room"]
    with opened(held) as engine:
        if engine.result(saga_id, PATIENCE_S).owed:
            engine.tell(saga_id, amends.Undo("ROOM_BOOKED", "ada: the hotel is told"))
        assert not engine.result(saga_id, PATIENCE_S).owed


def test_operators_words_are_on_record(held: Held) -> None:
    """With the reason that they gave."""
    migrated(held)
    for name in ("was resolved by an operator", "was retried by an operator", "was abandoned"):
        assert "ada: as the customer wished" in command("show", held.said["sagas"][name], "--db", held.path).out


def test_there_is_a_store_of_every_schema(today: Path, tmp_path: Path) -> None:
    """When a version of the schema is added, a store of the one before is written first; see CONTRIBUTING.md."""
    store = tmp_path / "store.db"
    store.write_bytes(gzip.decompress((today / f"{TODAY}.db.gz").read_bytes()))
    kept = {int(name.split("-")[1]) for name in NAMES}
    assert kept >= {*range(FIRST_SCHEMA, schema_of(store))}
    for name in NAMES:
        store.write_bytes(gzip.decompress((STORES / f"{name}.db.gz").read_bytes()))
        assert name.startswith(f"schema-{schema_of(store)}-")
