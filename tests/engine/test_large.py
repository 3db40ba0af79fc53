"""Batches of which the storage cannot take all at once: they are committed in parts, and nothing is decided often."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import amends
from amends import Done, Handle, Kind, Refused, RequestRefused, Saga, StoreFull, external, local
from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered
from amends.core.step import SagaInstance
from amends.engine import batch, saga_cache
from amends.engine.task import Unfinished
from amends.engine.tasks import Deliver, StartSagas, Transact
from amends.engine.turn_io import drive
from amends.storage.rows import Changes
from tests.engine.test_engine import engine as open_on
from tests.engine.world import Buy, Life, nothing, records, tickets

SIZE = 1_000
LIMIT = 10 * SIZE


@pytest.fixture(autouse=True)
def a_small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit holds ten requests of a thousand characters."""
    monkeypatch.setattr(batch, "COMMIT_LETTERS_MAX", LIMIT)
    monkeypatch.setattr(saga_cache, "COMMIT_LETTERS_MAX", LIMIT)
    monkeypatch.setattr(saga_cache, "LETTERS_MAX", LIMIT)


class Counting:
    """Sagas whose request is large, and how often one was decided on."""

    def __init__(self) -> None:
        self.decided = 0
        steps = [
            local("KEPT", self.keep, entity=lambda text: text[:4], undo=lambda *_: amends.GONE, undone="DROPPED"),
            external("SENT", nothing, pivot=True),
        ]
        self.saga = Saga("large", str, steps, prepare=self.prepare)

    def prepare(self, entities: Any, saga_id: str, asked: str) -> str | Refused:
        """Count."""
        self.decided += 1
        return asked if asked != "no" else Refused("no")

    def keep(self, before: str | None, text: str) -> str:
        """Keep a word of it."""
        return text[:4]


def texts(count: int) -> list[str]:
    """Return requests, each another."""
    return [f"{number:04}{'x' * SIZE}" for number in range(count)]


def test_a_batch_of_large_requests_is_several_commits() -> None:
    """All start, in order, each commit within its limit; and each is decided twice or so, not once for every commit."""
    counting, store = Counting(), MemoryStore()
    life = Life(store, counting.saga)
    (replies,) = life.begin(*texts(100)).replies
    assert [run.request for run in replies] == texts(100)
    sizes = [len(block.records) + len(block.values) for block in store.blocks()]
    assert [size > LIMIT + 3 * SIZE for size in sizes] == [False] * 10
    assert counting.decided < 300
    assert len(records(store)) == 100


def test_answers_and_sends_come_in_order() -> None:
    """Whatever the parts are: each request goes out once, and each refusal is where its request was."""
    counting, store = Counting(), MemoryStore()
    life = Life(store, counting.saga)
    asked = [text for text in texts(30) for text in (text, "no")]
    turn = life.begin(*asked)
    assert [type(reply) for reply in turn.replies[0]] == [SagaInstance, RequestRefused] * 30
    assert [send.request.body for _, send in turn.sends] == texts(30)


def test_large_sagas_are_resumed_in_parts() -> None:
    """They are read, stirred and written as many as fit; what is at hand afterwards is bounded, too."""
    counting, store = Counting(), MemoryStore()
    Life(store, counting.saga).begin(*texts(100))
    before = store.head().number
    life = Life(store, counting.saga, prefix="b")
    sends = [send for _ in range(20) for send in life.turn().sends]
    sends += [send for _ in range(20) for send in life.turn(after_ms=100).sends]
    assert sorted(send.request.body for _, send in sends) == texts(100)
    assert store.head().number >= before + 10
    assert sum(len(live.request) for live in life.coordinator._committed.sagas._loaded.values()) <= LIMIT


def test_large_answers_are_written_in_parts() -> None:
    """Their size is known once they are written down: the turn is then taken in halves."""
    store = MemoryStore()
    life = Life(store, tickets())
    asked = [send.request for _, send in life.begin(*[Buy("Hamlet", 0)] * 40).sends]
    before = store.head().number
    answers = [Answered(request.step, Kind.DO, Done("x" * SIZE), 1) for request in asked]
    turn = life.turn(*(Deliver(request.saga_id, said) for request, said in zip(asked, answers, strict=True)))
    assert len(turn.ended) == 40
    assert store.head().number >= before + 3


