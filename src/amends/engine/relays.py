"""The relays of an engine: each moves letters from an outbox of a user's to the mailbox, in a thread of its own.

Where one fails, its outbox or the mailbox is away; that is said once, and it is tried again. It stops no engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from amends.engine.logger import log
from amends.engine.thread import OneThread
from amends.exceptions import raised

LOOK_S: Final = 0.5  # between two looks into an outbox that was empty: what a person does not wait for
AWAY_S: Final = 5.0
"""Between two tries in the long run, where one is away: a restart of a database takes longer."""
CLOSED_WITHIN_S: Final = 5.0  # for what a relay does just now, some commits: longer where its database is away


class Relay(Protocol):
    """Moves letters from one outbox to the mailbox of the engine's store. It is used by one thread."""

    def move(self) -> int:
        """Move some of those that are committed, at most as many as are held in memory.

        Returns:
            How many.

        Raises:
            Exception: the outbox or the mailbox is away. Nothing is lost, and what is moved again does no harm.
        """

    def close(self) -> None:
        """Give everything back."""


class Relays:
    """The relays of an engine, by the names of their outboxes."""

    def __init__(self, relays: Mapping[str, Relay]) -> None:
        """Move nothing yet.

        Args:
            relays: by the name of the outbox, for the log.
        """
        self._relays = relays
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, wake: Callable[[], None]) -> None:
        """Begin to move letters.

        Args:
            wake: has the engine look for letters; called in this event loop.
        """
        self._tasks = [
            asyncio.create_task(self._run(name, relay, wake), name="amends-relay")
            for name, relay in self._relays.items()
        ]

    def end(self) -> None:
        """Move nothing more, after what is under way."""
        for task in self._tasks:
            if not task.cancelling():  # else it gives its relay back already
                task.cancel()

    async def close(self) -> None:
        """The same, and wait for what is under way."""
        self.end()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, name: str, relay: Relay, wake: Callable[[], None]) -> None:
        thread = OneThread("amends-relay")
        try:
            await _move(name, partial(thread.call, relay.move), wake)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_WITHIN_S):
                    await thread.call(relay.close)
            thread.shutdown(wait=False)


NO_RELAYS: Final = Relays(MappingProxyType({}))


async def _move(name: str, move: Callable[[], Awaitable[int]], wake: Callable[[], None]) -> None:
    is_away, pause_s = False, LOOK_S
    while True:
        try:
            moved = await move()
        except Exception as error:  # noqa: BLE001 - whatever a user's database raises ends nothing
            if not is_away:
                log.error("the letters of outbox %r wait, and are tried again: %s", name, raised(error))
            is_away, pause_s = True, min(2 * pause_s, AWAY_S)
        else:
            if is_away:
                log.warning("the letters of outbox %r are moved again", name)
            is_away, pause_s = False, 0 if moved else LOOK_S
            if moved:
                wake()
        await asyncio.sleep(pause_s)
