"""Wake-ups of engines and clients: each listens for one name of the schema, and rings the other."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.bell import PostgresBell


class PostgresWakeup:
    """The end of an engine or of a client; see `amends.storage.ports.Wakeup`."""

    def __init__(self, address: Address, *, is_engine: bool) -> None:
        """Hear nothing yet.

        Args:
            address: of the database.
            is_engine: whether it is an engine's end.
        """
        names = {True: f"amends_{address.schema}_engines", False: f"amends_{address.schema}_clients"}
        self._bell, self._own, self._others = PostgresBell(address), names[is_engine], names[not is_engine]

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on, once a thread has connected; whether it has."""
        self._bell.listen(self._own, in_loop(loop, heard))
        self._bell.open()
        return self._bell.is_connected

    def ring(self, *, engines: bool = False) -> None:
        """Wake all at the other end, soon; and the other engines, where they are to be, too."""
        self._bell.ring(self._others, *([self._own] if engines else ()))

    def close(self) -> None:
        """Hear nothing any more. A second call does nothing."""
        self._bell.close()


def in_loop(loop: AbstractEventLoop, heard: Callable[[], None]) -> Callable[[], None]:
    """What has something called in an event loop, from any thread."""

    def wake() -> None:
        with suppress(RuntimeError):  # the event loop has ended
            loop.call_soon_threadsafe(heard)

    return wake