def test_one_that_cannot_be_stored_costs_few_commits() -> None:
    """It is looked for by halving, and the others are committed together."""

    def keep(before: str | None, number: int) -> str:
        return "\ud800" if number == 700 else "kept"

    saga = Saga("odd", int, [local("KEPT", keep, entity=str, pivot=True)])
    store = MemoryStore()
    replies = Life(store, saga).begin(*range(1000)).replies[0]
    assert [number for number, reply in enumerate(replies) if reply.waiting] == [700]
    assert store.head().number < 3 * math.log2(1000)


def test_many_transactions_that_raise_are_not_met_again_and_again() -> None:
    """A batch of which more than a few raise is taken in halves: each is called some times, whatever their number."""
    called = []

    def raises(work: Any) -> None:
        called.append(work)
        raise ZeroDivisionError

    life = Life(MemoryStore(), tickets())
    turn = life.turn(*[Transact(raises)] * 300)
    assert all(isinstance(reply, ZeroDivisionError) for reply in turn.replies)
    assert len(called) < 300 * 2 * math.log2(300)


def test_no_space_half_way_is_told_of_the_rest_alone() -> None:
    """What was committed before is answered; nothing behind it is tried."""

    class Filling(MemoryStore):
        def commit(self, changes: Changes) -> None:
            if self.head().number == 2:
                raise StoreFull("there is no space left")
            super().commit(changes)

    counting, store = Counting(), Filling()
    replies = Life(store, counting.saga).begin(*texts(60)).replies[0]
    kinds = [type(reply) for reply in replies]
    started = kinds.count(SagaInstance)
    assert kinds == [SagaInstance] * started + [StoreFull] * (60 - started)
    assert 0 < started < 40


@pytest.fixture
def small_rows(tmp_path: Path) -> Iterator[SqliteStore]:
    """Give a store whose SQLite takes no row beyond twenty requests: what its 10**9 bytes are to larger ones."""
    store = SqliteStore(tmp_path / "store.db")
    store._database._connection.limit(apsw.SQLITE_LIMIT_LENGTH, 20 * SIZE)
    yield store
    store.close()


def test_what_sqlite_calls_too_big_is_parted(small_rows: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of such a commit was written, so that it is no failure of the storage; one alone is refused."""
    monkeypatch.setattr(batch, "COMMIT_LETTERS_MAX", 1000 * LIMIT)
    life = Life(small_rows, Counting().saga)
    huge = f"huge{'x' * 30 * SIZE}"
    replies = life.begin(*texts(50), huge, *texts(50)).replies[0]
    assert [number for number, reply in enumerate(replies) if not isinstance(reply, SagaInstance)] == [50]
    with pytest.raises(RequestRefused, match="cannot be stored: a row is longer than SQLite takes"):
        raise replies[50]
    assert small_rows.head().number >= 6
    assert isinstance(life.begin("last").replies[0][0], SagaInstance)


def test_what_is_committed_goes_out_before_the_rest_is_decided() -> None:
    """A turn takes what one commit holds: nobody's request is late because of those behind it."""
    counting, store = Counting(), MemoryStore()
    life = Life(store, counting.saga)
    begin = StartSagas(life.coordinator.definitions.codec_of(counting.saga), texts(100))
    turn = drive(life.coordinator.turn([begin], life.now_ms + 1), store)
    (left,) = turn.replies
    assert isinstance(left, Unfinished)
    assert store.head().number == 1
    assert len(turn.sends) == 100 - left.task.size


def test_a_large_batch_and_a_full_disk_in_an_engine() -> None:
    """Who was started is told so; the others hear what kept them from it, and nothing is started twice."""

    class Filling(MemoryStore):
        def commit(self, changes: Changes) -> None:
            if self.head().number == 2:
                raise StoreFull("there is no space left")
            super().commit(changes)

    async def test() -> None:
        counting = Counting()
        async with open_on(Filling(), counting.saga) as engine:
            started = await engine.submit_many(counting.saga, texts(40))
            number = sum(isinstance(one, Handle) for one in started)
            assert [type(one) for one in started] == [Handle] * number + [StoreFull] * (40 - number)
            assert 10 < number < 30

    asyncio.run(test())
