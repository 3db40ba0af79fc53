"""Wake-ups between an engine and the clients of a database in memory, each in an event loop of its own."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress

from amends.adapters.memory.database import MemoryDatabase


class MemoryWakeup:
    """The end of an engine or of a client; see `amends.storage.ports.Wakeup`."""

    def __init__(self, database: MemoryDatabase, *, is_engine: bool) -> None:
        """Hear nothing yet.

        Args:
            database: whose engines and clients wake each other.
            is_engine: whether it is an engine's end.
        """
        self._own, self._others = database.woken[is_engine], database.woken[not is_engine]

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on."""
        self._own[self] = lambda: loop.call_soon_threadsafe(heard)
        return True

    def ring(self, *, engines: bool = False) -> None:
        """Wake all at the other end; and the other engines, where they are to be, too."""
        peers = [wake for peer, wake in [*self._own.items()] if peer is not self] if engines else []
        for wake in [*self._others.values(), *peers]:
            with suppress(RuntimeError):  # its event loop has ended
                wake()

    def close(self) -> None:
        """Hear nothing any more. A second call does nothing."""
        self._own.pop(self, None)
