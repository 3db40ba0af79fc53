"""An engine's end of a wire: what is tried again while the broker is away, and what runs beside the turns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from amends.engine.logger import log
from amends.exceptions import raised
from amends.storage.wire import Delivery, Wire, channel_to

PAUSE_S: Final = 0.5  # before a wire that is away is tried again: a broker that starts anew takes some seconds


class Wiring:
    """A wire, as one engine uses it.

    Attributes:
        reply_to: the channel of the answers to this engine.
    """

    def __init__(self, wire: Wire, engine: str) -> None:
        """Use a wire.

        Args:
            wire: which is closed with this.
            engine: the engine's name.
        """
        self.reply_to = channel_to(engine)
        self._wire = wire
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_away = False

    def run(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Let something run beside the turns until it is over, or this is closed."""
        task = asyncio.create_task(self._guarded(work), name="amends-wire")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 - the turns go on, and sagas wait for their time
            log.exception("something that the engine did on its wire has ended: what it was about is asked again")

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

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart that has something wrong, if the wire is there; else it comes again."""
        log.error("a message on %s is parked: %s", channel, reason)
        await self._tried(self._wire.park(channel, delivery, reason))

    async def close(self) -> None:
        """End what runs, and give the wire back."""
        running = [*self._tasks]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await self._tried(self._wire.close())

    async def _tried(self, asked: Awaitable[None]) -> bool:
        try:
            await asked
        except Exception as error:  # noqa: BLE001 - as above
            self._say(error)
            return False
        self._say(None)
        return True

    def _say(self, away: Exception | None) -> None:
        """Say once that the wire is away, and once that it is there again."""
        if (away is not None) == self._is_away:
            return
        self._is_away = away is not None
        if away is not None:
            log.warning("the wire is away, and what goes over it waits or is asked again: %s", raised(away))
        else:
            log.warning("the wire is there again")
