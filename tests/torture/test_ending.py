"""An engine that is asked to end ends, whatever its disk does meanwhile (A5, S3)."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import pytest

import amends
from amends import Completed, Done, EngineStopped, StoreFull
from amends.adapters.clock import SystemClock
from amends.adapters.memory import MemoryStore
from amends.core.messages import Call
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop
from amends.errors import StoreFailed
from amends.storage.rows import Changes
from tests.engine.world import Buy, hold, let_go, nothing

PATIENCE_S = 120.0


class Troubled(MemoryStore):
    """A store that refuses every commit while it is in trouble.

    Attributes:
        trouble: what it raises.
    """

    trouble: Exception | None = None

    def commit(self, changes: Changes) -> None:
        """Commit, or do not."""
        if self.trouble:
            raise self.trouble
        super().commit(changes)


def charging(charge: Any) -> amends.Saga:
    """Return a saga whose second step is outside."""
    return amends.Saga(
        "charging",
        Buy,
        [
            amends.local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
            amends.external("CARD_CHARGED", charge, undo=nothing, undone="CARD_REFUNDED"),
            amends.local("TICKET_ISSUED", lambda _, buy: buy.seats, entity=lambda buy: f"t-{buy.show}", pivot=True),
        ],
    )


def engine(store: MemoryStore, saga: amends.Saga, prefix: str) -> Engine:
    """Return an engine on a store."""
    limits = Limits(drain_s=0)
    return Engine(EngineLoop(lambda: store, SystemClock, prefix, sagas=[saga], commands=[], clients={}, limits=limits))


def test_closing_does_not_wait_for_space() -> None:
    """What a participant answered could not be written; it is asked again when the engine is opened again."""
    store, released, attempts = Troubled(), asyncio.Event(), list[int]()

    async def charge(client: Any, buy: Buy, call: Call) -> Done:
        attempts.append(call.attempt)
        await released.wait()
        return Done()

    async def test() -> None:
        saga = charging(charge)
        async with engine(store, saga, "a") as first:
            handle = await first.submit(saga, Buy("Hamlet", 2))
            store.trouble = StoreFull("no space")
            released.set()
            with pytest.raises(StoreFull):
                await first.submit(saga, Buy("Lear", 2))
        store.trouble = None
        async with engine(store, saga, "b") as second:
            assert isinstance((await second.result(handle.saga_id)).state, Completed)
        assert attempts == [1, 2]

    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


def test_a_failed_store_tells_each_caller_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waited for an end is told when asking for it fails; nothing is left that nobody heard."""
    store, saga = Troubled(), charging(nothing)

    async def test() -> None:
        async with engine(store, saga, "a") as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            store.trouble = StoreFailed("EIO")
            told = await asyncio.gather(
                running.submit(saga, Buy("Lear", 2)), running.result(handle.saga_id), return_exceptions=True
            )
            assert [type(each) for each in told] == [EngineStopped, EngineStopped]
            del told
            gc.collect()

    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(asyncio.wait_for(test(), PATIENCE_S))
        gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]
