"""An engine's end of a wire: what is tried again while the broker is away, and what runs beside the turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from amends.engine.logger import about, log
from amends.errors import WireAway, WireUnusable
from amends.exceptions import raised
from amends.storage.ports import REDUCED
from amends.storage.wire import Delivery, Wire, channel_to

PAUSE_S: Final = 0.5  # before a wire that is away is tried again: a broker that starts anew takes some seconds
LOOK_EVERY_S: Final = 60.0  # at the settings of the broker, which somebody may have changed
BEGINS_ANEW_S: Final = 5.0
"""After an unforeseen error, before what hears or asks begins anew: else the log would hold nothing else."""
LOOK_S: Final = 10.0  # within which a broker says how it is set, or counts as away: twice what one that is slow takes


class Wiring:
    """A wire, as one engine uses it.

    Attributes:
        reply_to: the channel of the answers to this engine.
        now_s: the time by which deadlines are told to others: seconds since 1970 (UTC).
        durability: what a message survives, as the broker said last; empty before it has.
        trouble: what is wrong with the wire now, in words; empty for nothing.
    """

    def __init__(self, wire: Wire, engine: str, now_s: Callable[[], float] = time.time) -> None:
        """Use a wire.

        Args:
            wire: which is closed with this.
            engine: the engine's name.
            now_s: see above.
        """
        self.reply_to = channel_to(engine)
        self.now_s = now_s
        self._wire = wire
        self._tasks: set[asyncio.Task[None]] = set()
        self.durability = self.trouble = ""
        self._told = ""

    async def reach(self) -> None:
        """See that the wire can be used. One that is away is waited for by what goes over it.

        Raises:
            WireUnusable: it cannot, and why.
        """
        try:
            await self._look()
        except WireUnusable as error:
            if not isinstance(error, WireAway):
                raise
            self._say(error)

    def open(self) -> None:
        """Look at the wire again, now and then."""
        self.keep_on(self._watch)

    def run(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Let something run beside the turns until it is over, or this is closed."""
        return self._task(self._guarded(work))

    def keep_on(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Let something run beside the turns until this is closed; where it fails, it begins anew."""
        return self._task(self._repeated(work))

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="amends-wire")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - the turns go on, and sagas wait for their time
            log.exception("something that the engine did on its wire has failed: what it was about is asked again")

    async def _repeated(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._guarded(work)
            await asyncio.sleep(BEGINS_ANEW_S)

    async def take(self, channel: str, most: int, act: Callable[[Sequence[Delivery]], Awaitable[None]]) -> None:
        """Wait for messages of a channel, and act on them; where the wire is away, a pause."""
        try:
            deliveries = await self._wire.take(channel, most)
        except Exception as error:  # noqa: BLE001 - an adapter's own: what waits is asked again
            self._say(error)
            await asyncio.sleep(PAUSE_S)
        else:
            self._say(None)
            await act(deliveries)

    async def post(self, channel: str, messages: Sequence[bytes]) -> bool:
        """Send messages, if the wire is there; whether it was."""
        return await self._tried(self._wire.post(channel, messages))

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:
        """Let messages come no more, if the wire is there."""
        await self._tried(self._wire.acknowledge(channel, deliveries))

    async def park(self, channel: str, delivery: Delivery, reason: str) -> bool:
        """Keep a message apart that has something wrong, if the wire is there; whether it was. Else it comes again."""
        log.error("a message on %s is parked: %s", channel, reason, extra=about(f"a message on {channel} is parked"))
        return await self._tried(self._wire.park(channel, delivery, reason))

    async def ping(self) -> None:
        """See that the wire is there, and say it where that is news.

        Raises:
            Exception: an adapter's own, which says why it is not.
        """
        try:
            await self._wire.ping()
        except Exception as error:
            self._say(error)
            raise
        self._say(None)

    async def close(self) -> None:
        """End what runs, and give the wire back."""
        running = [*self._tasks]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await self._tried(self._wire.close())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._tried(self._look())

    async def _look(self) -> None:
        """Read what the broker survives, and say where that is less than it should."""
        try:
            async with asyncio.timeout(LOOK_S):
                found = await self._wire.durability()
        except TimeoutError as error:
            raise WireAway(f"the wire does not say how it is set within {LOOK_S:g} s") from error
        if found.startswith(REDUCED) and found != self.durability:
            log.warning("what goes over the wire may be lost, and is asked again: durability is %s", found)
        self.durability = found
        self._say(None)

    async def _tried(self, asked: Awaitable[None]) -> bool:
        try:
            await asked
        except Exception as error:  # noqa: BLE001 - as above
            self._say(error)
            return False
        self._say(None)
        return True

    def _say(self, away: Exception | None) -> None:
        """Say once that the wire is away, or cannot be used any more, and once that it is there again."""
        reduced = f"the wire's durability is {self.durability}" if self.durability.startswith(REDUCED) else ""
        unusable = isinstance(away, WireUnusable) and not isinstance(away, WireAway)
        told = "" if away is None else "cannot be used" if unusable else "is away"
        self.trouble = f"the wire {told}: {raised(away)}" if away else reduced
        before, self._told = self._told, told
        if before == told:
            return
        if away is None:
            log.warning("the wire is there again")
        elif unusable:
            log.error("the wire cannot be used until somebody mends it; what goes over it waits: %s", raised(away))
        else:
            log.warning("the wire is away, and what goes over it waits or is asked again: %s", raised(away))
