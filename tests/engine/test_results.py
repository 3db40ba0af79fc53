"""What whoever waits for a saga is told: the truth, and at once where nothing is to be waited for."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from amends import (
    AmendsError,
    Compensated,
    Completed,
    Done,
    OperatorNeeded,
    Refused,
    RequestRefused,
    Resolve,
    Retry,
    Saga,
    external,
)
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from tests.engine.test_engine import engine, one, run
from tests.engine.test_turn import Damaged
from tests.engine.world import Buy, nothing, tickets


async def refund(client: Any, body: Any, call: Any) -> Refused:
    """Refuse to give back."""
    return Refused("the account is closed")


async def ship(client: Any, body: Any, call: Any) -> Refused:
    """Refuse to ship."""
    return Refused("no parcels")


def needing_operator() -> Saga:
    """Return a saga whose undo refuses, so that only an operator can move it."""
    paid = external("CARD_CHARGED", nothing, undo=refund, undone="CARD_REFUNDED")
    return Saga("needs-an-operator", int, [paid, external("SHIPPED", ship, pivot=True)])


@pytest.mark.parametrize("timeout", [None, 0, 20])
def test_who_waits_for_a_saga_that_waits_for_an_operator_is_told_at_once(timeout: float | None) -> None:
    """Whether it waited before that came to pass, or asks after it: why, what is owed, and what to do."""

    async def test() -> None:
        saga = needing_operator()
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, 1)
            with pytest.raises(OperatorNeeded, match="CARD_CHARGED/undo"):
                await handle.result()
            with pytest.raises(OperatorNeeded) as told:
                await running.result(handle.saga_id, timeout)
            assert isinstance(told.value, TimeoutError)
            assert isinstance(told.value, AmendsError)
            words = str(told.value)
            for part in (handle.saga_id, "operator", "the account is closed", "CARD_CHARGED/undo", "resolve()"):
                assert part in words
            with pytest.raises(OperatorNeeded):  # noqa: PT012 - the wait goes on in between
                waiting = asyncio.create_task(running.result(handle.saga_id))
                await running.tell(handle.saga_id, Retry("CARD_CHARGED"))
                await waiting
            await running.tell(handle.saga_id, Resolve("CARD_CHARGED", Done(), "by hand"))
            ended = await handle.result(0)
            assert isinstance(ended.state, Compensated)
            assert (ended.reason, ended.trouble) == ("no parcels", "the account is closed")

    run(test())


def test_of_a_saga_that_has_ended_there_is_the_result_whatever_the_timeout() -> None:
    """Also from an engine that did not see it end."""

    async def test() -> None:
        store, saga = MemoryStore(), one(nothing)
        async with engine(store, saga) as running:
            saga_id = (await running.submit(saga, Buy("Hamlet", 1))).saga_id
            await running.result(saga_id)
        async with engine(store, saga, prefix="b") as running:
            for timeout in (0, 0.0, 1e-9, 5, math.inf, None):
                assert isinstance((await running.result(saga_id, timeout)).state, Completed)

    run(test())


def test_of_a_saga_that_goes_on_the_time_alone_is_told() -> None:
    """With 0 as well, and without a word of an operator."""
    answered = asyncio.Event()

    async def charge(client: Any, buy: Buy, call: Any) -> Done:
        await answered.wait()
        return Done()

    async def test() -> None:
        saga = one(charge)
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 1))
            for timeout in (0, 0.01):
                with pytest.raises(TimeoutError, match="it goes on") as told:
                    await handle.result(timeout)
                assert not isinstance(told.value, OperatorNeeded)
            answered.set()
            await handle.result()

    run(test())


def test_of_what_cannot_end_here_the_reason_is_told() -> None:
    """No such saga; a row that cannot be read; a definition that is not known; an entity that cannot be read."""

    async def test() -> None:
        store, saga = Damaged("SEATS/Hamlet"), tickets()
        async with engine(store, saga) as running:
            with pytest.raises(RequestRefused, match="there is no saga 'a-9'"):
                await running.result("a-9")
            await running.submit(saga, Buy("Hamlet", 1))
        store.is_damaged = True
        async with engine(store, saga, prefix="b") as running:
            handle = await running.submit(saga, Buy("Hamlet", 1))
            with pytest.raises(OperatorNeeded, match="SEATS/Hamlet cannot be read: checksum"):
                await handle.result()
        async with engine(store, needing_operator(), prefix="c") as running:
            with pytest.raises(RequestRefused, match="runs under tickets/1/"):
                await running.result(handle.saga_id)
        store.name = handle.saga_id
        async with engine(store, saga, prefix="d") as running:
            with pytest.raises(RequestRefused, match="cannot be read: checksum"):
                await running.result(handle.saga_id)

    run(test())


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan, "5", True, [], -math.inf])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    """In words; nothing is waited for."""

    async def test() -> None:
        saga = one(nothing)
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 1))
            with pytest.raises(RequestRefused, match="seconds, 0 or more"):
                await running.result(handle.saga_id, timeout)

    run(test())


def test_scripts_are_told_too() -> None:
    """The blocking engine and its handles."""
    saga = needing_operator()
    with BlockingEngine(engine(MemoryStore(), saga)) as running:
        handle = running.submit(saga, 1)
        with pytest.raises(OperatorNeeded):
            handle.result(timeout=20)
        with pytest.raises(OperatorNeeded):
            handle.result(timeout=0)
        with pytest.raises(RequestRefused, match="there is no saga"):
            running.result("nobody", 0)
        running.tell(handle.saga_id, Resolve("CARD_CHARGED", Done()))
        assert handle.result(0).trouble == "the account is closed"


def test_who_waits_for_a_saga_that_is_set_aside_is_told() -> None:
    """Here it is found to be unreadable when its time comes, while somebody waits."""

    async def test() -> None:
        store, saga = MemoryStore(), one(nothing)

        async def charge(client: Any, buy: Buy, call: Any) -> Done:
            await asyncio.Event().wait()
            return Done()

        saga = one(charge, timeout_s=0.05)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 1))
            waiting = asyncio.create_task(handle.result())
            await asyncio.sleep(0)
            await running.entity("SEATS", "Hamlet")  # so it was told how the saga stands, and waits
            row = store.saga(handle.saga_id)
            running._loop.coordinator._committed.sagas.clear()
            store.database.sagas[handle.saga_id] = row._replace(body="{}")  # type: ignore[union-attr]  # it is there
            with pytest.raises(RequestRefused, match="set aside"):
                await waiting
            with pytest.raises(RequestRefused, match="cannot be read"):
                await running.result(handle.saga_id, 0)

    run(test())
