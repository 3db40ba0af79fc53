"""Rings by NOTIFY, on a connection of their own: a transaction that notifies waits for every other that does.

A thread connects, listens, and sends. Rings that come close together are one, so that the server is asked to notify a
few times a second at most, also where many commits ring. It is a convenience: those who wait look by themselves where
there is no connection. So they do behind a pooler, which gives each transaction another session, and so keeps no
listener; it lets rings through. The address may name the server behind it, for this connection alone.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.queries import QUERIES
from amends.storage.forks import forget_in_children, leak

POKE: Final = b"\0"
POKES_AT_ONCE: Final = 4_096  # bytes that are read at once: all of them are one
RINGS_MAX: Final = 4_096
"""Names that wait to be rung while the server is away; then the oldest are forgotten: who waits looks by himself."""
PAUSE_S: Final = 0.01  # between two rounds that are sent: what a commit takes
AGAIN_S: Final = 1.0  # before it connects again


class PostgresBell:
    """Rings names, and calls those who listen for one. Its methods are used in one thread; what it calls, in another.

    Attributes:
        is_connected: whether it hears now what others ring.
    """

    def __init__(self, address: Address) -> None:
        """Neither ring nor hear anything yet.

        Args:
            address: of the database.
        """
        self._address = address.past_pooler()
        self._heard: dict[str, Callable[[], None]] = {}
        self._to_ring: deque[str] = deque(maxlen=RINGS_MAX)
        self._pokes: socket.socket | None = None
        self._is_connected = threading.Event()
        forget_in_children(self)

    @property
    def is_connected(self) -> bool:
        """See above."""
        return self._is_connected.is_set()

    def open(self) -> None:
        """Connect, soon, and again where the connection is lost. A second call does nothing."""
        if self._pokes is None:
            self._pokes, door = socket.socketpair()
            self._pokes.setblocking(False)
            door.setblocking(False)
            threading.Thread(target=self._run, args=(door,), name="amends-wakeup", daemon=True).start()

    def listen(self, name: str, heard: Callable[[], None]) -> None:
        """Have it called when others ring a name, and each time that it has connected. A name has one listener.

        Args:
            name: at most 63 bytes.
            heard: called in a thread of the bell's.
        """
        if name not in self._heard:
            self._heard = {**self._heard, name: heard}  # anew: the thread may be going through it
            self._poke()

    def ring(self, *names: str) -> None:
        """Ring names, soon. It does nothing before it is open."""
        if self._pokes is not None:
            self._to_ring.extend(names)
            self._poke()

    def close(self) -> None:
        """Hear nothing any more: the thread ends by itself. A second call does nothing."""
        pokes, self._pokes = self._pokes, None
        if pokes is not None:
            pokes.close()

    def forget(self) -> None:
        """In a child: the thread is the parent's."""
        if self._pokes is not None:
            leak(self._pokes)
        self._pokes = None

    def _poke(self) -> None:
        if self._pokes is not None:
            with suppress(OSError):  # it is full of those before
                self._pokes.send(POKE)

    # In the thread --------------------------------------------------------------------------------------------

    def _run(self, door: socket.socket) -> None:
        with door:
            while True:
                with suppress(psycopg.Error), self._address.connect() as driver:
                    if self._is_over(door, driver):
                        return
                self._is_connected.clear()
                if _rested(door):
                    return

    def _is_over(self, door: socket.socket, driver: psycopg.Connection[Any]) -> bool:
        """Listen and send until the other end of the door is closed."""
        own, listens, listened, rung = driver.info.backend_pid, _listens(driver), set[str](), {*self._heard}
        driver.add_notify_handler(lambda notify: rung.add(notify.channel) if notify.pid != own else None)
        while True:
            if listens:
                rung |= self._listen(driver, listened)
            self._wake(rung)
            ready, _, _ = select.select([door.fileno(), driver.fileno()], [], [])
            if door.fileno() in ready:
                if not _read(door):
                    return True
                for name in self._taken():
                    driver.execute(QUERIES["notify"], {"channel": name})
                select.select([], [], [], PAUSE_S)
            else:
                driver.pgconn.consume_input()
            rung |= _notified(driver)

    def _listen(self, driver: psycopg.Connection[Any], listened: set[str]) -> set[str]:
        """Listen for what is new, and give that: it may have been rung before."""
        new = self._heard.keys() - listened
        for name in new:
            driver.execute(f'LISTEN "{name}"'.encode())
        listened |= new
        self._is_connected.set()
        return new

    def _wake(self, rung: set[str]) -> None:
        while rung:
            self._heard[rung.pop()]()

    def _taken(self) -> dict[str, None]:
        """The names that are to be rung, each once."""
        taken = dict[str, None]()
        while self._to_ring:
            taken[self._to_ring.popleft()] = None
        return taken


def _listens(driver: psycopg.Connection[Any]) -> bool:
    """Whether one can listen: the session is no pooler's, which has a number of its own, and not the server's."""
    ((number,),) = driver.execute(QUERIES["session_number"]).fetchall()
    return bool(number == driver.info.backend_pid)


def _notified(driver: psycopg.Connection[Any]) -> set[str]:
    """What others have rung since the last look."""
    names = set[str]()
    while (notify := driver.pgconn.notifies()) is not None:
        if notify.be_pid != driver.info.backend_pid:
            names.add(notify.relname.decode())
    return names


def _rested(door: socket.socket) -> bool:
    """Wait before it connects again; whether it is to end instead."""
    ready, _, _ = select.select([door], [], [], AGAIN_S)
    return bool(ready) and not _read(door)


def _read(door: socket.socket) -> bytes:
    """Read the pokes that have come; nothing where the other end is closed."""
    with suppress(BlockingIOError):
        return door.recv(POKES_AT_ONCE)
    return POKE
