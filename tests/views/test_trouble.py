"""What somebody has to see to: steps that go on failing, and debts; in memory, in a file, on the command line."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from amends import Done, Kind, Refused, Saga, Undo, Unknown, external
from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered
from amends.engine.tasks import Deliver
from amends.storage.ports import Store
from amends.views.overview import overview
from amends.views.sagas import AsOf
from amends.views.trouble import failing, owed
from tests.acceptance.command import amends
from tests.engine.world import START_MS, Life, nothing

MINUTE_MS = 60_000
SALE = Saga(
    "sale",
    int,
    [
        external("PAID", nothing, undo=nothing, undone="PAID_BACK"),
        external("SENT", nothing, pivot=True, timeout_s=10),
    ],
)


def troubled(store: Store) -> Life:
    """Leave one saga that fails without end, and one that was compensated and of which something is owed."""
    life = Life(store, SALE)
    (paying,) = life.begin(1).sends
    (sending,) = life.answer(paying, Done()).sends
    (other,) = life.begin(2).sends
    life.answer(other, Refused("no money"))
    life.turn(Deliver("a-2", Answered("PAID", Kind.DO, Done("receipt 7"))))
    while life.now_ms < START_MS + 7 * MINUTE_MS:
        for asking in life.turn(after_ms=1000).sends:
            sending = asking
            life.answer(sending, Unknown("KeyError: 'id'"))
    return life


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store of each kind."""
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "sale.db")


def test_a_step_that_fails_for_longer_than_five_minutes_shows_as_failing(store: Store) -> None:
    """From the stored row alone; one that has only just begun to does not."""
    with closing(store):
        life = troubled(store)
        (step,) = failing(store, AsOf(life.now_ms))
        assert (step.saga_id, step.step, step.kind, step.error) == ("a-1", "SENT", "do", "KeyError: 'id'")
        assert step.attempt > 2
        assert not failing(store, AsOf(step.since_ms + 5 * MINUTE_MS))
        assert failing(store, AsOf(step.since_ms + 5 * MINUTE_MS + 1))


def test_what_is_owed_is_found_however_long_ago_its_saga_ended(store: Store) -> None:
    """Until it is settled."""
    with closing(store):
        life = troubled(store)
        (saga,) = owed(store, AsOf(life.now_ms))
        assert (saga.saga_id, saga.status, saga.owed, saga.answers) == (
            "a-2",
            "compensated",
            ("PAID",),
            {"PAID": "receipt 7"},
        )
        (asking,) = life.turn(Deliver("a-2", Undo("PAID"))).sends
        life.answer(asking, Done())
        assert not owed(store, AsOf(life.now_ms))


def test_the_commands_show_both(tmp_path: Path) -> None:
    """`amends status`, `sagas` and `show`, for people and for programs."""
    path = tmp_path / "sale.db"
    with closing(SqliteStore(path)) as store:
        life = troubled(store)
    with closing(SqliteReader(path)) as reader:
        seen = overview(reader, AsOf(life.now_ms))
    assert [step.step for step in seen.failing] == ["SENT"]
    assert [saga.saga_id for saga in seen.owed] == ["a-2"]
    status = amends("status", "--db", path).out
    assert "failing         1 step, the oldest for " in status
    assert "a-1 SENT/do: KeyError: 'id'" in status
    assert "owed            a-2: PAID\n" in status
    document = json.loads(amends("status", "--db", path, "--json").out)
    assert document["owed"] == [{"saga_id": "a-2", "steps": ["PAID"]}]
    assert document["failing"][0]["error"] == "KeyError: 'id'"
    assert "owed: PAID" in amends("sagas", "--db", path, columns=200).out
    assert ", failing for " in amends("sagas", "--db", path, columns=200).out
    (listed,) = json.loads(amends("sagas", "--status", "owed", "--db", path, "--json").out)["sagas"]
    assert (listed["saga_id"], listed["owed"]) == ("a-2", ["PAID"])
    shown = amends("show", "a-2", "--db", path).out
    assert " owed         PAID\n" in shown
    assert "PAID owed" in shown
    assert amends("audit", "verify", "--db", path).code == 0
