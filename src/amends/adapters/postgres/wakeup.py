"""Wake-ups by NOTIFY, on a connection of their own: a transaction that notifies waits for every other that does.

A thread connects, listens, and sends. Rings that come close together are one, so that the server is asked to notify a
few times a second at most, also where many commits ring. It is a convenience: those who wait look by themselves where
there is no connection. So they do behind a pooler, which gives each transaction another session, and so keeps no
listener; it lets rings through. The address may name the server behind it, for this connection alone.
"""

from __future__ import annotations

import select
import socket
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.queries import QUERIES
from amends.storage.forks import forget_in_children, leak

RING: Final = b"\0"
RING_ALL: Final = b"\1"
RINGS_AT_ONCE: Final = 4_096  # bytes that are read at once: each is a ring, and all of them are one
PAUSE_S: Final = 0.01  # between two that are sent: what a commit takes
AGAIN_S: Final = 1.0  # before it connects again


class PostgresWakeup:
    """The end of an engine or of a client; see `amends.storage.ports.Wakeup`."""

    def __init__(self, address: Address, *, is_engine: bool) -> None:
        """Hear nothing yet.

        Args:
            address: of the database.
            is_engine: whether it is an engine's end.
        """
        names = {True: f"amends_{address.schema}_engines", False: f"amends_{address.schema}_clients"}
        self._address, self._own, self._others = address.past_pooler(), names[is_engine], names[not is_engine]
        self._rings: socket.socket | None = None
        self._is_connected = threading.Event()
        forget_in_children(self)

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on, once a thread has connected; whether it has."""
        if self._rings is None:
            self._rings, bell = socket.socketpair()
            self._rings.setblocking(False)
            bell.setblocking(False)

            def wake() -> None:
                with suppress(RuntimeError):  # the event loop has ended
                    loop.call_soon_threadsafe(heard)

            threading.Thread(target=self._run, args=(bell, wake), name="amends-wakeup", daemon=True).start()
        return self._is_connected.is_set()

    def ring(self, *, engines: bool = False) -> None:
        """Wake all at the other end, soon; and the other engines, where they are to be, too."""
        if self._rings is not None:
            with suppress(OSError):  # the rings before are not sent yet
                self._rings.send(RING_ALL if engines else RING)

    def close(self) -> None:
        """Hear nothing any more: the thread ends by itself. A second call does nothing."""
        rings, self._rings = self._rings, None
        if rings is not None:
            rings.close()

    def forget(self) -> None:
        """In a child: the thread is the parent's."""
        if self._rings is not None:
            leak(self._rings)
        self._rings = None

    # In the thread --------------------------------------------------------------------------------------------

    def _run(self, bell: socket.socket, wake: Callable[[], None]) -> None:
        with bell:
            while True:
                with suppress(psycopg.Error), self._address.connect() as driver:
                    if self._listens(driver):
                        self._is_connected.set()
                    wake()  # what was posted before it listened
                    if self._is_over(bell, driver, wake):
                        return
                self._is_connected.clear()
                if self._rested(bell):
                    return

    def _listens(self, driver: psycopg.Connection[Any]) -> bool:
        """Begin to listen, unless the session is a pooler's: that has a number of its own, and not the server's."""
        ((number,),) = driver.execute(QUERIES["session_number"]).fetchall()
        if number != driver.info.backend_pid:
            return False
        driver.execute(f'LISTEN "{self._own}"'.encode())
        return True

    def _is_over(self, bell: socket.socket, driver: psycopg.Connection[Any], wake: Callable[[], None]) -> bool:
        """Listen and send until the other end of the bell is closed."""
        own = driver.info.backend_pid
        driver.add_notify_handler(lambda notify: wake() if notify.pid != own else None)
        while True:
            ready, _, _ = select.select([bell.fileno(), driver.fileno()], [], [])
            if bell.fileno() in ready:
                if not (rings := _read(bell)):
                    return True
                for channel in (self._others, self._own)[: 1 + (RING_ALL in rings)]:
                    driver.execute(QUERIES["notify"], {"channel": channel})
                select.select([], [], [], PAUSE_S)
            else:
                driver.pgconn.consume_input()
            if _heard(driver):
                wake()

    def _rested(self, bell: socket.socket) -> bool:
        """Wait before it connects again; whether it is to end instead."""
        ready, _, _ = select.select([bell], [], [], AGAIN_S)
        return bool(ready) and not _read(bell)


def _heard(driver: psycopg.Connection[Any]) -> bool:
    """Whether another one has rung since the last look."""
    heard = False
    while (notify := driver.pgconn.notifies()) is not None:
        heard |= notify.be_pid != driver.info.backend_pid
    return heard


def _read(bell: socket.socket) -> bytes:
    """Read the rings that have come; nothing where the other end is closed."""
    with suppress(BlockingIOError):
        return bell.recv(RINGS_AT_ONCE)
    return RING
