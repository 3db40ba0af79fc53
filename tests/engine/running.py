"""Several asyncio engines on one database in memory, each with a clock that a test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from amends import Done, Handle, Saga, external, local
from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.core.messages import Call
from amends.engine.engine import Engine
from amends.engine.loop import EngineLoop
from amends.storage.codecs.values import text_of
from amends.storage.letters import start_letter
from amends.storage.rows import FINAL, Letter
from tests.engine.test_engine import PATIENCE_S, limits_of
from tests.engine.world import START_MS, Buy, hold, let_go, nothing

STEP_MS = 500


class HandClock:
    """A clock that a test moves."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        """Return the time."""
        return self.ms

    def elapsed_ms(self) -> int:
        """Return the same: it stands for one that counts suspension."""
        return self.ms


class Charges:
    """A card company, as one engine reaches it: it answers once its gate is open.

    Attributes:
        calls: each that came.
        gate: closed by a test that wants calls to be under way.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.gate.set()


async def charge(card: Charges, _: Buy, call: Call) -> Done:
    """CARD_CHARGED."""
    card.calls.append(call)
    await card.gate.wait()
    return Done()


class Running:
    """One engine: as clients use it, its loop, its clock, and its way to the card company."""

    def __init__(self, shop: Shop, name: str, **limits: Any) -> None:
        self.name, self.clock, self.card = name, HandClock(shop.clock.ms), Charges()
        self.loop = EngineLoop(
            lambda: MemoryStore(shop.database),
            lambda _: self.clock,
            name,
            sagas=[shop.saga],
            commands=(),
            clients={"CARD": self.card},
            limits=limits_of(**{"queue_max": 1000, "drain_s": 0} | limits),
        )
        self.engine = Engine(self.loop)

    @property
    def shards(self) -> set[int]:
        """Those that it moves."""
        return {*self.loop.coordinator.shards.all}

    @property
    def is_settled(self) -> bool:
        """Whether it has done all that was due by its clock, or has stopped."""
        return self.loop.stopped is not None or (self.loop._turns.upkeep.pause_ms() > 0 and not self.loop._queue)

    @property
    def sleeps(self) -> bool:
        """Whether it waits for something to arrive: no turn is under way."""
        return bool(self.loop._queue.arrived._waiters)

    async def kill(self) -> None:
        """End it as a kill would: nothing is given back, and its calls are cut off."""
        assert self.loop._task is not None
        self.loop._task.cancel()
        await asyncio.wait([self.loop._task])
        await self.loop.calls.close()


class Shop:
    """A database, and the engines that run on it."""

    def __init__(self, saga: Saga | None = None) -> None:
        self.clock = HandClock(START_MS)
        self.database = MemoryDatabase(self.clock.now_ms)
        self.store, self.mailbox = MemoryStore(self.database), MemoryMailbox(self.database)
        self.ownership = MemoryOwnership(self.database)
        self.saga = saga or tickets_by_card()
        self.engines: list[Running] = []

    async def open(self, *names: str, **limits: Any) -> list[Running]:
        """Open engines, and let time pass until they have shared out the shards."""
        opened = [Running(self, name, **limits) for name in names]
        for running in opened:
            await running.engine.__aenter__()
            self.engines.append(running)
        await self.pass_ms(9_000)
        return opened

    async def close(self, *, but: Running | None = None) -> None:
        """Close every engine."""
        for running in self.engines:
            if running is not but:
                await running.engine.close()

    async def pass_ms(self, ms: int, *, but: Running | None = None, wakes: bool = True) -> None:
        """Let time pass for the database and the engines.

        Args:
            ms: how long.
            but: an engine that stands still meanwhile, and does nothing.
            wakes: whether each is told to look for letters; else it looks when its own time has come.
        """
        engines = [running for running in self.engines if running is not but and running.loop.stopped is None]
        for _ in range(ms // STEP_MS):
            self.clock.ms += STEP_MS
            for running in engines:
                running.clock.ms = self.clock.ms
                running.loop.wake() if wakes else running.loop._queue.arrived.set()
            await until(lambda: all(running.is_settled for running in engines))

    def post(self, key: str, buy: Buy, saga_id: str) -> Letter:
        """Have a client of no engine start a saga."""
        definition = self.engines[0].loop.coordinator.definitions.codec_of(self.saga).definition
        letter = start_letter(key, saga_id, definition, text_of(buy), self.clock.ms)
        self.mailbox.post([letter])
        return letter

    def status(self, saga_id: str) -> str:
        """Return how a saga stands; empty where there is none."""
        row = self.database.sagas.get(saga_id)
        return row.status if row else ""

    def movers(self, saga_id: str) -> list[str]:
        """Return which engines moved a saga, in order."""
        return [*dict.fromkeys(block.chain for block in self.store.blocks_about(saga_id))]

    @property
    def is_at_rest(self) -> bool:
        """Whether every saga is over, and every letter was acted on."""
        return not self.database.letters and all(row.status in FINAL for row in self.database.sagas.values())


def tickets_by_card() -> Saga:
    """Return a saga as `tickets` does, with a card company that can be kept waiting."""
    steps = [
        local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
        external("CARD_CHARGED", charge, undo=nothing, undone="CARD_REFUNDED", timeout_s=10, limit_s=60),
        local("TICKET_ISSUED", lambda _, buy: buy.seats, entity=lambda buy: f"t-{buy.show}", pivot=True),
    ]
    return Saga("tickets", Buy, steps)


async def submitted(running: Running, saga: Saga, *shows: str) -> list[Handle]:
    """Start a saga for each show."""
    return [await running.engine.submit(saga, Buy(show, 1)) for show in shows]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, and fail rather than hang."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)
