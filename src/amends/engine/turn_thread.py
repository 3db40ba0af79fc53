"""Turns in a thread of their own: the coordinator and its store, which no other thread touches."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from amends.core.waiting import SECOND_MS
from amends.engine.batch import BatchResult
from amends.engine.coordinator import Coordinator
from amends.engine.left_alone import look_for_orphans
from amends.engine.limits import Limits
from amends.engine.logger import log
from amends.engine.ownership import ShardKeeper, SharePlaces, share_places
from amends.engine.reading import StoreReading
from amends.engine.stalls import Watch
from amends.engine.task import Task
from amends.engine.thread import TURN_THREAD, OneThread, settle
from amends.engine.turn_io import drive
from amends.engine.upkeep import SharedTime, Upkeep
from amends.errors import StoreBusy, StoreFull
from amends.storage.budgets import BudgetGrant
from amends.storage.ports import REDUCED, Clock, EngineClock, Store, Wakeup
from amends.storage.rows import Lease


@contextlib.contextmanager
def collector_off() -> Iterator[None]:
    """Take a turn without the garbage collector, which would look at every saga of it several times.

    What a turn makes is freed by reference counts; the collector goes on where it was right after.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class MakesCoordinator(Protocol):
    """Takes over a store."""

    def __call__(self, store: Store, *, now_ms: int) -> Coordinator:
        """See `Coordinator`."""


class TurnThread:
    """The thread in which turns are taken.

    Attributes:
        coordinator: takes them.
        clock: gives it the time: the machine's, or that of a store that several engines share.
        machine: the machine's clock.
        lease: with which the engine has entered the store.
        upkeep: keeps its shards, and looks for letters to them.
        reading: looks at what is stored, beside the turns.
        trouble: why the last turn could not be committed; empty where it was.
        wakeup: of the engine by its clients, and of them by it.
    """

    coordinator: Coordinator
    clock: Clock
    machine: EngineClock
    lease: Lease
    upkeep: Upkeep
    reading: StoreReading
    wakeup: Wakeup
    trouble = ""

    def __init__(
        self,
        store: Callable[[], Store],
        clock: Callable[[int], EngineClock],
        make: MakesCoordinator,
        limits: Limits,
        *,
        name: str,
        knows: Collection[str],
        leaves_orphans: bool,
    ) -> None:
        """Open nothing yet.

        Args:
            store: opens the store.
            clock: gives the clock of a store that was written last at a time.
            make: takes over the store.
            limits: how long a shard that another engine is to have waits for calls that are under way, among others.
            name: under which the engine enters the store.
            knows: the definitions of the coordinator, by their names, for the other engines of the store.
            leaves_orphans: whether it may be opened where sagas wait whose definitions no engine knows.
        """
        self._open_store = store
        self._open_clock = clock
        self._make = make
        self._name = name
        self._drain_ms = round(limits.drain_s * SECOND_MS)
        self._lease_ms = limits.lease_ms
        self._knows = knows
        self._leaves_orphans = leaves_orphans
        self._worried_after_ms = round(limits.worried_after_s * SECOND_MS)
        self._returned: Future[None] | None = None

    async def open(self) -> None:
        """Start the thread, and take over the store.

        Raises:
            StoreUnusable, DefinitionError: see `Engine.__aenter__`.
        """
        self._thread = OneThread(TURN_THREAD)
        try:
            await self._thread.call(self._take_over)
        except BaseException as error:
            self._thread.submit(self._give_up, lambda *_: None)  # also where the caller stopped waiting for it
            self._thread.shutdown(wait=not isinstance(error, asyncio.CancelledError))  # a connect may take seconds
            raise

    def _take_over(self) -> None:
        self._watch = Watch(threading.get_ident())
        self._store = self._open_store()
        if (durability := self._store.durability()).startswith(REDUCED):
            log.warning("what is answered may be lost: durability is %s", durability)
        look_for_orphans(self._store, self._knows, may_leave=self._leaves_orphans)
        self.machine = machine = self._open_clock(self._store.head().at_ms)
        entered_ms = machine.elapsed_ms()
        self.lease = lease = self._store.ownership.enter(self._name, self._lease_ms, self._knows)
        now_ms = lease.until_ms - self._lease_ms if self._store.is_shared else machine.now_ms()
        self.coordinator = self._make(self._store, now_ms=now_ms)
        keeper = ShardKeeper(self.coordinator, lease, entered_ms, lease_ms=self._lease_ms, drain_ms=self._drain_ms)
        self.clock = SharedTime(keeper.clock, machine) if self._store.is_shared else machine
        with contextlib.suppress(StoreFull, StoreBusy):  # a full disk keeps no store from being opened
            self._store.worry_after(self._worried_after_ms)
        self.reading = StoreReading(self._store.reader, self.clock.now_ms)
        self.wakeup = self._store.wakeup
        self.upkeep = Upkeep(self._store, self.coordinator, keeper, machine)

    def _give_up(self) -> None:
        store: Store | None = getattr(self, "_store", None)
        if store is not None:
            store.close()

    async def take(self, tasks: Sequence[Task], asked: int) -> BatchResult:
        """Take a turn; see `Coordinator.turn`, and `Upkeep.keep` for how many of the tasks callers asked for."""
        with self._watch:
            try:
                result: BatchResult = await self._thread.call(self._turn, tasks, asked)
            except (StoreFull, StoreBusy) as error:
                self.trouble = str(error)
                raise
        self.trouble = ""
        return result

    async def share_places(self, asks: SharePlaces) -> Sequence[BudgetGrant]:
        """Share out places of budgets.

        Raises:
            LeaseLost: another engine took over. This engine is not to be used any more.
            StoreError: see `amends.storage.ports.Ownership.share_places`.
        """
        grants: Sequence[BudgetGrant] = await self._thread.call(drive, share_places(asks), self._store)
        return grants

    async def look(self, tasks: Sequence[Task]) -> list[Any]:
        """Carry out tasks that only look; see `Coordinator.look`."""
        look = self.coordinator.look(tasks, self.clock.now_ms())
        answers: list[Any] = await self._thread.call(drive, look, self._store)
        return answers

    async def warn(self, warning: str | None) -> None:
        """Leave a warning for people who look at the store; ``None`` when it is the same as before."""
        if warning is not None:
            with contextlib.suppress(StoreFull, StoreBusy):  # the log has it
                await self._thread.call(self._store.warn, warning)

    def close(self, *, leaves: bool = False) -> Future[None]:
        """Hear no client any more, let the thread end, and close the store as the last thing that it does.

        Args:
            leaves: whether other engines get the shards at once: then no call of theirs is under way any more. Else
                they get them when the lease has run out.
        """
        if self._returned is None:
            self._returned = Future()
            self.wakeup.close()
            if leaves:
                self._thread.submit(self.upkeep.leave, lambda *_: None)
            self._thread.submit(self.reading.close, lambda *_: None)  # so that the store's last connection is its own
            self._thread.submit(self._store.close, partial(settle, self._returned))
            self._thread.shutdown(wait=False)
        return self._returned

    def close_and_wait(self) -> None:
        """The same where no event loop is left to wait in."""
        self.close()
        self._thread.shutdown()

    def _turn(self, tasks: Sequence[Task], asked: int) -> BatchResult:
        with collector_off():
            letters = self.upkeep.keep(asked)
            turn = self.coordinator.turn([*letters, *tasks], self.clock.now_ms())
            return self.upkeep.settled(letters, drive(turn, self._store))
