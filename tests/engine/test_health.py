"""How an engine does: each thing that is not as it should be is named, and it is ready again by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import amends
from amends import Health, Saga, StoreFull, WireAway, external, local
from amends.adapters.memory.wire import MemoryWire, memory_wire
from amends.engine import health
from amends.engine.batch import BatchResult
from amends.engine.blocking import BlockingEngine
from amends.engine.health import Probe
from amends.errors import EngineStopped
from tests.adapters.postgres.transfers import book, name_of, strike
from tests.postgres import own_server, url_of

BOUND_S = 90
NOTHING_LASTS = "none: nothing outlives the process"

BOOKED = local("BOOKED", book, undo=strike, undone="STRUCK", entity=name_of)
SENT = external("SENT", lambda *_: None, pivot=True)
TRANSFER = Saga("transfer", int, [BOOKED, SENT])


class Switched(MemoryWire):
    """A wire whose broker is away as long as a test wants."""

    is_away = False

    async def durability(self) -> str:
        """Say that it is reduced."""
        return "reduced: it does not sync"

    async def ping(self) -> None:
        """Be away, or there."""
        if self.is_away:
            raise WireAway("no broker: nats://shop:secret@host")
        await super().ping()


def test_an_engine_that_has_all_is_ready() -> None:
    """The lease of a store with one owner does not run out; where there is no wire, none is missed."""
    with amends.open("memory:", sagas=[TRANSFER]) as engine:
        assert engine.health() == Health("ready", "answers", "none", engine.health().durability)
        assert engine.health().durability.startswith("none")
        assert engine.health().is_ready
        assert engine.health().is_live


def test_a_wire_that_is_away_is_named_and_missed_until_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    """Also by an engine to which nothing is sent; no password is told."""
    wire = Switched(memory_wire("memory:health")()._broker)

    async def test() -> None:
        async with amends.open("memory:", sagas=[TRANSFER], wire=lambda: wire, elsewhere=["BOOKED"]) as engine:
            assert (await engine.health()).wire == "answers"
            wire.is_away = True
            said = await engine.health()
            assert (said.state, said.store, said.is_live) == ("not ready", "answers", True)
            assert said.wire == "WireAway: no broker: nats://shop@host"
            assert said.reasons == (f"the wire: {said.wire}",)
            wire.is_away = False
            said = await engine.health()
            assert said.is_ready
            assert said.durability.startswith("reduced: it does not sync (the wire); none: ")

    asyncio.run(test())
    assert [each.getMessage().partition(": nats:")[0] for each in caplog.records[1:]] == [
        "the wire is away, and what goes over it waits or is asked again: WireAway: no broker",
        "the wire is there again",
    ]


def test_a_turn_that_found_no_space_is_told_until_one_does() -> None:
    """Reading goes on meanwhile, and is not enough."""

    async def test() -> None:
        async with amends.open("memory:", sagas=[TRANSFER]) as engine:
            turns, take = engine._loop._turns, engine._loop._turns._turn
            turns._turn = full  # type: ignore[assignment, method-assign]  # it finds no space
            with pytest.raises(StoreFull):
                await engine.submit(TRANSFER, 1)
            said = await engine.health()
            assert (said.state, said.reasons) == ("not ready", ("the store: no space is left",))
            turns._turn = take  # type: ignore[method-assign]
            await (await engine.submit(TRANSFER, 1)).result(BOUND_S)
            assert (await engine.health()).is_ready

    asyncio.run(test())


def full(*_: object) -> BatchResult:
    """Find no space."""
    raise StoreFull("no space is left")


def test_an_engine_without_its_lease_is_not_ready() -> None:
    """It may get it again."""

    async def test() -> None:
        async with amends.open("memory:", sagas=[TRANSFER]) as engine:
            engine._loop._turns.upkeep._keeper.until_ms = 0
            said = await engine.health()
            assert (said.state, said.reasons) == ("not ready", (health.LEASE_OVER,))

    asyncio.run(test())


def test_one_that_stopped_by_itself_is_not_live_and_one_that_ends_is() -> None:
    """Only of the first a supervisor has to start another one; the reason is told."""

    async def test() -> None:
        async with amends.open("memory:", sagas=[TRANSFER]) as engine:
            engine._loop._refuse(EngineStopped("the storage failed, says the test"))
            said = await engine.health()
            assert said == Health("stopped", reasons=("the storage failed, says the test",))
            assert not said.is_live
        async with amends.open("memory:", sagas=[TRANSFER]) as engine:
            await engine.close()
            said = await engine.health()
            assert (said.state, said.is_ready, said.is_live) == ("ending", False, True)

    asyncio.run(test())


def test_what_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody looks; what it answers late is not taken for an answer of later."""
    monkeypatch.setattr(health, "ANSWER_S", 0.01)

    async def test() -> None:
        gate, asked = asyncio.Event(), list[int]()

        async def ask() -> None:
            asked.append(1)
            await gate.wait()

        probe = Probe(ask)
        assert [await probe.answer() for _ in range(3)] == ["no answer within 0.01 s"] * 3
        assert len(asked) == 1
        gate.set()
        await asyncio.sleep(0)
        monkeypatch.setattr(health, "ANSWER_S", BOUND_S)
        assert await probe.answer() == "answers"
        assert len(asked) == 2

    asyncio.run(test())


def until(engine: BlockingEngine, is_so: Callable[[Health], bool]) -> Health:
    """Wait until it does so."""
    end = time.monotonic() + BOUND_S
    while not is_so(said := engine.health()):
        assert time.monotonic() < end, said
        time.sleep(0.05)
    return said


def test_a_database_that_crashes_is_told_until_it_is_back() -> None:
    """Then the engine is ready again."""
    with own_server() as server, amends.open(url_of(server.conninfo), sagas=[TRANSFER]) as engine:
        assert until(engine, lambda said: said.is_ready).durability == "full"
        server.crash()
        assert until(engine, lambda said: "the database is away" in said.store).state == "not ready"
        server.start()
        assert until(engine, lambda said: said.is_ready).store == "answers"
