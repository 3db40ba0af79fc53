"""One life of a process: an engine on a file, its clients and its participants, until it is killed or at rest."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import signal
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from amends import AmendsError, Cancel, RequestRefused
from amends.adapters.clock import SystemClock
from amends.adapters.sqlite import client_keys
from amends.core.messages import Outcome
from amends.engine.engine import Engine
from amends.engine.handle import Handle
from amends.engine.limits import Limits
from amends.errors import EngineStopped
from amends.shop.outside import BooksInFile, Providers
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING
from amends.storage.rows import FINAL
from tests.torture.carrier import Carrier
from tests.torture.journal import Journal, line_of
from tests.torture.points import TOLD, Pointed, PointedLoop, PointedStore, Points
from tests.torture.quick import CHECKOUT_QUICK, TEMPER, QuickTimers
from tests.torture.shop import CARRIER, COMMANDS, CUSTOMERS, Asked, wanted
from tests.torture.shop import SAGAS as UNHURRIED

CLIENTS: Final = 8
NS_PER_S: Final = 1_000_000_000
SAGAS: Final = UNHURRIED | {"outside": CHECKOUT_QUICK}
CANCELS: Final = 0.15  # so many clients change their mind
ASKS_AGAIN: Final = 0.1  # so many ask for what they were answered already


class Life(NamedTuple):
    """How a life goes.

    Attributes:
        folder: with the files.
        number: of the life, from 1.
        point: where to stop; empty for nowhere.
        nth: at which time.
        closes: whether to close the engine as soon as it runs.
        is_last: whether nothing new is asked, and the life ends when all sagas have.
        checkpoint_pages: see `PointedStore`.
        unsorted_max: client keys that are not sorted in.
        clock_s: by how much the machine's clock is wrong.
    """

    folder: Path
    number: int
    point: str = ""
    nth: int = 1
    closes: bool = False
    is_last: bool = False
    checkpoint_pages: int = 1000
    unsorted_max: int = client_keys.UNSORTED_MAX
    clock_s: int = 0


class Child:
    """See the module.

    Attributes:
        store_class: what keeps the sagas; another one for a planted bug.
    """

    store_class: type[PointedStore] = PointedStore

    def __init__(self, life: Life, journal: Journal, pipe: int) -> None:
        """Be born.

        Args:
            life: how it goes.
            journal: what the clients knew before.
            pipe: where they say what they are told.
        """
        self._life = life
        self._journal = journal
        self._pipe = pipe
        self._chance = random.Random(f"{journal.seed}/{life.number}")
        self._points = Points(life.point, life.nth, lambda name: self._say("at", name))
        self._background: set[asyncio.Task[None]] = set()
        client_keys.UNSORTED_MAX = life.unsorted_max  # type: ignore[misc] # as small as the files are

    async def live(self) -> None:
        """Live."""
        folder = self._life.folder
        books = BooksInFile(folder / "books.db")
        outside = Providers(books, seed=self._journal.seed, temper=TEMPER, timers=QuickTimers())
        for name, limit in CUSTOMERS.items():  # PAYMENT first: the order of amends.shop.outside.checkout
            outside.set_limit(name, limit)
        carrier = Carrier(folder / "carrier.txt", self._points.reach)
        services = dict.fromkeys((PAYMENT, SHIPPING), Pointed(outside, self._points))
        stores: list[PointedStore] = []

        def open_store() -> PointedStore:
            store = self.store_class(str(folder / "shop.db"), self._points, self._life.checkpoint_pages)
            stores.append(store)
            return store

        loop = PointedLoop(
            open_store, self._clock, secrets.token_hex(5), sagas=SAGAS.values(), commands=COMMANDS,
            clients={**services, CARRIER: Pointed(carrier, self._points)}, limits=Limits(queue_max=1000, drain_s=0),
        )  # fmt: skip
        loop.points = self._points
        self._engine = Engine(loop)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with self._engine:
            self._say("ready")
            self._start(carrier.tell_all(self._tell))
            if not self._life.closes:
                await self._until(stop, self._serve(stores[0]))
        for task in self._background:
            task.cancel()
        self._say("closed")

    def _clock(self, not_before_ms: int) -> SystemClock:
        return SystemClock(not_before_ms, lambda: time.time_ns() + self._life.clock_s * NS_PER_S)

    async def _until(self, stop: asyncio.Event, what: Coroutine[Any, Any, None]) -> None:
        """Do something until it is done, or until somebody wants this process to end."""
        serving, stopping = asyncio.create_task(what), asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        serving.cancel()
        stopping.cancel()

    async def _serve(self, store: PointedStore) -> None:
        """Ask what was not answered, then what is new; or, in the last life, wait for the rest."""
        self._numbers = itertools.count(self._journal.asked + 1)
        again = iter(self._journal.unanswered())
        await asyncio.gather(*(self._client(again) for _ in range(CLIENTS)))
        while any(key[1] not in FINAL for key in await self._engine._loop._turns._thread.call(store.counts)):
            await asyncio.sleep(0.01)
        self._say("at rest")

    async def _client(self, again: Iterator[Sequence[Asked]]) -> None:
        for asked in again:
            await self._ask(asked)
        while not self._life.is_last:
            number = next(self._numbers)
            if self._chance.random() < ASKS_AGAIN and number > 1:
                number = self._chance.randrange(1, number)
            self._say("asked", number)
            await self._ask(wanted(self._journal.seed, number))
            await asyncio.sleep(self._chance.random() * 0.01)

    async def _ask(self, asked: Sequence[Asked]) -> None:
        first = asked[0]
        if first.command is not None:
            refused = await self._engine.carry_out(first.command, first.entity_id, first.asked, key=first.key)
            self._say("answered", first.key, "refused" if refused else "done", refused.reason if refused else "")
            return
        saga = SAGAS[first.kind]
        if len(asked) > 1:
            begun = await self._engine.submit_many(saga, [one.asked for one in asked], keys=[one.key for one in asked])
        else:
            begun = [await self._submitted(first)]
        for one, handle in zip(asked, begun, strict=True):
            if isinstance(handle, Handle):
                self._say("answered", one.key, "saga", handle.saga_id)
                self._start(self._follow(handle, cancels=self._chance.random() < CANCELS))
            elif isinstance(handle, RequestRefused):
                self._say("answered", one.key, "refused", str(handle))
            else:
                raise handle

    async def _submitted(self, one: Asked) -> Handle | AmendsError:
        try:
            return await self._engine.submit(SAGAS[one.kind], one.asked, key=one.key)
        except RequestRefused as refused:
            return refused

    async def _follow(self, handle: Handle, *, cancels: bool) -> None:
        with suppress(EngineStopped):
            if cancels:
                await self._cancel(handle)
            result = await handle.result()
            self._say("ended", handle.saga_id, type(result.state).__name__.lower())

    async def _cancel(self, handle: Handle) -> None:
        try:
            await self._engine.tell(handle.saga_id, Cancel("changed my mind"))
        except RequestRefused:
            self._say("declined", handle.saga_id)
        else:
            self._say("canceled", handle.saga_id)

    async def _tell(self, key: str, outcome: Outcome) -> None:
        try:
            await self._engine.answer(key, outcome)
        except RequestRefused as refused:  # it took the parcel, so there is such a saga
            self._say("broken", f"the answer {key} was refused: {refused}")
        else:
            self._say("heard", key)

    def _start(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EngineStopped):
            self._say("broken", f"{type(error).__name__}: {error}")

    def _say(self, *words: Any) -> None:
        os.write(self._pipe, line_of(*words))
        if words[0] in ("answered", "ended", "canceled"):
            self._points.reach(TOLD)
