"""A process with a client: it asks, waits, changes its mind, and brings the answers of the carrier."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple, TypeVar

import amends
from amends import AmendsError, Cancel, Overloaded, RequestRefused
from amends.client.handle import ClientHandle
from amends.errors import OperatorNeeded, StoreBusy, StoreFailed, StoreFull
from tests.chaos.processes import Line, until_closed
from tests.chaos.services import RemoteServices
from tests.chaos.wishes import SAGAS, wished

TASKS: Final = 6
PAUSE_S: Final = 0.1  # the longest one of a task between two wishes
AWAY_S: Final = 0.05  # between two tries while there is no server, no space or no room
FOLLOWED_MAX: Final = 200  # sagas whose end is waited for, before nothing new is asked
ASKS_AGAIN: Final = 0.1  # so many ask for what they were answered already
CANCELS: Final = 0.08
LATER: Final = (StoreBusy, StoreFull, StoreFailed, Overloaded)

Answer = TypeVar("Answer")


class ClientLife(NamedTuple):
    """How the process goes.

    Attributes:
        url: of the store.
        services: the socket of the services; empty for none.
        name: of the client: its successor has the same one.
        number: of the life, from 1.
        seed: of what it asks.
        kinds: of what, and how much of each.
        asked: so many wishes it uttered in its lives before.
        pending: the numbers of those that were not answered.
        rests: whether it asks for nothing new.
    """

    url: str
    services: str
    name: str
    number: int
    seed: int
    kinds: Mapping[str, int]
    asked: int
    pending: list[int]
    rests: bool


def run(link: Connection, life: ClientLife) -> None:
    """Be the process."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(process)d %(message)s")
    asyncio.run(ClientProcess(link, life).live())


class ClientProcess:
    """One life of a client."""

    def __init__(self, link: Connection, life: ClientLife) -> None:
        """Be born."""
        self._link = link
        self._life = life
        self._chance = random.Random(f"{life.seed}/{life.name}/{life.number}")
        self._numbers = itertools.count(life.asked + 1)
        self._services = RemoteServices(life.services)
        self._rests = life.rests
        self._followed = set[asyncio.Task[None]]()

    async def live(self) -> None:
        """Live until the parent wants no more."""
        sagas = [SAGAS[kind] for kind in self._life.kinds]
        async with amends.connect(self._life.url, sagas=sagas) as self._client:
            self._say("connected")
            closed = asyncio.create_task(until_closed(self._link, self._hear))
            running = {closed, *map(asyncio.create_task, self._work())}
            while not closed.done():
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()

    def _work(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._serve()
        if self._life.services:
            yield self._bring()

    def _hear(self, line: Line) -> None:
        assert line == ["rest"], line
        self._rests = True

    async def _serve(self) -> None:
        """Ask what was not answered, then what is new; at rest, wait for the ends of all."""
        again = iter(self._life.pending)
        await asyncio.gather(*(self._wish(again) for _ in range(TASKS)))
        while self._followed:
            await asyncio.wait(self._followed)
        self._say("rests")

    async def _wish(self, again: Iterator[int]) -> None:
        for number in again:
            await self._ask(number)
        while not self._rests:
            number = next(self._numbers)
            self._say("asked", number)
            await self._ask(number)
            if self._chance.random() < ASKS_AGAIN:
                await self._ask(self._chance.randrange(1, number + 1))
            while len(self._followed) > FOLLOWED_MAX:
                await asyncio.wait(self._followed, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(self._chance.random() * PAUSE_S)

    async def _ask(self, number: int) -> None:
        wish = wished(self._life.seed, self._life.name, number, self._life.kinds)
        saga = SAGAS[wish.kind]
        handles = await _retried(lambda: self._client.submit_many(saga, wish.requests, keys=wish.keys))
        for key, handle in zip(wish.keys, handles, strict=True):
            await self._answered(key, handle)
        self._say("settled", number)

    async def _answered(self, key: str, handle: ClientHandle | AmendsError) -> None:
        try:
            if isinstance(handle, AmendsError):
                raise handle
            saga_id = await _retried(handle.started)
        except RequestRefused as refused:
            self._say("answered", key, "refused", str(refused))
            return
        self._say("answered", key, "saga", saga_id)
        followed = asyncio.create_task(self._follow(handle, cancels=self._chance.random() < CANCELS))
        self._followed.add(followed)
        followed.add_done_callback(self._ended)

    async def _follow(self, handle: ClientHandle, *, cancels: bool) -> None:
        if cancels:
            await self._cancel(handle.saga_id)
        try:
            result = await _retried(handle.result)
        except OperatorNeeded as stuck:
            self._say("broken", f"{handle.saga_id} is stuck: {stuck}")
        else:
            self._say("ended", handle.saga_id, type(result.state).__name__.lower())

    async def _cancel(self, saga_id: str) -> None:
        try:
            await _retried(lambda: self._client.tell(saga_id, Cancel("changed my mind")))
        except RequestRefused:
            self._say("declined", saga_id)
        else:
            self._say("canceled", saga_id)

    async def _bring(self) -> None:
        """Bring the carrier's answers, for ever."""
        while True:
            for key, outcome in await self._services.call("untold"):
                await _retried(lambda key=key, outcome=outcome: self._client.answer(key, outcome))  # type: ignore[misc]
                self._say("heard", key)
                await self._services.call("told", key.partition("/")[0])
            await asyncio.sleep(AWAY_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._followed.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._say("broken", f"{type(error).__name__}: {error}")

    def _say(self, *words: Any) -> None:
        self._link.send([*words])


async def _retried(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until there is a server, space and room, and an engine; the parent ends whoever asks for too long."""
    while True:
        try:
            return await ask()
        except OperatorNeeded:
            raise
        except (*LATER, TimeoutError):
            await asyncio.sleep(AWAY_S)
