"""`submit_many`: all start, or each that does not says why, whatever is asked and whatever `prepare` does with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import amends
from amends import (
    Completed,
    EngineStopped,
    Handle,
    KeyReused,
    Overloaded,
    Refused,
    RequestRefused,
    Saga,
    StoreFull,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.engine import queue
from amends.errors import StoreBusy, StoreConflict, StoreFailed, StoreTooBig
from amends.storage.rows import Changes
from tests.engine.test_engine import engine as open_on
from tests.engine.world import Buy, hold

RAISED = [
    KeyReused("k"), Overloaded("o"), StoreFull("f"), StoreBusy("b"), StoreConflict("c"), StoreFailed("x"),
    StoreTooBig("t"), EngineStopped("s"), RequestRefused("r\ud800"), KeyError("id"), MemoryError(), RecursionError(),
]  # fmt: skip


def seats(prepare: Callable[[Any, str, Any], Any] | None = None) -> Saga:
    """Return a saga that ends at once."""
    steps = [local("SEATS_HELD", hold, entity=lambda buy: buy.show, pivot=True)]
    return Saga("seats", Buy, steps, prepare=prepare)


def run(saga: Saga, test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Run a test on an engine in memory, which still works afterwards."""

    async def on_engine() -> None:
        async with amends.open("memory:", sagas=[saga]) as engine:
            await test(engine)
            result = await (await engine.submit(saga, Buy("Last", 1))).result()
            assert isinstance(result.state, Completed)

    asyncio.run(on_engine())


@pytest.mark.parametrize("is_keyed", [False, True])
@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
def test_whatever_prepare_raises_is_one_requests_matter(raised: Exception, is_keyed: bool) -> None:
    """It says why that one was not started; the others are, and the storage has nothing to do with it."""

    def prepare(entities: Any, saga_id: str, asked: Buy) -> Buy:
        if asked.seats == 0:
            entities["SEATS"].get("Lear")
            raise raised
        return asked

    async def test(engine: Any) -> None:
        asked = [Buy("Lear", number % 3) for number in range(9)]
        keys = [f"k{number}" for number in range(9)] if is_keyed else None
        started = await engine.submit_many(saga, asked, keys=keys)
        assert [isinstance(one, Handle) for one in started] == [buy.seats > 0 for buy in asked]
        assert all(isinstance(one, RequestRefused) for one in started if not isinstance(one, Handle))
        with pytest.raises(amends.AmendsError if isinstance(raised, amends.AmendsError) else type(raised)):
            await engine.submit(saga, Buy("Lear", 0), key="alone" if is_keyed else None)

    saga = seats(prepare)
    run(saga, test)


@pytest.mark.parametrize("key", [None, 7, b"k", "", "k\n", "x" * 256, "\ud800", ["k"]])
def test_a_key_that_is_none_refuses_its_own_request(key: Any) -> None:
    """Whatever its type."""

    async def test(engine: Any) -> None:
        first, bad, last = await engine.submit_many(saga, [Buy("Lear", 1)] * 3, keys=["a", key, "b"])
        assert isinstance(first, Handle)
        assert isinstance(last, Handle)
        with pytest.raises(RequestRefused, match="is not printable text of 1 to 255 characters"):
            raise bad

    saga = seats()
    run(saga, test)


def test_a_key_that_comes_twice_in_one_call() -> None:
    """The same request is the same saga; another is told apart."""

    async def test(engine: Any) -> None:
        asked = [Buy("Lear", 1), Buy("Lear", 1), Buy("Lear", 2), Buy("Lear", 2)]
        first, second, third, other = await engine.submit_many(saga, asked, keys=["k", "k", "k", "l"])
        assert first.saga_id == second.saga_id != other.saga_id
        with pytest.raises(KeyReused):
            raise third

    saga = seats()
    run(saga, test)


@pytest.mark.parametrize("asked", ["abc", b"abc", {"a": 1}, {Buy("x", 1)}, Buy("x", 1), 7, None, Buy])
def test_what_is_no_list_of_requests_is_refused(asked: Any) -> None:
    """One request, or a text, is not taken for a list of its parts."""

    async def test(engine: Any) -> None:
        with pytest.raises(RequestRefused, match=r"the requests are .* give a list of requests"):
            await engine.submit_many(saga, asked)
        with pytest.raises(RequestRefused, match=r"the keys are .* give a list of keys"):
            await engine.submit_many(saga, [Buy("Lear", 1)] * 3, keys="abc")

    saga = seats()
    run(saga, test)


def test_requests_and_keys_may_come_from_generators() -> None:
    """They are listed once."""

    async def test(engine: Any) -> None:
        started = await engine.submit_many(saga, (Buy("Lear", 1) for _ in range(3)), keys=map(str, range(3)))
        assert len({handle.saga_id for handle in started}) == 3
        assert await engine.submit_many(saga, iter(()), keys=[]) == []

    saga = seats()
    run(saga, test)


def test_the_same_without_asyncio() -> None:
    """The blocking engine has the same list."""
    saga = seats(lambda _, __, asked: Refused("no") if asked.seats == 0 else asked)
    with amends.open("memory:", sagas=[saga]) as engine:
        started = engine.submit_many(saga, [Buy("Lear", 1), Buy("Lear", 0)])
        assert [isinstance(one, RequestRefused) for one in started] == [False, True]
        with pytest.raises(RequestRefused, match="give a list of requests"):
            engine.submit_many(saga, "ab")


class Failing(MemoryStore):
    """A store of which a later commit fails."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__()
        self._trouble = trouble

    def commit(self, changes: Changes) -> None:
        """Commit twice, then fail."""
        if self.head().number == 2:
            raise self._trouble
        super().commit(changes)


@pytest.mark.parametrize("trouble", [StoreFull("no space"), StoreFailed("broken")])
def test_who_was_started_before_the_storage_failed_is_told(trouble: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list holds handles of what is stored, and for each of the rest what kept it from being so."""
    monkeypatch.setattr(queue, "BATCH_MAX", 10)

    async def test() -> None:
        async with open_on(Failing(trouble), saga) as engine:
            started = await engine.submit_many(saga, [Buy("Lear", 0)] * 45)
            assert [isinstance(one, Handle) for one in started] == [True] * 20 + [False] * 25
            kind = StoreFull if isinstance(trouble, StoreFull) else EngineStopped
            assert {type(one) for one in started[20:]} == {kind}

    saga = seats()
    asyncio.run(test())
